"""Files that appear whole or not at all, and survive power loss once written."""

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from paddock.kernel.errors import InvalidInput, NotFound, StorageFull

CHUNK_BYTES = 1 << 20
TEMP_PREFIX = ".tmp-"

_FULL_CODES = (errno.ENOSPC, errno.EDQUOT)
_sync_data = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


def write_atomically(target: Path, chunks: Iterable[bytes]) -> None:
    """Write `chunks` to `target`: temp beside it, data to disk, rename, folder to disk.

    A reader sees the old file or the new one. An error, one of `chunks` included, leaves no temp behind;
    StorageFull when there is no space.
    """
    # rename is atomic only inside one filesystem, so the temp file lies beside the target
    temp = target.with_name(f"{TEMP_PREFIX}{secrets.token_hex(8)}")
    try:
        _write_temp(temp, chunks)
        temp.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        if error.errno in _FULL_CODES:
            raise StorageFull(
                f"no space is left for `{target}`", hint="free some space and try again"
            ) from error
        raise
    finally:
        temp.unlink(missing_ok=True)


def read_chunks(path: Path, *, follow_links: bool) -> Iterator[bytes]:
    """Yield the content of a regular file; InvalidInput for a folder, pipe or device, NotFound if none.

    follow_links: False refuses a symbolic link too, for places that only we write to.
    """
    descriptor = _open_regular(path, follow_links=follow_links)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK_BYTES):
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


def _write_temp(temp: Path, chunks: Iterable[bytes]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(temp, flags, 0o600), "wb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        _sync_data(file.fileno())
