"""Which engine and schema a snapshot of rows is of. Its forms: docs/formats/database.md."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import msgspec

from paddock.governance.records import Engine
from paddock.kernel.errors import UnreadableFile

_SQLITE_MAGIC = b"SQLite format 3\0"
_USER_VERSION = slice(60, 64)  # of SQLite's header: the newest migration, big-endian
_HEADER_BYTES = 100


class SnapshotFacts(NamedTuple):
    engine: Engine
    schema_version: int


class _DumpHead(msgspec.Struct):
    migrations: tuple[int, ...]


def describe_snapshot(path: Path) -> SnapshotFacts:
    """Return what a file of `Metadata.backup` says of itself; UnreadableFile when it is none."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if header.startswith(_SQLITE_MAGIC):
        return SnapshotFacts("sqlite", int.from_bytes(header[_USER_VERSION], "big"))
    try:
        with zipfile.ZipFile(path) as archive:
            head = msgspec.json.decode(archive.read("manifest.json"), type=_DumpHead)
    except (zipfile.BadZipFile, KeyError, msgspec.DecodeError) as error:
        raise UnreadableFile(f"`{path.name}` is no snapshot of a store: {error}") from error
    return SnapshotFacts("postgresql", max(head.migrations, default=0))
