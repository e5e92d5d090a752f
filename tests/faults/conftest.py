"""Filesystems that really are small."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from needs import find_mount_space, is_mounting_allowed

_SIZE = "3m"


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "small_disk" in getattr(item, "fixturenames", ()):
            item.add_marker("disk")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test with a small disk in a user namespace, where this process itself may not mount."""
    if "small_disk" not in pyfuncitem.fixturenames or is_mounting_allowed():
        return None
    space, folder = find_mount_space(), pyfuncitem.funcargs["tmp_path"]
    assert space is not None, "the marker `disk` has seen to it"
    options = ["-q", "-p", "no:cacheprovider", f"--basetemp={folder / 'inside'}"]
    command = [*space, sys.executable, "-m", "pytest", *options, pyfuncitem.nodeid]
    done = subprocess.run(command, cwd=pyfuncitem.config.rootpath, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return True


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a filesystem of its own with 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not is_mounting_allowed():  # the test runs in a process that may
        yield folder
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(folder)], check=True)
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
