"""BLAKE3 content addresses: 64 lower-case hex digits."""

from collections.abc import Iterable
from typing import NewType

from blake3 import blake3

from paddock.kernel.errors import InvalidInput

Digest = NewType("Digest", str)

_HEX = frozenset("0123456789abcdef")


def digest_bytes(body: bytes) -> Digest:
    """Return the BLAKE3 address of `body`.

    >>> digest_bytes(b"")[:16]
    'af1349b9f5f9a1a6'
    """
    return Digest(blake3(body).hexdigest())


def digest_chunks(chunks: Iterable[bytes]) -> Digest:
    """Return the BLAKE3 address of the concatenation of `chunks`.

    >>> digest_chunks([b"a", b"b"]) == digest_bytes(b"ab")
    True
    """
    hasher = blake3()
    for chunk in chunks:
        hasher.update(chunk)
    return Digest(hasher.hexdigest())


def parse_digest(text: str) -> Digest:
    """Return `text` as a Digest, or raise InvalidInput."""
    if len(text) == 64 and _HEX.issuperset(text):
        return Digest(text)
    raise InvalidInput(f"`{text[:80]}` is not a digest; a digest is 64 lower-case hex digits")
