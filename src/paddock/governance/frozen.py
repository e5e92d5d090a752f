"""Rows as of one moment, for services that would read them at several."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NoReturn, TypeVar

from paddock.metadata import Event, LedgerVerdict, Metadata, Reader, StoreLoad

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FrozenMetadata:
    """A Metadata for reading only, over one snapshot. The ledger is the source's: it only grows."""

    reader: Reader
    source: Metadata

    def read(self, query: Callable[[Reader], T]) -> T:
        return query(self.reader)

    def events(
        self, project_id: str, *, after: int = 0, kind: str = "", subject: str = "", limit: int = 1000
    ) -> tuple[Event, ...]:
        return self.source.events(project_id, after=after, kind=kind, subject=subject, limit=limit)

    def latest_events(
        self, project_id: str, *, kind: str = "", subject: str = "", limit: int = 100
    ) -> tuple[Event, ...]:
        return self.source.latest_events(project_id, kind=kind, subject=subject, limit=limit)

    def verify_ledger(self) -> LedgerVerdict:
        return self.source.verify_ledger()

    def size_bytes(self) -> int:
        return self.source.size_bytes()

    def load(self) -> StoreLoad:
        return self.source.load()

    def write(self, *_: object, **__: object) -> NoReturn:
        raise RuntimeError("a snapshot is read, not written")

    def backup(self, _: Path) -> NoReturn:
        raise RuntimeError("a snapshot is not backed up; its source is")

    def purge_idempotency_keys(self, _: datetime) -> NoReturn:
        raise RuntimeError("a snapshot is read, not written")

    def close(self) -> None:
        """Leave the snapshot to whoever has opened it."""
