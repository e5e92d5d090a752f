"""Killed writers, writers side by side, and a full disk under the object store."""

import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from paddock.kernel.digest import Digest
from paddock.kernel.errors import IntegrityError, StorageFull
from paddock.objects import FilesystemBackend, ObjectStore, open_objects

_PROGRAM = Path(__file__).with_name("objects_writer.py")


def _start(folder: Path, seed: int) -> "subprocess.Popen[str]":
    command = [sys.executable, str(_PROGRAM), str(folder), str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _kill_after(process: "subprocess.Popen[str]", lines: int) -> list[Digest]:
    """Kill -9 once so many objects were acknowledged; return all that were."""
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(lines)]
    process.kill()
    output, errors = process.communicate()
    assert errors == ""
    acknowledged += output.splitlines(keepends=True)
    return [Digest(line.strip()) for line in acknowledged if line.endswith("\n")]


def test_killed_writer_leaves_whole_objects_only(tmp_path: Path) -> None:
    """After kill -9 at random moments every acknowledged object is there, and every object there is whole."""
    chance = random.Random(3)
    acknowledged: set[Digest] = set()
    for seed in range(4):
        pair = [_start(tmp_path, seed), _start(tmp_path, seed + 100)]
        for process in pair:
            acknowledged |= set(_kill_after(process, chance.randrange(1, 40)))

    store = open_objects(str(tmp_path / "objects"))
    stored = set(store.list_digests())
    assert acknowledged <= stored
    for digest in stored:
        store.get(digest)  # verifies


def test_same_objects_from_many_writers(tmp_path: Path) -> None:
    """Stores that write the same objects to one folder at the same time do not disturb each other."""
    bodies = [bytes([number]) * 100_000 for number in range(20)]

    def work(_: int) -> list[Digest]:
        store = ObjectStore(FilesystemBackend(tmp_path / "objects"))
        return [store.put(body) for body in bodies]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(8)))

    store = open_objects(str(tmp_path / "objects"))
    assert all(answer == answers[0] for answer in answers)
    assert [store.get(digest) for digest in answers[0]] == bodies
    assert len(list(store.list_digests())) == 20


def test_full_disk_is_named_and_left(
    small_disk: Path, fill_disk: Callable[[Path], Path], tmp_path: Path
) -> None:
    """On a full disk a put fails by name and leaves no temp file; freed space is used without a restart."""
    store = open_objects(str(small_disk / "objects"))
    first = store.put(b"x" * 1000)
    ballast = fill_disk(small_disk)
    (tmp_path / "big").write_bytes(b"y" * 100_000)

    with pytest.raises(StorageFull, match="no space is left"):
        store.put(b"y" * 100_000)
    with pytest.raises(StorageFull, match="no space is left"):
        store.put_file(tmp_path / "big")
    other = open_objects(str(tmp_path / "objects"))
    digest = other.put(b"z" * 100_000)
    with pytest.raises(StorageFull, match="no space is left"):
        other.materialize(digest, small_disk / "file")
    assert list(store.list_digests()) == [first]
    assert list(small_disk.rglob(".tmp-*")) == []
    ballast.unlink()
    assert store.get(store.put(b"y" * 100_000)) == b"y" * 100_000


def test_damaged_object_is_healed_by_the_same_bytes(tmp_path: Path) -> None:
    """A flipped byte is refused on reading, and mended when the same content is stored again."""
    store = open_objects(str(tmp_path))
    digest = store.put(b"flights of March")
    path = tmp_path / digest[:2] / digest[2:]
    path.chmod(0o600)
    path.write_bytes(b"flights of Marsh")

    with pytest.raises(IntegrityError):
        store.get(digest)
    store.put(b"flights of March")

    assert store.get(digest) == b"flights of March"
