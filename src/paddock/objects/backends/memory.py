"""Objects in memory, for tests and for throw-away work."""

import threading
from collections.abc import Iterator
from pathlib import Path

from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.errors import InvalidInput, NotFound


class MemoryBackend:
    """A dict behind a lock; gone with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bodies: dict[Digest, bytes] = {}

    def read(self, digest: Digest) -> bytes:
        with self._lock:
            if digest not in self._bodies:
                raise NotFound(f"there is no object `{digest}`")
            return self._bodies[digest]

    def read_chunks(self, digest: Digest) -> Iterator[bytes]:
        yield self.read(digest)

    def write(self, digest: Digest, body: bytes) -> None:
        with self._lock:
            self._bodies.setdefault(digest, bytes(body))

    def write_file(self, digest: Digest, path: Path) -> None:
        body = path.read_bytes()
        if digest_bytes(body) != digest:
            raise InvalidInput(f"`{path}` was changed while it was being stored")
        self.write(digest, body)

    def has(self, digest: Digest) -> bool:
        with self._lock:
            return digest in self._bodies

    def size_bytes(self, digest: Digest) -> int:
        return len(self.read(digest))

    def delete(self, digest: Digest) -> None:
        with self._lock:
            if self._bodies.pop(digest, None) is None:
                raise NotFound(f"there is no object `{digest}`")

    def list_digests(self) -> Iterator[Digest]:
        with self._lock:
            digests = sorted(self._bodies)
        yield from digests
