"""Put and get by digest, verified on the way out."""

from collections.abc import Iterator
from pathlib import Path

from blake3 import blake3

from paddock.kernel.digest import Digest, digest_bytes, digest_chunks
from paddock.kernel.errors import IntegrityError, InvalidSettings
from paddock.objects.backends.filesystem import FilesystemBackend
from paddock.objects.backends.memory import MemoryBackend
from paddock.objects.files import make_folder, read_chunks, write_atomically
from paddock.objects.ports import ObjectBackend


class ObjectStore:
    """Content-addressed objects over a backend. Safe to share between threads.

    `put` and `put_file` return when the object is durable, so that a row may then refer to it; the other
    order could leave a row that points nowhere.
    """

    def __init__(self, backend: ObjectBackend) -> None:
        self._backend = backend

    def put(self, body: bytes) -> Digest:
        """Store `body` and return its address. The same bytes twice are one object."""
        digest = digest_bytes(body)
        self._backend.write(digest, body)
        return digest

    def put_file(self, path: Path) -> Digest:
        """Store the content of a regular file in pieces; it is never whole in memory.

        InvalidInput when it is no regular file or changes meanwhile, NotFound when there is none.
        """
        digest = digest_chunks(read_chunks(path, follow_links=True))
        self._backend.write_file(digest, path)
        return digest

    def get(self, digest: Digest) -> bytes:
        """Return an object. IntegrityError when the stored bytes are not those that were put."""
        body = self._backend.read(digest)
        if digest_bytes(body) != digest:
            raise _damaged(digest)
        return body

    def materialize(self, digest: Digest, path: Path) -> None:
        """Write an object to the file `path`, verified, all or nothing; an existing file is replaced."""
        make_folder(path.parent)
        write_atomically(path, self._verified(digest))

    def has(self, digest: Digest) -> bool:
        return self._backend.has(digest)

    def size_bytes(self, digest: Digest) -> int:
        """Return the size of an object, or raise NotFound."""
        return self._backend.size_bytes(digest)

    def list_digests(self) -> Iterator[Digest]:
        """Yield the address of every object, in rising order."""
        return self._backend.list_digests()

    def _verified(self, digest: Digest) -> Iterator[bytes]:
        """Yield an object's chunks, then raise IntegrityError if they were not what was put."""
        hasher = blake3()
        for chunk in self._backend.read_chunks(digest):
            hasher.update(chunk)
            yield chunk
        if hasher.hexdigest() != digest:
            raise _damaged(digest)


def open_objects(url: str) -> ObjectStore:
    """Return the object store at `url`: a folder, made if missing, or `memory:`.

    >>> open_objects("memory:").put(b"")[:8]
    'af1349b9'
    """
    if url == "memory:":
        return ObjectStore(MemoryBackend())
    scheme, colon, _ = url.partition("://")
    if colon:
        raise InvalidSettings(f"objects cannot be kept at `{scheme}://`; use a folder")
    return ObjectStore(FilesystemBackend(Path(url)))


def _damaged(digest: Digest) -> IntegrityError:
    return IntegrityError(
        f"object `{digest}` is damaged: the stored bytes have another digest", digest=digest
    )
