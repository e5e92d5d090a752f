"""Files of a backup: written once, flushed together, and a folder that appears when it is whole."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from blake3 import blake3

from paddock.governance.records import StoredFile
from paddock.kernel.digest import Digest
from paddock.kernel.errors import AlreadyExists, Forbidden, InvalidInput, NotFound, StorageFull, StoreInUse

_CHUNK_BYTES = 1 << 20
_FULL_CODES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TAKEN_CODES = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)


@contextmanager
def stage_folder(target: Path) -> Iterator[Path]:
    """Yield a new folder beside `target`; when the block ends well it is flushed and gets that name.

    An error removes it. What a killed process has left of one is cleared first. Raises AlreadyExists
    when `target` is there and not an empty folder, StoreInUse when another process is writing it,
    StorageFull when the block runs out of space.
    """
    target = target.resolve()
    _refuse_taken(target)
    draft = target.with_name(f".{target.name}.partial")
    with name_full_disk(target):
        lock = _make_draft(draft)
        try:
            yield draft
            sync_tree(draft)
            _publish(draft, target)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        finally:
            os.close(lock)


@contextmanager
def name_full_disk(target: Path) -> Iterator[None]:
    """Raise StorageFull, naming `target`, for any error of the system that says so."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL_CODES:
            raise StorageFull(
                f"no space is left for `{target}`", hint="free some space and try again"
            ) from error
        raise


def write_new(path: Path, chunks: Iterable[bytes]) -> StoredFile:
    """Write a file that must not be there, in folders made if missing; it is not flushed yet."""
    make_folders(path.parent)
    hasher, size = blake3(), 0
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        for chunk in chunks:
            hasher.update(chunk)
            size += len(chunk)
            file.write(chunk)
    return StoredFile(size, Digest(hasher.hexdigest()))


def make_folders(folder: Path) -> None:
    """Make `folder` and its parents, each 0700 (`mkdir` gives the mode to the last one only)."""
    if not folder.is_dir():
        make_folders(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def read_prefix(path: Path) -> Iterator[bytes]:
    """Yield the file as far as it reaches now; what a writer adds meanwhile is left out."""
    with path.open("rb", buffering=0) as file:
        left = os.fstat(file.fileno()).st_size
        while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
            left -= len(chunk)
            yield chunk


def describe_file(path: Path) -> StoredFile:
    """Return size and digest of a regular file; NotFound for anything else, links included."""
    if path.is_symlink() or not path.is_file():
        raise NotFound(f"there is no file `{path}`")
    hasher, size = blake3(), 0
    for chunk in read_prefix(path):
        hasher.update(chunk)
        size += len(chunk)
    return StoredFile(size, Digest(hasher.hexdigest()))


def sync_tree(folder: Path) -> None:
    """Flush everything in `folder` to disk, names included.

    One after the other at the end costs a fraction of a flush after each file: the first one takes
    most of the others along.
    """
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync_path(Path(parent, name))
        sync_path(Path(parent))


def sync_path(path: Path) -> None:
    """Flush a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_taken(target: Path) -> None:
    if target.is_mount():
        raise InvalidInput(f"`{target}` is a mount point", hint=f"name a new folder in it: {target}/backup")
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise _taken(target)


def _make_draft(draft: Path) -> int:
    """Make the folder, cleared of what a killed process has left, and return the lock on it."""
    try:
        make_folders(draft)
        lock = _lock(draft)
    except PermissionError as error:
        raise Forbidden(f"`{draft.parent}` cannot be written: {error.strerror}") from error
    try:
        for entry in draft.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    except BaseException:
        os.close(lock)
        raise
    return lock


def _lock(draft: Path) -> int:
    descriptor = os.open(draft, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # the other one may have finished, and given the folder its name, since it was opened here
        if not draft.is_dir() or not os.path.samestat(os.fstat(descriptor), draft.stat()):
            raise BlockingIOError
    except BlockingIOError as error:
        os.close(descriptor)
        raise StoreInUse(f"another process is writing `{draft}`", hint="wait for it to end") from error
    return descriptor


def _publish(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)  # takes the place of an empty folder, and of nothing else
    except OSError as error:
        if error.errno in _TAKEN_CODES:
            raise _taken(target) from error
        raise
    sync_path(target.parent)


def _taken(target: Path) -> AlreadyExists:
    return AlreadyExists(f"`{target}` holds something already", hint="give a new folder")
