"""Outputs and logs in the store: small ones in rows, large ones as objects, rows always after the bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from paddock.kernel.digest import Digest, digest_bytes, parse_digest
from paddock.kernel.errors import IntegrityError
from paddock.objects import ObjectStore
from paddock.pipelines.inputs import StepValue
from paddock.pipelines.recorder import Recorder
from paddock.pipelines.records import CacheEntry, StepRun

# an object costs two disk syncs, a row shares one with other rows
SMALL_BYTES = 16 * 1024


class StepTables(Protocol):
    """The rows that steps read."""

    def find_entries(self, key: str, step: str) -> tuple[CacheEntry | None, CacheEntry | None]: ...

    def find_value(self, digest: str) -> bytes | None:
        """Return a small body, unverified, or None when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class StoredBodies:
    """Bytes by digest, wherever they lie."""

    tables: StepTables
    objects: ObjectStore

    def read_body(self, digest: str) -> bytes:
        """Return the bytes, verified; NotFound or IntegrityError when they are not what was written."""
        body = self.tables.find_value(digest)
        if body is None:
            return self.objects.get(parse_digest(digest))
        if digest_bytes(body) != digest:
            raise IntegrityError(f"value `{digest}` is damaged: the stored bytes have another digest")
        return body


@dataclass(frozen=True, slots=True)
class StoredSteps:
    """The StepStore of one running pipeline."""

    bodies: StoredBodies
    recorder: Recorder

    def find_entries(self, key: str, step: str) -> tuple[CacheEntry | None, CacheEntry | None]:
        return self.bodies.tables.find_entries(key, step)

    def read_body(self, digest: str) -> bytes:
        return self.bodies.read_body(digest)

    def note(self, step: StepRun, *, log: str = "") -> None:
        digest, small = self._put_log(log)
        self.recorder.note(replace(step, log_digest=digest) if digest else step, values=small)

    def keep(self, step: StepRun, value: StepValue, entry: CacheEntry | None, *, log: str = "") -> None:
        digest, small = self._put_log(log)
        if value.digest:
            small = {**small, **self._put(Digest(value.digest), value.body)}
        self.recorder.note(replace(step, log_digest=digest), entry=entry, values=small)

    def _put_log(self, text: str) -> tuple[str, Mapping[str, bytes]]:
        body = text.encode(errors="replace")
        if not body:
            return "", {}
        digest = digest_bytes(body)
        return digest, self._put(digest, body)

    def _put(self, digest: Digest, body: bytes) -> Mapping[str, bytes]:
        if len(body) <= SMALL_BYTES:
            return {digest: body}
        self.bodies.objects.put(body)
        return {}
