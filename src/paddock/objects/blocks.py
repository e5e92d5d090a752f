"""Digests of an object's blocks, so that a part of it can be verified without reading all of it.

A list is made from the object alone and may be lost: it is made again by reading the object once.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from blake3 import blake3

from paddock.kernel.digest import Digest, parse_digest
from paddock.kernel.errors import IntegrityError
from paddock.objects.files import make_folder, read_chunks, write_atomically

BLOCK_BYTES = 1 << 20

_MAGIC = b"paddock.blocks.1"
_DIGEST_BYTES = 32


class BlockLists(Protocol):
    """Where block lists lie, by the digest of their object."""

    def find(self, digest: Digest) -> bytes:
        """Return the encoded list, empty when there is none."""
        ...

    def keep(self, digest: Digest, body: bytes) -> None: ...

    def forget(self, digest: Digest) -> None:
        """Drop a list; nothing happens when there is none."""
        ...


class FileBlockLists:
    """Lists at `<root>/ab/cdef...`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, digest: Digest) -> bytes:
        path = self._path(digest)
        return b"".join(read_chunks(path, follow_links=False)) if path.is_file() else b""

    def keep(self, digest: Digest, body: bytes) -> None:
        path = self._path(digest)
        make_folder(path.parent)
        write_atomically(path, (body,))

    def forget(self, digest: Digest) -> None:
        self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: Digest) -> Path:
        text = parse_digest(digest)
        return self._root / text[:2] / text[2:]


class MemoryBlockLists:
    def __init__(self) -> None:
        self._bodies: dict[Digest, bytes] = {}

    def find(self, digest: Digest) -> bytes:
        return self._bodies.get(digest, b"")

    def keep(self, digest: Digest, body: bytes) -> None:
        self._bodies[digest] = body

    def forget(self, digest: Digest) -> None:
        self._bodies.pop(digest, None)


class BlockHasher:
    """The digests of the blocks of a stream, whatever the pieces it comes in."""

    def __init__(self) -> None:
        self._digests = bytearray()
        self._hasher = blake3()
        self._room = BLOCK_BYTES

    def update(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            part = view[: self._room]
            self._hasher.update(part)
            self._room -= len(part)
            view = view[len(part) :]
            if not self._room:
                self._end_block()

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield `chunks` as they are, and take them in."""
        for chunk in chunks:
            self.update(chunk)
            yield chunk

    def finish(self) -> bytes:
        """Return the encoded list."""
        if self._room < BLOCK_BYTES:
            self._end_block()
        return encode_blocks(bytes(self._digests))

    def _end_block(self) -> None:
        self._digests += self._hasher.digest()
        self._hasher = blake3()
        self._room = BLOCK_BYTES


def encode_blocks(digests: bytes) -> bytes:
    """Return a list as it is stored: a mark, the digest of the rest, 32 bytes for each block.

    >>> decode_blocks(encode_blocks(bytes(64)), 1_500_000) == bytes(64)
    True
    """
    return _MAGIC + blake3(digests).digest() + digests


def decode_blocks(body: bytes, size_bytes: int) -> bytes:
    """Return the digests of a stored list, empty when it is damaged or not of an object of that size.

    >>> decode_blocks(encode_blocks(bytes(64)), 5_000_000)
    b''
    """
    head = len(_MAGIC) + _DIGEST_BYTES
    digests = body[head:]
    is_whole = body[:head] == _MAGIC + blake3(digests).digest()
    return digests if is_whole and len(digests) == _DIGEST_BYTES * -(-size_bytes // BLOCK_BYTES) else b""


def take_verified(
    digest: Digest, chunks: Iterable[bytes], digests: bytes, start: int, stop: int
) -> Iterator[bytes]:
    """Yield the bytes from `start` up to `stop` of the object `digest`; IntegrityError at a damaged block.

    chunks: the object from the beginning of the block of `start` to the end of that of `stop`.
    """
    number = start // BLOCK_BYTES
    for block in _cut_blocks(chunks):
        begin = number * BLOCK_BYTES
        wanted = digests[number * _DIGEST_BYTES : (number + 1) * _DIGEST_BYTES]
        if blake3(block).digest() != wanted:
            raise damaged(digest)
        yield block[max(start - begin, 0) : stop - begin]
        number += 1


def damaged(digest: Digest) -> IntegrityError:
    """Return the error of an object that is not what was put."""
    return IntegrityError(
        f"object `{digest}` is damaged: the stored bytes have another digest", digest=digest
    )


def _cut_blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= BLOCK_BYTES:
            yield bytes(waiting[:BLOCK_BYTES])
            del waiting[:BLOCK_BYTES]
    if waiting:
        yield bytes(waiting)
