"""Files that appear whole or not at all, and survive power loss once written."""

import errno
import fcntl
import os
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from paddock.kernel.errors import InvalidInput, NotFound, StorageFull

CHUNK_BYTES = 1 << 20
TEMP_PREFIX = ".tmp-"

_FULL_CODES = (errno.ENOSPC, errno.EDQUOT)
_READ_ONLY_CODES = (errno.EROFS, errno.EACCES)
_sync_data = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


def write_atomically(target: Path, chunks: Iterable[bytes]) -> None:
    """Write `chunks` to `target`: temp beside it, data to disk, rename, folder to disk.

    A reader sees the old file or the new one. An error, one of `chunks` included, leaves no temp behind;
    StorageFull when there is no space.
    """
    with name_full_disk(target), reserve_temp(target.parent) as temp:
        write_temp(temp, chunks)
        temp.rename(target)
        sync_folder(target.parent)


@contextmanager
def reserve_temp(folder: Path) -> Iterator[Path]:
    """Yield the name of a file that may be written in `folder`; what is left of it in the end is removed."""
    # rename is atomic only inside one filesystem, so a temp file lies where its target will
    temp = folder / f"{TEMP_PREFIX}{secrets.token_hex(8)}"
    try:
        yield temp
    finally:
        temp.unlink(missing_ok=True)


def write_temp(temp: Path, chunks: Iterable[bytes]) -> None:
    """Write `chunks` to a file that must not be there, 0600, its data on disk when this returns."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(temp, flags, 0o600), "wb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        _sync_data(file.fileno())


@contextmanager
def name_full_disk(target: Path) -> Iterator[None]:
    """Raise StorageFull, naming `target`, for an error of the system that says so."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL_CODES:
            raise StorageFull(
                f"no space is left for `{target}`", hint="free some space and try again"
            ) from error
        raise


def read_chunks(
    path: Path, *, follow_links: bool, start: int = 0, stop: int | None = None
) -> Iterator[bytes]:
    """Yield a regular file, or its bytes from `start` up to but not including `stop`.

    InvalidInput for a folder, pipe or device, NotFound if none. follow_links: False refuses a symbolic link
    too, for places that only we write to.
    """
    descriptor = _open_regular(path, follow_links=follow_links)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        file.seek(start)
        left = sys.maxsize if stop is None else stop - start
        while left > 0 and (chunk := file.read(min(left, CHUNK_BYTES))):
            left -= len(chunk)
            yield chunk


def make_folder(folder: Path) -> None:
    """Make `folder` and its parents, 0700, durably; nothing happens when it is there."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Flush the names in `folder` to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def lock_file(path: Path, *, exclusive: bool, waits: bool = True) -> Iterator[None]:
    """Hold the lock on `path`, made if missing, against other threads and processes.

    It ends with the process, however that ends. BlockingIOError when `waits` is False and it is taken. The
    shared lock is held on nothing where this process may not write: there is nobody to keep out.
    """
    # opened anew each time: a descriptor that two threads share would be one holder
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        if exclusive or error.errno not in _READ_ONLY_CODES:
            raise
        yield
        return
    try:
        mode = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        fcntl.flock(descriptor, mode if waits else mode | fcntl.LOCK_NB)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _open_regular(path: Path, *, follow_links: bool) -> int:
    # O_NONBLOCK: opening a pipe must not wait for a writer
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow_links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError as error:
        raise NotFound(f"there is no file `{path}`") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InvalidInput(f"`{path}` is a symbolic link, but must be a regular file") from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InvalidInput(f"`{path}` is not a regular file")
    return descriptor
