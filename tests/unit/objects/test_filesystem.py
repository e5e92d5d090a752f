"""The folder of objects: layout, order of writing, remains of crashes."""

import os
import stat
import time
from pathlib import Path

import pytest

from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.errors import NotFound
from paddock.objects import FilesystemBackend, files

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
    """The order is: data to disk, then the name, then the folder to disk; only then `write` returns."""
    backend = FilesystemBackend(tmp_path / "objects")
    calls: list[str] = []
    _record(monkeypatch, calls)

    backend.write(_DIGEST, _BODY)
    assert calls == ["sync objects", "sync data 4", "rename", f"sync {_DIGEST[:2]}"]
    calls.clear()
    backend.write(_DIGEST, _BODY)  # somebody else may have named it and not synced the folder yet
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
    """A temp file older than a day goes at the next write beside it, a young one stays; none is listed."""
    shard = _place(tmp_path).parent
    shard.mkdir()
    for name, age_s in ((".tmp-old", _DAY_S + 60), (".tmp-young", _DAY_S - 60)):
        (shard / name).write_bytes(b"half")
        os.utime(shard / name, (time.time() - age_s,) * 2)
    backend = FilesystemBackend(tmp_path)
    assert list(backend.list_digests()) == []

    backend.write(_DIGEST, _BODY)
    assert {path.name for path in shard.iterdir()} == {".tmp-young", _DIGEST[2:]}
    assert list(backend.list_digests()) == [_DIGEST]


def test_planted_link_is_not_followed(tmp_path: Path) -> None:
    """A symbolic link in the store is no object, even when it points to the right bytes."""
    (tmp_path / "outside").write_bytes(_BODY)
    backend = FilesystemBackend(tmp_path / "objects")
    _place(tmp_path / "objects").parent.mkdir()
    _place(tmp_path / "objects").symlink_to(tmp_path / "outside")

    with pytest.raises(NotFound):
        backend.read(_DIGEST)
    backend.write(_DIGEST, _BODY)
    assert not _place(tmp_path / "objects").is_symlink()


def test_failed_write_leaves_no_temp(tmp_path: Path) -> None:
    """When the source breaks off nothing is left, not even a temp file."""
    backend = FilesystemBackend(tmp_path / "objects")
    with pytest.raises(NotFound):
        backend.write_file(_DIGEST, tmp_path / "none")

    assert list(_place(tmp_path / "objects").parent.iterdir()) == []
