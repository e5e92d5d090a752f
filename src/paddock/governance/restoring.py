"""Making a store of a backup: everything is compared first, rows come last."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from paddock.governance.backing_up import IN_MEMORY_BYTES
from paddock.governance.files import (
    describe_file,
    make_folders,
    name_full_disk,
    read_prefix,
    sync_path,
    sync_tree,
    write_new,
)
from paddock.governance.packages import lay_out_packages
from paddock.governance.records import BackupManifest, Progress, RestoreReport, StoredFile
from paddock.governance.rules import (
    DECLARATION_NAME,
    GATEWAYS_NAME,
    MANIFEST_NAME,
    METADATA_NAME,
    OBJECTS_NAME,
    decode_manifest,
    ignore_progress,
    object_name,
)
from paddock.kernel.clock import Clock, SystemClock
from paddock.kernel.digest import Digest
from paddock.kernel.errors import AlreadyExists, IntegrityError, InvalidInput, NotFound, PaddockError
from paddock.metadata import LedgerVerdict, open_metadata, restore_metadata
from paddock.objects import ObjectStore, open_objects

_POSTGRES = ("postgresql://", "postgres://")
_MARKER = ".restoring"
_MADE = (OBJECTS_NAME, GATEWAYS_NAME, DECLARATION_NAME, _MARKER)
_OF_THE_SYSTEM = frozenset({"lost+found"})
_MOST_PROBLEMS = 20


def read_backup(source: Path, *, progress: Progress = ignore_progress) -> BackupManifest:
    """Return the manifest of a backup after comparing every byte of it; nothing is written.

    Raises NotFound when `source` is no backup or one that was cut short, StoreTooNew for a later format,
    and IntegrityError that names the first file which is missing, cut off or changed, `problems` naming all.
    """
    manifest = _read_manifest(source)
    faults: list[tuple[str, str]] = []
    expected = tuple(_list_expected(manifest))
    for done, (name, file) in enumerate(expected, start=1):
        words = _compare(source / name, file)
        if words:
            faults.append((name, words))
        progress("files", done, len(expected))
    if faults:
        name, words = faults[0]
        more = f", and {len(faults) - 1:,} more are faulty" if len(faults) > 1 else ""
        raise IntegrityError(
            f"`{name}` of the backup {words}{more}",
            problems=tuple(f"`{name}` {words}" for name, words in faults[:_MOST_PROBLEMS]),
            file=name,
        )
    return manifest


def restore_backup(
    source: Path,
    store: str,
    *,
    folder: Path | None = None,
    clock: Clock | None = None,
    progress: Progress = ignore_progress,
) -> RestoreReport:
    """Make a store at `store` of the backup in `source`, and check its ledger.

    store: a folder that is missing or empty, or `postgresql://...` of an empty database. folder: where local
    files go, the store itself when None; needed for a database. clock: as for `open_metadata`.

    Nothing is written before `read_backup` found the backup whole. Objects come first and rows last. An
    error in between leaves the place as it was; what a killed process has left, the next try clears.
    Raises as `read_backup` does, AlreadyExists when something is there, StoreTooNew for a schema of
    a newer Paddock, StorageFull.
    """
    home = _choose_folder(store, folder)
    manifest = read_backup(source, progress=progress)
    _check_engine(manifest, store)
    with name_full_disk(home):
        notes = _fill(source, manifest, store, home, progress)
    with closing(open_metadata(store, clock=clock or SystemClock())) as metadata:
        verdict = metadata.verify_ledger()
    _demand_ledger(manifest, verdict)
    return RestoreReport(
        store=store,
        created_at=manifest.created_at,
        event_count=verdict.checked_count,
        head_position=verdict.head_position,
        head_hash=verdict.head_hash,
        object_count=len(manifest.objects),
        size_bytes=manifest.size_bytes,
        notes=notes,
    )


def _read_manifest(source: Path) -> BackupManifest:
    path = source / MANIFEST_NAME
    if not path.is_file():
        raise NotFound(f"`{source}` is no complete backup: it has no `{MANIFEST_NAME}`")
    return decode_manifest(path.read_bytes())


def _list_expected(manifest: BackupManifest) -> Iterator[tuple[str, StoredFile]]:
    yield from manifest.files.items()
    for digest, size in manifest.objects.items():
        yield object_name(digest), StoredFile(size, digest)


def _compare(path: Path, expected: StoredFile) -> str:
    """Return what is wrong with a file of the backup, empty for nothing."""
    try:
        found = describe_file(path)
    except NotFound:
        return "is missing"
    if found.size_bytes != expected.size_bytes:
        return f"has {found.size_bytes:,} bytes instead of {expected.size_bytes:,}"
    return "" if found.digest == expected.digest else "is not as it was written: its digest differs"


def _choose_folder(store: str, folder: Path | None) -> Path:
    if folder is None and store.startswith(_POSTGRES):
        raise InvalidInput("a store in a database needs a folder for its local files")
    home = folder or Path(store)
    entries = {path.name for path in home.iterdir()} - _OF_THE_SYSTEM if home.is_dir() else set()
    if home.exists() and (not home.is_dir() or (entries and _MARKER not in entries)):
        raise AlreadyExists(
            f"`{home}` holds something already", hint="restore into an empty folder: --store DIR"
        )
    return home


def _check_engine(manifest: BackupManifest, store: str) -> None:
    wanted = "postgresql" if store.startswith(_POSTGRES) else "sqlite"
    if manifest.engine != wanted:
        place = "a folder" if manifest.engine == "sqlite" else "postgresql://..."
        raise InvalidInput(
            f"the backup is of a store in {manifest.engine}, and cannot become one in {wanted}",
            hint=f"restore it with --store {place}",
        )


def _fill(
    source: Path, manifest: BackupManifest, store: str, home: Path, progress: Progress
) -> tuple[str, ...]:
    is_new = not home.exists()
    make_folders(home)
    try:
        notes = _fill_folder(source, manifest, home, progress)
    except BaseException:
        _clear(home, is_new=is_new)
        raise
    progress("rows", 0, 1)
    try:
        restore_metadata(source / METADATA_NAME, store)
    except (PaddockError, OSError):  # and not an interrupt: there may be rows already
        _clear(home, is_new=is_new)
        raise
    progress("rows", 1, 1)
    return notes


def _fill_folder(source: Path, manifest: BackupManifest, home: Path, progress: Progress) -> tuple[str, ...]:
    _clear(home)
    (home / _MARKER).touch(mode=0o600)
    objects = open_objects(str(home / OBJECTS_NAME))
    _put_objects(source, manifest, objects, progress)
    for name in manifest.files:
        if name != METADATA_NAME:
            write_new(home / name, read_prefix(source / name))
    notes = lay_out_packages(home, objects)
    # Without its marker the folder is never cleared again, and only after that there are rows.
    (home / _MARKER).unlink()
    sync_tree(home)
    sync_path(home.parent)
    return notes


def _put_objects(source: Path, manifest: BackupManifest, objects: ObjectStore, progress: Progress) -> None:
    progress("objects", 0, len(manifest.objects))
    for done, (digest, size) in enumerate(manifest.objects.items(), start=1):
        path = source / object_name(digest)
        if _put(path, size, objects) != digest:
            raise IntegrityError(f"`{object_name(digest)}` of the backup was changed while it was restored")
        progress("objects", done, len(manifest.objects))


def _put(path: Path, size: int, objects: ObjectStore) -> Digest:
    # read once when it fits into memory; put_file reads a file twice
    return objects.put(path.read_bytes()) if size <= IN_MEMORY_BYTES else objects.put_file(path)


def _clear(home: Path, *, is_new: bool = False) -> None:
    """Remove what a restore makes; is_new: the folder too."""
    for name in _MADE:
        path = home / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if is_new:
        home.rmdir()


def _demand_ledger(manifest: BackupManifest, verdict: LedgerVerdict) -> None:
    if not verdict.ok:
        raise IntegrityError(
            f"the restored ledger does not hold at position {verdict.first_bad_position}: {verdict.words}"
        )
    is_older = verdict.head_position < manifest.head_position
    is_other = verdict.head_position == manifest.head_position and verdict.head_hash != manifest.head_hash
    if is_older or is_other:
        raise IntegrityError(
            f"the restored ledger ends at {verdict.head_position} `{verdict.head_hash}`, "
            f"but the backup was of {manifest.head_position} `{manifest.head_hash}`"
        )
