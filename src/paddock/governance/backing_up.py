"""Writing a backup. Layout and order: docs/formats/backup.md."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from paddock.governance.files import describe_file, read_prefix, stage_folder, write_new
from paddock.governance.logs import copy_log
from paddock.governance.records import BackupManifest, BackupReport, Progress, StoredFile
from paddock.governance.rules import (
    CONFIG_NAMES,
    DECLARATION_NAME,
    GATEWAYS_NAME,
    MANIFEST_NAME,
    METADATA_NAME,
    encode_manifest,
    is_backup_file,
    object_name,
)
from paddock.governance.snapshots import describe_snapshot
from paddock.kernel.digest import Digest
from paddock.kernel.errors import IntegrityError
from paddock.metadata import LedgerVerdict, Metadata
from paddock.objects import ObjectStore

# larger objects go through a file of their own instead of memory
IN_MEMORY_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A store to back up. folder: its local files."""

    metadata: Metadata
    objects: ObjectStore
    folder: Path


def write_backup(source: Source, target: Path, now: datetime, progress: Progress) -> BackupReport:
    """Write `source` to the new or empty folder `target`, which appears when all of it is on disk."""
    progress("ledger", 0, 1)
    verdict = source.metadata.verify_ledger()
    _demand_whole(verdict)
    progress("ledger", 1, 1)
    # held, because objects that the rows of the snapshot name might be freed before they are copied
    with stage_folder(target) as draft, source.objects.hold():
        manifest = _write_parts(source, draft, verdict, now, progress)
        write_new(draft / MANIFEST_NAME, (encode_manifest(manifest),))
        progress("sync", 0, 1)
    progress("sync", 1, 1)
    return BackupReport(
        folder=target,
        created_at=manifest.created_at,
        head_position=manifest.head_position,
        head_hash=manifest.head_hash,
        object_count=len(manifest.objects),
        file_count=len(manifest.files),
        size_bytes=manifest.size_bytes,
    )


def list_gateways(folder: Path) -> tuple[Path, ...]:
    """Return the state folders of the gateways of a store, by name."""
    root = folder / GATEWAYS_NAME
    return tuple(sorted(path for path in root.iterdir() if path.is_dir())) if root.is_dir() else ()


def _write_parts(
    source: Source, draft: Path, verdict: LedgerVerdict, now: datetime, progress: Progress
) -> BackupManifest:
    # A config goes out after its rows and its objects, so it is taken before them: rows and objects then
    # know all that it names. Rows, in turn, are taken before the objects that they name.
    files = dict(_copy_configs(source.folder, draft))
    progress("rows", 0, 1)
    source.metadata.backup(draft / METADATA_NAME)
    files[METADATA_NAME] = describe_file(draft / METADATA_NAME)
    facts = describe_snapshot(draft / METADATA_NAME)
    progress("rows", 1, 1)
    objects = dict(_copy_objects(source.objects, draft, progress))
    files.update(_copy_logs(source.folder, draft, progress))
    return BackupManifest(
        created_at=now,
        paddock_version=_paddock_version(),
        engine=facts.engine,
        schema_version=facts.schema_version,
        head_position=verdict.head_position,
        head_hash=verdict.head_hash,
        files=files,
        objects=objects,
    )


def _copy_configs(folder: Path, draft: Path) -> Iterator[tuple[str, StoredFile]]:
    names = [
        f"{GATEWAYS_NAME}/{gateway.name}/{name}" for gateway in list_gateways(folder) for name in CONFIG_NAMES
    ]
    for name in (DECLARATION_NAME, *names):
        path = folder / name
        if is_backup_file(name) and path.is_file() and not path.is_symlink():
            yield name, write_new(draft / name, read_prefix(path))


def _copy_objects(objects: ObjectStore, draft: Path, progress: Progress) -> Iterator[tuple[Digest, int]]:
    """Copy every object, verified on the way; IntegrityError names a damaged one."""
    digests = tuple(objects.list_digests())
    progress("objects", 0, len(digests))
    for done, digest in enumerate(digests, start=1):
        size = objects.size_bytes(digest)
        copy = draft / object_name(digest)
        if size <= IN_MEMORY_BYTES:
            write_new(copy, (objects.get(digest),))
        else:
            objects.materialize(digest, copy)
        yield digest, size
        progress("objects", done, len(digests))


def _copy_logs(folder: Path, draft: Path, progress: Progress) -> Iterator[tuple[str, StoredFile]]:
    gateways = list_gateways(folder)
    progress("logs", 0, len(gateways))
    for done, gateway in enumerate(gateways, start=1):
        target = draft / GATEWAYS_NAME / gateway.name / "predictions"
        for copy in copy_log(gateway / "predictions", target):
            yield copy.relative_to(draft).as_posix(), describe_file(copy)
        progress("logs", done, len(gateways))


def _paddock_version() -> str:
    try:
        return version("paddock")
    except PackageNotFoundError:  # a checkout that was not installed
        return "0+checkout"


def _demand_whole(verdict: LedgerVerdict) -> None:
    if not verdict.ok:
        raise IntegrityError(
            f"the ledger does not hold at position {verdict.first_bad_position}: {verdict.words}",
            hint="paddock audit verify",
            position=verdict.first_bad_position,
        )
