"""Put, get, verify."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import IntegrityError, InvalidInput, InvalidSettings, NotFound
from paddock.objects import FilesystemBackend, MemoryBackend, ObjectStore, open_objects

_BODY = bytes(range(256)) * 20_000


@pytest.fixture(params=["memory", "filesystem"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    backend = MemoryBackend() if request.param == "memory" else FilesystemBackend(tmp_path / "objects")
    return ObjectStore(backend)


def test_put_object_is_got(store: ObjectStore) -> None:
    """An object comes back by the digest of its bytes."""
    digest = store.put(_BODY)

    assert digest == digest_bytes(_BODY)
    assert store.get(digest) == _BODY
    assert (store.has(digest), store.size_bytes(digest)) == (True, len(_BODY))
    assert list(store.list_digests()) == [digest]


def test_file_and_bytes_are_one_object(store: ObjectStore, tmp_path: Path) -> None:
    """The same content as a file and as bytes is stored once."""
    (tmp_path / "body").write_bytes(_BODY)

    assert store.put_file(tmp_path / "body") == store.put(_BODY)
    assert len(list(store.list_digests())) == 1


def test_object_is_materialized(store: ObjectStore, tmp_path: Path) -> None:
    """An object becomes a file, in folders that are made and over a file that is there."""
    digest = store.put(_BODY)
    target = tmp_path / "deep" / "folder" / "file"
    store.materialize(digest, target)
    target.write_bytes(b"old")
    store.materialize(digest, target)

    assert target.read_bytes() == _BODY
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_absent_object_materializes_nothing(store: ObjectStore, tmp_path: Path) -> None:
    """Of an object that is not there no file is made."""
    with pytest.raises(NotFound):
        store.materialize(digest_bytes(b"?"), tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_only_regular_files_are_put(store: ObjectStore, tmp_path: Path) -> None:
    """A folder, a pipe without a writer and a missing file are refused by name, without waiting."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")

    for path in (tmp_path, tmp_path / "pipe", tmp_path / "link"):
        with pytest.raises(InvalidInput, match="not a regular file"):
            store.put_file(path)
    with pytest.raises(NotFound):
        store.put_file(tmp_path / "none")


def test_unknown_address_is_refused() -> None:
    """An address of a kind that is not known is an error and not a folder of that name."""
    with pytest.raises(InvalidSettings, match="s3"):
        open_objects("s3://bucket/prefix")


def test_folder_is_an_address(tmp_path: Path) -> None:
    """A folder is opened, and opened again with what it holds."""
    digest = open_objects(str(tmp_path / "a" / "b")).put(b"x")

    assert open_objects(str(tmp_path / "a" / "b")).get(digest) == b"x"


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body[:1000] + bytes([body[1000] ^ 1]) + body[1001:],
        lambda body: body[:-1],
        lambda body: body + b"\0",
        lambda body: b"",
    ],
    ids=["flipped bit", "torn", "grown", "emptied"],
)
def test_damage_is_found_on_read(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """Bytes that are not what was put are an error, never an answer, and never reach a target file."""
    store = open_objects(str(tmp_path / "objects"))
    digest = store.put(_BODY)
    path = tmp_path / "objects" / digest[:2] / digest[2:]
    path.write_bytes(damage(_BODY))
    target = tmp_path / "out" / "file"

    with pytest.raises(IntegrityError, match=digest):
        store.get(digest)
    with pytest.raises(IntegrityError, match=digest):
        store.materialize(digest, target)
    assert list(target.parent.iterdir()) == []
