"""Put, get, verify."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import integers

from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import (
    DigestMismatch,
    IntegrityError,
    InvalidInput,
    InvalidSettings,
    LimitExceeded,
    NotFound,
)
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


def test_stream_is_stored(store: ObjectStore) -> None:
    """Pieces of any size are one object, the same as their bytes."""
    pieces = (_BODY[:1], b"", _BODY[1:2_000_000], _BODY[2_000_000:])

    found = store.put_stream(pieces, digest=digest_bytes(_BODY))
    assert (found.digest, found.size_bytes) == (digest_bytes(_BODY), len(_BODY))
    assert store.get(found.digest) == _BODY
    assert list(store.list_digests()) == [store.put(_BODY)]


def test_stream_beyond_its_limit_is_not_stored(store: ObjectStore) -> None:
    """A stream is cut at the first byte too many; one byte fewer is taken."""
    taken: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield bytes(100)

    with pytest.raises(LimitExceeded, match="more than 999 bytes"):
        store.put_stream(endless(), most_bytes=999)
    assert len(taken) == 10
    assert list(store.list_digests()) == []
    assert store.put_stream((bytes(999),), most_bytes=999).size_bytes == 999


def test_bytes_of_another_digest_are_not_stored(store: ObjectStore, tmp_path: Path) -> None:
    """What was announced with a digest is stored with that one or not at all."""
    (tmp_path / "body").write_bytes(_BODY)

    with pytest.raises(DigestMismatch, match="nothing was stored"):
        store.put_stream((_BODY,), digest=digest_bytes(b"other"))
    with pytest.raises(DigestMismatch, match="nothing was stored"):
        store.put_file(tmp_path / "body", digest=digest_bytes(b"other"))
    assert list(store.list_digests()) == []


def test_file_that_changes_is_not_stored(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is another one when it is copied than when it was hashed leaves nothing behind."""
    (tmp_path / "body").write_bytes(b"one")
    monkeypatch.setattr(store, "_holds", lambda _: (tmp_path / "body").write_bytes(b"two") < 0)

    with pytest.raises(InvalidInput, match="was changed"):
        store.put_file(tmp_path / "body")
    assert list(store.list_digests()) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(start=integers(0, len(_BODY) + 5), length=integers(0, len(_BODY) + 5))
def test_every_part_is_read(store: ObjectStore, start: int, length: int) -> None:
    """From any place to any other one come exactly those bytes."""
    digest = store.put(_BODY)

    assert b"".join(store.read(digest, start, start + length)) == _BODY[start : start + length]


def test_damaged_part_is_not_answered(tmp_path: Path) -> None:
    """A flipped bit fails the parts that touch its block, and no others."""
    store = open_objects(str(tmp_path))
    digest = store.put_stream((_BODY + _BODY,))
    path = tmp_path / digest.digest[:2] / digest.digest[2:]
    body = bytearray(path.read_bytes())
    body[3_000_000] ^= 1
    path.write_bytes(body)

    assert b"".join(store.read(digest.digest, 0, 2_000_000)) == (_BODY + _BODY)[:2_000_000]
    with pytest.raises(IntegrityError):
        list(store.read(digest.digest, 2_500_000, 2_500_010))
    with pytest.raises(IntegrityError):
        list(store.read(digest.digest))


def test_last_piece_waits_for_the_verdict(tmp_path: Path) -> None:
    """Of a damaged object never all bytes are handed out, so that nobody takes them for the whole."""
    store = open_objects(str(tmp_path))
    digest = store.put(_BODY)
    path = tmp_path / digest[:2] / digest[2:]
    path.write_bytes(b"!" + _BODY[1:])
    received = bytearray()

    with pytest.raises(IntegrityError):
        any(received.extend(chunk) for chunk in store.read(digest))
    assert 0 < len(received) < len(_BODY)


def test_damage_before_the_list_of_blocks_is_found(tmp_path: Path) -> None:
    """An object without a list is read whole before a part of it is answered, and the list is kept."""
    store = open_objects(str(tmp_path))
    sound, damaged = store.put(_BODY), store.put(_BODY[:-1])
    path = tmp_path / damaged[:2] / damaged[2:]
    path.write_bytes(_BODY[:-2] + b"!")

    assert b"".join(store.read(sound, 5, 10)) == _BODY[5:10]
    assert (tmp_path / "blocks" / sound[:2] / sound[2:]).is_file()
    with pytest.raises(IntegrityError):
        list(store.read(damaged, 5, 10))


@pytest.mark.parametrize("damage", [b"", b"paddock.blocks.1", b"x" * 500], ids=["empty", "torn", "other"])
def test_damaged_list_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    """A list of blocks that is not what was written is no evidence against its object."""
    store = open_objects(str(tmp_path))
    digest = store.put_stream((_BODY + _BODY,)).digest
    path = tmp_path / "blocks" / digest[:2] / digest[2:]
    path.write_bytes(damage)

    assert b"".join(store.read(digest, 5, 10)) == _BODY[5:10]
    assert len(path.read_bytes()) > 300


def test_list_goes_with_its_object(tmp_path: Path) -> None:
    """Nothing of a deleted object stays."""
    store = open_objects(str(tmp_path))
    digest = store.put_stream((_BODY + _BODY,)).digest

    store.delete(digest)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.name[0] != "."] == []


def test_absent_part_is_not_found(store: ObjectStore) -> None:
    """A part of what is not there is NotFound at once, not at the first piece."""
    with pytest.raises(NotFound):
        store.read(digest_bytes(b"?"), 0, 5)
