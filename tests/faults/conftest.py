"""Filesystems that really are small."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_SIZE = "3m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a filesystem of its own with 3 MB; skipped where mounting is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small filesystem needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting a small filesystem is not allowed here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def fill_disk() -> Callable[[Path], Path]:
    """The way to fill the small disk."""
    return _fill_disk


def _fill_disk(folder: Path) -> Path:
    """Take all the space that is left, to the last byte, and return the file that took it."""
    ballast = folder / "ballast"
    for size in (65_536, 4096, 512, 1):
        with ballast.open("ab", buffering=0) as file:
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return ballast
