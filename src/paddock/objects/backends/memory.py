"""Objects in memory, for tests and for throw-away work."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from paddock.kernel.clock import monotonic_s
from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.errors import NotFound, StoreInUse
from paddock.objects.ports import Check, ObjectInfo


@dataclass(frozen=True, slots=True)
class _Kept:
    body: bytes
    since_s: float


class MemoryBackend:
    """A dict behind a lock; gone with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Digest, _Kept] = {}
        self._idle = threading.Condition(self._lock)
        self._holders = 0
        self._is_deleting = False

    def find(self, digest: Digest) -> ObjectInfo | None:
        with self._lock:
            return self._describe(digest) if digest in self._kept else None

    def read_chunks(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        with self._lock:
            kept = self._require(digest)
        yield kept.body[start:stop]

    def write(self, digest: Digest, body: bytes) -> None:
        with self._lock:
            self._kept[digest] = _Kept(bytes(body), monotonic_s())

    def write_chunks(self, chunks: Iterable[bytes], check: Check) -> Digest:
        body = b"".join(chunks)
        digest = digest_bytes(body)
        check(digest, len(body))
        self.write(digest, body)
        return digest

    def renew(self, digest: Digest) -> bool:
        with self._lock:
            kept = self._kept.get(digest)
            if kept is not None:
                self._kept[digest] = _Kept(kept.body, monotonic_s())
            return kept is not None

    def delete(self, digest: Digest, *, min_age_s: float = 0.0) -> bool:
        with self._lock:
            self._require(digest)
            if self._describe(digest).age_s < min_age_s:
                return False
            del self._kept[digest]
            return True

    def list_objects(self) -> Iterator[ObjectInfo]:
        with self._lock:
            found = [self._describe(digest) for digest in sorted(self._kept)]
        yield from found

    @contextmanager
    def hold(self, *, deletes: bool) -> Iterator[None]:
        with self._idle:
            if deletes and (self._holders or self._is_deleting):
                raise StoreInUse("the objects are being backed up or cleaned up", hint="wait for it to end")
            while self._is_deleting:
                self._idle.wait()
            self._is_deleting = deletes
            self._holders += not deletes
        try:
            yield
        finally:
            with self._idle:
                if deletes:
                    self._is_deleting = False
                else:
                    self._holders -= 1
                self._idle.notify_all()

    def _require(self, digest: Digest) -> _Kept:
        if digest not in self._kept:
            raise NotFound(f"there is no object `{digest}`")
        return self._kept[digest]

    def _describe(self, digest: Digest) -> ObjectInfo:
        kept = self._kept[digest]
        return ObjectInfo(digest, len(kept.body), monotonic_s() - kept.since_s)
