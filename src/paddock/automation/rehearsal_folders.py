"""Where rehearsals have their gateways: folders that are locked while in use, and swept after a kill."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

_PREFIX = ".rehearsal-"
_NOBODY = -1


@contextmanager
def rehearsal_folder(place: Path | None) -> Iterator[Path]:
    """Make a folder in `place`, the system's temporary folder when None, and remove it after the block.

    What killed processes have left in `place` is removed first.
    """
    if place is not None:
        sweep_rehearsals(place)
    folder, lock = _make(place)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        os.close(lock)


def sweep_rehearsals(place: Path) -> None:
    """Remove the folders in `place` whose rehearsals have died; those that go on have theirs locked."""
    for folder in place.glob(f"{_PREFIX}*"):
        lock = _lock(folder)
        if lock != _NOBODY:
            shutil.rmtree(
                folder, ignore_errors=True
            )  # what a dying gateway still writes waits for the next sweep
            os.close(lock)


def _make(place: Path | None) -> tuple[Path, int]:
    while True:
        folder = Path(mkdtemp(prefix=_PREFIX, dir=place))
        lock = _lock(folder)
        if lock != _NOBODY:  # else a sweep came between the two
            return folder, lock


def _lock(folder: Path) -> int:
    """Return what holds the lock of `folder`; -1 when another process has it, or has removed the folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return _NOBODY
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return _NOBODY
    if folder.is_dir():
        return descriptor
    os.close(descriptor)
    return _NOBODY
