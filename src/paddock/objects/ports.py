"""What a place for objects promises; MemoryBackend and FilesystemBackend keep it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from paddock.kernel.digest import Digest


class ObjectBackend(Protocol):
    """Bytes by digest. Writes are all-or-nothing; a reader never sees half an object.

    A write that returned is durable as far as the technology goes. A backend does not verify what it
    reads; ObjectStore does. Reading, sizing or deleting what is not there is NotFound.
    """

    def read(self, digest: Digest) -> bytes:
        """Return the whole object."""
        ...

    def read_chunks(self, digest: Digest) -> Iterator[bytes]:
        """Yield the object piece by piece, in order."""
        ...

    def write(self, digest: Digest, body: bytes) -> None:
        """Store `body`, whose digest the caller has computed; nothing happens when it is there."""
        ...

    def write_file(self, digest: Digest, path: Path) -> None:
        """Store the content of a local file, piece by piece.

        Raises InvalidInput when the bytes read do not have `digest`: the file changed meanwhile.
        """
        ...

    def has(self, digest: Digest) -> bool: ...

    def size_bytes(self, digest: Digest) -> int: ...

    def delete(self, digest: Digest) -> None: ...

    def list_digests(self) -> Iterator[Digest]:
        """Yield what is stored, in rising order."""
        ...
