"""A store as a folder of files: written while the store is in use, and made into a store again.

backup.json          what belongs to it, with digests; written last, so a folder without it is no backup
metadata.backup      a consistent snapshot of rows and events
objects/             every object, by digest
gateways/<endpoint>/ configs and prediction logs

The rows are taken first: objects are only ever added, so whatever a row names is there after it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from paddock.kernel.digest import Digest, digest_chunks
from paddock.kernel.errors import AlreadyExists, IntegrityError, NotFound
from paddock.objects import ObjectStore, open_objects

if TYPE_CHECKING:
    from paddock.app import App

MANIFEST = "backup.json"
METADATA = "metadata.backup"
OBJECTS = "objects"
GATEWAYS = "gateways"
_CONFIGS = ("config.json", "last-good.json")
_IN_MEMORY_BYTES = 8_388_608
_CHUNK_BYTES = 1_048_576


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """files: digest of every file but the objects, by path; head_*: the newest event of the ledger."""

    created_at: datetime
    object_count: int
    files: dict[str, str]
    head_position: int
    head_hash: str
    format: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restored store holds."""

    event_count: int
    object_count: int


def write_snapshot(app: App, target: Path) -> Manifest:
    """Write the store of `app` into the new or empty folder `target`; writes to the store go on meanwhile.

    Raises AlreadyExists for a folder that holds something and IntegrityError for a damaged object; what
    was written so far then stays without a manifest, and is no backup.
    """
    _ensure_empty(target)
    # The head is read before the rows, so that they hold it, and perhaps more.
    head = app.metadata.latest_events(app.actor.project_id, limit=1)
    app.metadata.backup(target / METADATA)
    copies = open_objects(str(target / OBJECTS))
    count = sum(
        1 for digest in app.objects.list_digests() if _copy_object(app.objects, copies, digest, target)
    )
    gateways = app.store.folder / GATEWAYS
    for source in _gateway_files(gateways):
        copy = target / GATEWAYS / source.relative_to(gateways)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    manifest = Manifest(
        created_at=app.clock.now(),
        object_count=count,
        files={path.relative_to(target).as_posix(): _digest(path) for path in _plain_files(target)},
        head_position=head[0].position if head else 0,
        head_hash=head[0].hash if head else "",
    )
    (target / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    return manifest


def read_manifest(source: Path) -> Manifest:
    """Return the manifest after comparing every file with it; nothing is written anywhere."""
    path = source / MANIFEST
    if not path.is_file():
        raise NotFound(f"`{source.name}` is no backup: it has no {MANIFEST}")
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.DecodeError as error:
        raise IntegrityError(f"`{MANIFEST}` of the backup cannot be read: {error}") from error
    for name, digest in manifest.files.items():
        file = source / name
        if ".." in Path(name).parts or not file.is_file() or _digest(file) != digest:
            raise IntegrityError(f"`{name[:200]}` of the backup is missing or not as it was written")
    found = sum(1 for _ in open_objects(str(source / OBJECTS)).list_digests())
    if found != manifest.object_count:
        raise IntegrityError(f"the backup has {found} objects, but was written with {manifest.object_count}")
    return manifest


def read_snapshot(source: Path, store: str, folder: Path) -> Manifest:
    """Make a store at `store`, with its local files in `folder`, from a backup; it must not exist yet.

    Objects come first and rows last, so a store that was restored by half has no rows.
    """
    from paddock.metadata import restore_metadata

    manifest = read_manifest(source)
    if (folder / "metadata.db").exists():
        raise AlreadyExists(
            f"there is a store in `{folder}` already", hint="restore into an empty folder: --store DIR"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    backup, objects = open_objects(str(source / OBJECTS)), open_objects(str(folder / OBJECTS))
    for digest in backup.list_digests():
        _copy_object(backup, objects, digest, folder)
    for file in _gateway_files(source / GATEWAYS):
        copy = folder / GATEWAYS / file.relative_to(source / GATEWAYS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    restore_metadata(source / METADATA, store)
    return manifest


def check_restored(app: App, manifest: Manifest) -> Restored:
    """Raise IntegrityError unless the ledger holds and goes at least as far as the manifest says."""
    verdict = app.metadata.verify_ledger()
    if not verdict.ok or verdict.head_position < manifest.head_position:
        raise IntegrityError(f"the restored ledger is not what was backed up: {verdict.words}")
    return Restored(verdict.checked_count, manifest.object_count)


def _copy_object(source: ObjectStore, target: ObjectStore, digest: Digest, scratch: Path) -> bool:
    if source.size_bytes(digest) <= _IN_MEMORY_BYTES:
        return target.put(source.get(digest)) == digest
    whole = scratch / ".object"
    source.materialize(digest, whole)
    try:
        return target.put_file(whole) == digest
    finally:
        whole.unlink()


def _gateway_files(folder: Path) -> Iterator[Path]:
    """Yield what of the gateways cannot be made anew: configs and logs, not the packages."""
    for endpoint in sorted(folder.iterdir()) if folder.is_dir() else ():
        yield from (path for name in _CONFIGS if (path := endpoint / name).is_file())
        yield from sorted((endpoint / "predictions").glob("*.log"))


def _plain_files(target: Path) -> Iterator[Path]:
    yield target / METADATA
    yield from _gateway_files(target / GATEWAYS)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return digest_chunks(iter(lambda: file.read(_CHUNK_BYTES), b""))


def _ensure_empty(target: Path) -> None:
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise AlreadyExists(
            f"`{target}` holds something already", hint="give a new folder, or a file ending in .tar"
        )
