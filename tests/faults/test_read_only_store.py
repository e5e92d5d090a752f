"""A store that lies on a filesystem mounted read-only, or belongs to somebody else: real commands read it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

READING = (
    ("data", "list"),
    ("data", "show", "rows"),
    ("runs", "list"),
    ("models", "list"),
    ("monitor",),
    ("audit", "verify"),
    ("audit", "check"),
)
WRITING = (
    ("data", "add", "rows.csv"),
    ("models", "promote", "delay@1"),
    ("server", "--port", "0"),
    ("loop", "--once"),
    ("up",),
)
# root without what lets it ignore the modes of files
_BOUND = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")


def run_cli(
    folder: Path, *arguments: str, before: tuple[str, ...] = ()
) -> "subprocess.CompletedProcess[str]":
    """Run a command on the store `store` in `folder`. before: a program that runs it, with its options."""
    command = [*before, sys.executable, "-m", "paddock.cli", "--store", "store", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def make_store(folder: Path) -> None:
    (folder / "rows.csv").write_text("a\n1\n")
    done = run_cli(folder, "data", "add", "rows.csv")
    assert done.returncode == 0, done.stderr


def listing(folder: Path) -> set[tuple[str, int]]:
    return {(str(path), path.stat().st_mtime_ns) for path in folder.rglob("*")}


@pytest.fixture
def bound() -> tuple[str, ...]:
    """What a command is run by so that the modes of files count; nothing for an ordinary user."""
    if os.geteuid():
        return ()
    if shutil.which(_BOUND[0]) is None or subprocess.run([*_BOUND, "true"], check=False).returncode:
        pytest.skip("root cannot be held to the modes of files here")
    return _BOUND


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a store that nobody may write."""
    make_store(tmp_path)
    paths = (tmp_path, *tmp_path.rglob("*"))
    for path in paths:
        path.chmod(0o500 if path.is_dir() else 0o400)
    yield tmp_path
    for path in paths:
        path.chmod(0o700)


def test_store_on_a_read_only_filesystem(small_disk: Path):
    """Everything that reads works, and leaves nothing; everything that writes says why it does not."""
    make_store(small_disk)
    before = listing(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    for words in READING:
        done = run_cli(small_disk, *words)
        assert done.returncode == 0, (words, done.stderr)
    for words in WRITING:
        done = run_cli(small_disk, *words)
        assert (done.returncode, done.stderr.splitlines()[0]) == (
            5,
            "error: the store `store` is read-only: this process may not write there",
        )
    assert listing(small_disk) == before


def test_store_whose_modes_forbid_writing(folder: Path, bound: tuple[str, ...]):
    """A folder that may be read and not written is read in the same way."""
    before = listing(folder)

    for words in READING:
        done = run_cli(folder, *words, before=bound)
        assert done.returncode == 0, (words, done.stderr)
    for words in WRITING:
        done = run_cli(folder, *words, before=bound)
        assert (done.returncode, "is read-only" in done.stderr) == (5, True), (words, done.stderr)
    assert listing(folder) == before


@pytest.mark.parametrize("hidden", ["store", "store/metadata.db"])
def test_store_that_may_not_be_read(folder: Path, bound: tuple[str, ...], hidden: str):
    """It is told by name, with what shows who may."""
    (folder / hidden).chmod(0)

    done = run_cli(folder, "runs", "list", before=bound)

    (folder / hidden).chmod(0o700)
    assert done.returncode == 5, done.stderr
    assert "store/metadata.db`" in done.stderr.splitlines()[0]
    assert done.stderr.splitlines()[1].startswith("hint: ls -l")
