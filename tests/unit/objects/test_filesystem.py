"""The folder of objects: layout, order of writing, remains of crashes."""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.errors import NotFound
from paddock.objects import FilesystemBackend, ObjectStore, files

_BODY = b"body"
_DIGEST = digest_bytes(_BODY)
_DAY_S = 24 * 3600


def _place(root: Path, digest: Digest = _DIGEST) -> Path:
    return root / digest[:2] / digest[2:]


def test_layout_is_two_letters_and_the_rest(tmp_path: Path) -> None:
    """An object lies at `ab/cdef...`, readable by its owner only, and nothing else lies there."""
    FilesystemBackend(tmp_path / "objects").write(_DIGEST, _BODY)

    place = _place(tmp_path / "objects")
    assert place.read_bytes() == _BODY
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in place.parents[:2]] == [0o700, 0o700]
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_data_is_synced_before_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is: data to disk, then the name, then the folder to disk; only then `put` returns."""
    store = ObjectStore(FilesystemBackend(tmp_path / "objects"))
    calls: list[str] = []
    _record(monkeypatch, calls)

    store.put(_BODY)
    assert calls == ["sync data 4", "sync objects", "rename", f"sync {_DIGEST[:2]}"]
    calls.clear()
    store.put(_BODY)  # somebody else may have named it and not synced the folder yet
    assert calls == [f"sync {_DIGEST[:2]}"]


def _record(monkeypatch: pytest.MonkeyPatch, calls: list[str]) -> None:
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(descriptor: int) -> None:
        calls.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        real_fsync(descriptor)

    def sync_data(descriptor: int) -> None:
        calls.append(f"sync data {os.fstat(descriptor).st_size}")

    def rename(source: Path, target: Path) -> None:
        calls.append("rename")
        real_rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(files, "_sync_data", sync_data)
    monkeypatch.setattr(os, "rename", rename)


def test_remains_of_crashes_are_reaped(tmp_path: Path) -> None:
    """A temp file older than a day goes at the next write or cleaning, a young one stays; none is listed."""
    shard = _place(tmp_path).parent
    other = tmp_path / "zz"
    for folder in (tmp_path, shard, other):
        folder.mkdir(exist_ok=True)
        for name, age_s in ((".tmp-old", _DAY_S + 60), (".tmp-young", _DAY_S - 60)):
            (folder / name).write_bytes(b"half")
            _grow_old(folder / name, age_s)
    backend = FilesystemBackend(tmp_path)
    assert list(backend.list_objects()) == []

    backend.write(_DIGEST, _BODY)
    assert {path.name for path in shard.iterdir()} == {".tmp-young", _DIGEST[2:]}
    assert [path.name for path in tmp_path.glob(".tmp-*")] == [".tmp-young"]
    with backend.hold(deletes=True):
        assert [path.name for path in other.iterdir()] == [".tmp-young"]
    assert [found.digest for found in backend.list_objects()] == [_DIGEST]


def _grow_old(path: Path, age_s: float) -> None:
    os.utime(path, (time.time() - age_s,) * 2)


def test_renewed_object_outlives_a_cleaning(tmp_path: Path) -> None:
    """An old object goes; one that was put again a moment ago stays, whatever its list says."""
    store = ObjectStore(FilesystemBackend(tmp_path))
    old, renewed, put = (store.put(body) for body in (b"old", b"renewed", b"put"))
    for digest in (old, renewed, put):
        _grow_old(_place(tmp_path, digest), 2 * _DAY_S)
    ages = {found.digest: found.age_s for found in store.list_objects()}
    store.renew(renewed)
    store.put(b"put")

    assert [digest for digest in ages if store.delete(digest, min_age_s=_DAY_S)] == [old]
    assert min(ages.values()) > _DAY_S
    assert set(store.list_digests()) == {renewed, put}


def test_clock_set_back_keeps_an_object(tmp_path: Path) -> None:
    """An object from the future is young."""
    store = ObjectStore(FilesystemBackend(tmp_path))
    _grow_old(_place(tmp_path, store.put(_BODY)), -_DAY_S)

    assert [found.age_s for found in store.list_objects()] == [0.0]
    assert not store.delete(_DIGEST, min_age_s=1.0)


def test_planted_link_is_not_followed(tmp_path: Path) -> None:
    """A symbolic link in the store is no object, even when it points to the right bytes."""
    (tmp_path / "outside").write_bytes(_BODY)
    backend = FilesystemBackend(tmp_path / "objects")
    _place(tmp_path / "objects").parent.mkdir()
    _place(tmp_path / "objects").symlink_to(tmp_path / "outside")

    assert backend.find(_DIGEST) is None
    with pytest.raises(NotFound):
        list(backend.read_chunks(_DIGEST))
    backend.write(_DIGEST, _BODY)
    assert not _place(tmp_path / "objects").is_symlink()


def test_failed_write_leaves_no_temp(tmp_path: Path) -> None:
    """When the source breaks off nothing is left, not even a temp file."""
    store = ObjectStore(FilesystemBackend(tmp_path / "objects"))

    def break_off() -> Iterator[bytes]:
        yield b"half"
        raise EOFError

    with pytest.raises(EOFError):
        store.put_stream(break_off())
    assert [path for path in (tmp_path / "objects").rglob("*") if not path.name.startswith(".names")] == []
