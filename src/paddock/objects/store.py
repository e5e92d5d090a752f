"""Put and get by digest, verified on the way out."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from blake3 import blake3

from paddock.kernel.digest import Digest, digest_bytes, digest_chunks
from paddock.kernel.errors import (
    DigestMismatch,
    InvalidInput,
    InvalidSettings,
    LimitExceeded,
    NotFound,
    StorageFull,
)
from paddock.objects.backends.filesystem import FilesystemBackend
from paddock.objects.backends.memory import MemoryBackend
from paddock.objects.blocks import (
    BLOCK_BYTES,
    BlockHasher,
    BlockLists,
    FileBlockLists,
    MemoryBlockLists,
    damaged,
    decode_blocks,
    take_verified,
)
from paddock.objects.files import make_folder, read_chunks, write_atomically
from paddock.objects.ports import ObjectBackend, ObjectInfo

# smaller objects are read once when a part of them is asked for the first time
_LISTED_BYTES = 8 * BLOCK_BYTES
_STRIPES = 16


class ObjectStore:
    """Content-addressed objects over a backend. Safe to share between threads.

    `put`, `put_file` and `put_stream` return when the object is durable and young, so that a row may then
    refer to it; the other order could leave a row that points nowhere. Who finds an object by `has` and wants
    to refer to it calls `renew` first: an old object that nobody refers to may be deleted at any time.
    """

    def __init__(self, backend: ObjectBackend, blocks: BlockLists | None = None) -> None:
        self._backend = backend
        self._blocks = blocks or MemoryBlockLists()
        # one reader lists the blocks of an object, others of the same object wait for the list
        self._listing = tuple(threading.Lock() for _ in range(_STRIPES))

    def put(self, body: bytes, *, digest: str = "") -> Digest:
        """Store `body` and return its address. The same bytes twice are one object.

        digest: what the bytes must have, DigestMismatch otherwise.
        """
        found = digest_bytes(body)
        _check_declared(found, digest)
        if not self._holds(found):
            self._backend.write(found, body)
        return found

    def put_file(self, path: Path, *, digest: str = "") -> Digest:
        """Store the content of a regular file in pieces; it is never whole in memory.

        digest: what the bytes must have, DigestMismatch otherwise. InvalidInput when it is no regular file or
        changes meanwhile, NotFound when there is none.
        """
        blocks = BlockHasher()
        found = digest_chunks(blocks.watch(read_chunks(path, follow_links=True)))
        _check_declared(found, digest)
        if not self._holds(found):

            def check(stored: Digest, _: int) -> None:
                if stored != found:
                    raise InvalidInput(f"`{path}` was changed while it was being stored")

            self._backend.write_chunks(read_chunks(path, follow_links=True), check)
            self._keep_blocks(found, blocks, path.stat().st_size)
        return found

    def put_stream(
        self, chunks: Iterable[bytes], *, most_bytes: int | None = None, digest: str = ""
    ) -> ObjectInfo:
        """Store what `chunks` yield; it is never whole in memory.

        Raises LimitExceeded beyond `most_bytes`, DigestMismatch when the bytes do not have `digest`, and what
        `chunks` raise; then nothing is stored.
        """
        blocks = BlockHasher()
        size = 0

        def check(found: Digest, received: int) -> None:
            nonlocal size
            size = received
            _check_declared(found, digest)

        source = blocks.watch(chunks if most_bytes is None else _bounded(chunks, most_bytes))
        stored = self._backend.write_chunks(source, check)
        self._keep_blocks(stored, blocks, size)
        return ObjectInfo(stored, size, 0.0)

    def get(self, digest: Digest) -> bytes:
        """Return an object. IntegrityError when the stored bytes are not those that were put."""
        body = b"".join(self._backend.read_chunks(digest))
        if digest_bytes(body) != digest:
            raise damaged(digest)
        return body

    def read(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield an object, or its bytes from `start` up to `stop`, verified.

        Of a whole object the last piece comes only when all of it was what was put, else IntegrityError. Of a
        part each block of 1 MiB that it touches is compared with a list of their digests; where there is no
        list the object is read once to make it.
        """
        size = self.size_bytes(digest)
        end = size if stop is None else min(stop, size)
        if start == 0 and end == size:
            return self._read_whole(digest)
        return self._read_part(digest, start, end, size)

    def materialize(self, digest: Digest, path: Path) -> None:
        """Write an object to the file `path`, verified, all or nothing; an existing file is replaced."""
        make_folder(path.parent)
        write_atomically(path, self._read_whole(digest))

    def has(self, digest: Digest) -> bool:
        return self._backend.find(digest) is not None

    def renew(self, digest: Digest) -> bool:
        """Keep an object from being deleted for its age, as if it were put now; False when there is none."""
        return self._backend.renew(digest)

    def size_bytes(self, digest: Digest) -> int:
        """Return the size of an object, or raise NotFound."""
        found = self._backend.find(digest)
        if found is None:
            raise NotFound(f"there is no object `{digest}`")
        return found.size_bytes

    def list_digests(self) -> Iterator[Digest]:
        """Yield the address of every object, in rising order."""
        return (found.digest for found in self._backend.list_objects())

    def list_objects(self) -> Iterator[ObjectInfo]:
        """Yield every object with its size and age, by rising digest."""
        return self._backend.list_objects()

    def delete(self, digest: Digest, *, min_age_s: float = 0.0) -> bool:
        """Delete an object that no row refers to, inside of `hold(deletes=True)`.

        False when it is younger than `min_age_s` at this moment: somebody has just put it again.
        """
        if not self._backend.delete(digest, min_age_s=min_age_s):
            return False
        self._blocks.forget(digest)
        return True

    def hold(self, *, deletes: bool = False) -> AbstractContextManager[None]:
        """Let nobody delete an object while the block runs; with `deletes`, be the one that does.

        StoreInUse with `deletes` while others hold; without it this waits for the one that deletes.
        """
        return self._backend.hold(deletes=deletes)

    def _holds(self, digest: Digest) -> bool:
        """Tell whether an object is there and whole, and make it young; a damaged one is written anew."""
        return self._backend.renew(digest) and digest_chunks(self._backend.read_chunks(digest)) == digest

    def _read_whole(self, digest: Digest) -> Iterator[bytes]:
        hasher = blake3()
        held = b""
        for chunk in self._backend.read_chunks(digest):
            hasher.update(chunk)
            if held:
                yield held
            held = chunk
        if hasher.hexdigest() != digest:
            raise damaged(digest)
        yield held

    def _read_part(self, digest: Digest, start: int, stop: int, size: int) -> Iterator[bytes]:
        if start >= stop:
            return
        digests = self._list_blocks(digest, size)
        first = start - start % BLOCK_BYTES
        end = min(stop + -stop % BLOCK_BYTES, size)
        chunks = self._backend.read_chunks(digest, first, end)
        yield from take_verified(digest, chunks, digests, start, stop)

    def _list_blocks(self, digest: Digest, size: int) -> bytes:
        with self._listing[int(digest[0], 16) % _STRIPES]:
            digests = decode_blocks(self._blocks.find(digest), size)
            if digests:
                return digests
            blocks = BlockHasher()
            if digest_chunks(blocks.watch(self._backend.read_chunks(digest))) != digest:
                raise damaged(digest)
            body = blocks.finish()
            with suppress(StorageFull, OSError):  # reading goes on where nothing can be written
                self._blocks.keep(digest, body)
            return decode_blocks(body, size)

    def _keep_blocks(self, digest: Digest, blocks: BlockHasher, size: int) -> None:
        if size >= _LISTED_BYTES:
            with suppress(StorageFull):  # the object itself is stored, its list can be made again
                self._blocks.keep(digest, blocks.finish())


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
    return ObjectStore(FilesystemBackend(Path(url)), FileBlockLists(Path(url) / "blocks"))


def _bounded(chunks: Iterable[bytes], most_bytes: int) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most_bytes:
            raise LimitExceeded(f"more than {most_bytes:,} bytes arrived; nothing was stored")
        yield chunk


def _check_declared(found: Digest, declared: str) -> None:
    if declared and found != declared:
        raise DigestMismatch(
            f"the bytes have the digest `{found}`, not `{declared[:80]}`; nothing was stored", digest=found
        )
