"""The conformance kit of the port ObjectBackend."""

from collections.abc import Iterator

import pytest

from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.errors import InvalidInput, NotFound, StoreInUse
from paddock.objects import ObjectBackend

_BODY = b"the quick brown fox" * 1000
_DIGEST = digest_bytes(_BODY)
_HOUR_S = 3600.0


class ObjectBackendConformance:
    """Every adapter of ObjectBackend passes this class.

    A subclass provides the fixture `backend`: an empty ObjectBackend, another one for each test.
    """

    def test_written_object_is_read(self, backend: ObjectBackend) -> None:
        """What was written comes back, with its size, and is young."""
        backend.write(_DIGEST, _BODY)

        found = backend.find(_DIGEST)
        assert b"".join(backend.read_chunks(_DIGEST)) == _BODY
        assert found is not None
        assert (found.digest, found.size_bytes) == (_DIGEST, len(_BODY))
        assert 0 <= found.age_s < _HOUR_S

    def test_empty_object_is_an_object(self, backend: ObjectBackend) -> None:
        """Nothing at all can be stored."""
        digest = digest_bytes(b"")
        backend.write(digest, b"")

        assert b"".join(backend.read_chunks(digest)) == b""
        assert [found.size_bytes for found in backend.list_objects()] == [0]

    @pytest.mark.parametrize(("start", "stop"), [(0, 5), (4, 9), (18_990, 19_000), (0, 19_000), (7, 7)])
    def test_part_of_an_object_is_read(self, backend: ObjectBackend, start: int, stop: int) -> None:
        """From a place up to another one, nothing more and nothing less."""
        backend.write(_DIGEST, _BODY)

        assert b"".join(backend.read_chunks(_DIGEST, start, stop)) == _BODY[start:stop]

    def test_same_object_twice_is_one(self, backend: ObjectBackend) -> None:
        """The same bytes, written as a whole and in pieces, are one object."""
        backend.write(_DIGEST, _BODY)

        assert backend.write_chunks((_BODY[:7], b"", _BODY[7:]), _take_all) == _DIGEST
        assert [found.digest for found in backend.list_objects()] == [_DIGEST]

    def test_absent_object_is_not_found(self, backend: ObjectBackend) -> None:
        """Reading and deleting what is not there is NotFound; finding and renewing it says no."""
        assert backend.find(_DIGEST) is None
        assert not backend.renew(_DIGEST)
        for ask in (backend.delete, lambda digest: list(backend.read_chunks(digest))):
            with pytest.raises(NotFound, match=_DIGEST):
                ask(_DIGEST)

    def test_stream_is_checked_before_it_gets_a_name(self, backend: ObjectBackend) -> None:
        """The check is told digest and size; when it refuses, or the source breaks off, nothing stays."""
        told: list[tuple[Digest, int]] = []

        def refuse(digest: Digest, size: int) -> None:
            told.append((digest, size))
            raise InvalidInput("other bytes were announced")

        with pytest.raises(InvalidInput, match="announced"):
            backend.write_chunks((_BODY[:100], _BODY[100:]), refuse)
        with pytest.raises(EOFError):
            backend.write_chunks(_break_off(), _take_all)
        assert told == [(_DIGEST, len(_BODY))]
        assert list(backend.list_objects()) == []

    def test_deleted_object_is_gone(self, backend: ObjectBackend) -> None:
        """A deleted object is not found and not listed; it can be written again."""
        backend.write(_DIGEST, _BODY)

        assert backend.delete(_DIGEST)
        assert backend.find(_DIGEST) is None
        assert list(backend.list_objects()) == []
        backend.write(_DIGEST, _BODY)
        assert b"".join(backend.read_chunks(_DIGEST)) == _BODY

    def test_young_object_is_kept(self, backend: ObjectBackend) -> None:
        """An object that was written or renewed within the least age is not deleted."""
        backend.write(_DIGEST, _BODY)
        assert not backend.delete(_DIGEST, min_age_s=_HOUR_S)

        assert backend.renew(_DIGEST)
        assert not backend.delete(_DIGEST, min_age_s=_HOUR_S)
        assert b"".join(backend.read_chunks(_DIGEST)) == _BODY

    def test_objects_are_listed_in_order(self, backend: ObjectBackend) -> None:
        """Every object is listed once, by rising digest, with its size."""
        bodies = {digest_bytes(b"%d" % number): b"%d" % number for number in range(300)}
        for digest, body in bodies.items():
            backend.write(digest, body)

        found = [(each.digest, each.size_bytes) for each in backend.list_objects()]
        assert found == [(digest, len(bodies[digest])) for digest in sorted(bodies)]

    def test_who_holds_keeps_others_from_deleting(self, backend: ObjectBackend) -> None:
        """Several may hold at a time; deleting is refused meanwhile, and to a second one that deletes."""
        with backend.hold(deletes=False), backend.hold(deletes=False), pytest.raises(StoreInUse):
            backend.hold(deletes=True).__enter__()
        with backend.hold(deletes=True), pytest.raises(StoreInUse):
            backend.hold(deletes=True).__enter__()
        with backend.hold(deletes=True):
            backend.write(_DIGEST, _BODY)  # who writes does not hold

    @pytest.mark.parametrize("text", ["../../etc/passwd", "ab", "A" * 64, "/" * 64, "a" * 63 + "\n"])
    def test_only_a_digest_names_an_object(self, backend: ObjectBackend, text: str) -> None:
        """Text that is no digest never reaches the place where objects lie."""
        with pytest.raises((InvalidInput, NotFound)):
            list(backend.read_chunks(Digest(text)))


def _take_all(_digest: Digest, _size: int) -> None:
    """Refuse nothing."""


def _break_off() -> Iterator[bytes]:
    yield b"a piece"
    raise EOFError
