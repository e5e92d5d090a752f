"""The conformance kit of the port ObjectBackend."""

from pathlib import Path

import pytest

from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.errors import InvalidInput, NotFound
from paddock.objects import ObjectBackend

_BODY = b"the quick brown fox" * 1000
_DIGEST = digest_bytes(_BODY)


class ObjectBackendConformance:
    """Every adapter of ObjectBackend passes this class.

    A subclass provides the fixture `backend`: an empty ObjectBackend, another one for each test.
    """

    def test_written_object_is_read(self, backend: ObjectBackend) -> None:
        """What was written comes back, whole and in pieces, with its size."""
        backend.write(_DIGEST, _BODY)

        assert backend.read(_DIGEST) == _BODY
        assert b"".join(backend.read_chunks(_DIGEST)) == _BODY
        assert backend.size_bytes(_DIGEST) == len(_BODY)
        assert backend.has(_DIGEST)

    def test_empty_object_is_an_object(self, backend: ObjectBackend) -> None:
        """Nothing at all can be stored."""
        digest = digest_bytes(b"")
        backend.write(digest, b"")

        assert backend.read(digest) == b""
        assert backend.size_bytes(digest) == 0

    def test_same_object_twice_is_one(self, backend: ObjectBackend) -> None:
        """Writing what is there already changes nothing."""
        backend.write(_DIGEST, _BODY)
        backend.write(_DIGEST, _BODY)

        assert list(backend.list_digests()) == [_DIGEST]

    def test_absent_object_is_not_found(self, backend: ObjectBackend) -> None:
        """Whatever is asked of an object that is not there is NotFound; only `has` says no."""
        assert not backend.has(_DIGEST)
        for ask in (backend.read, backend.size_bytes, backend.delete, lambda d: list(backend.read_chunks(d))):
            with pytest.raises(NotFound, match=_DIGEST):
                ask(_DIGEST)

    def test_file_is_stored(self, backend: ObjectBackend, tmp_path: Path) -> None:
        """The content of a file larger than one piece is stored as an object."""
        body = bytes(range(256)) * 10_000
        path = tmp_path / "body"
        path.write_bytes(body)

        backend.write_file(digest_bytes(body), path)
        assert backend.read(digest_bytes(body)) == body

    def test_changed_file_is_refused(self, backend: ObjectBackend, tmp_path: Path) -> None:
        """A file that no longer has the digest it was announced with leaves nothing behind."""
        path = tmp_path / "body"
        path.write_bytes(b"other bytes")

        with pytest.raises(InvalidInput, match="changed"):
            backend.write_file(_DIGEST, path)
        assert list(backend.list_digests()) == []

    def test_deleted_object_is_gone(self, backend: ObjectBackend) -> None:
        """A deleted object is not found and not listed; it can be written again."""
        backend.write(_DIGEST, _BODY)
        backend.delete(_DIGEST)
        assert not backend.has(_DIGEST)
        assert list(backend.list_digests()) == []

        backend.write(_DIGEST, _BODY)
        assert backend.read(_DIGEST) == _BODY

    def test_digests_are_listed_in_order(self, backend: ObjectBackend) -> None:
        """Every object is listed once, in rising order."""
        digests = {digest_bytes(b"%d" % number) for number in range(300)}
        for number in range(300):
            backend.write(digest_bytes(b"%d" % number), b"%d" % number)

        assert list(backend.list_digests()) == sorted(digests)

    @pytest.mark.parametrize("text", ["../../etc/passwd", "ab", "A" * 64, "/" * 64, "a" * 63 + "\n"])
    def test_only_a_digest_names_an_object(self, backend: ObjectBackend, text: str) -> None:
        """Text that is no digest never reaches the place where objects lie."""
        with pytest.raises((InvalidInput, NotFound)):
            backend.read(Digest(text))
