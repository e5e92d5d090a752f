"""What a metadata store promises; SqliteMetadata and PostgresMetadata keep it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeVar

from paddock.metadata.records import Event, LedgerVerdict, NewEvent, Once, Row, SqlValue, StoreLoad

T = TypeVar("T")

NO_PARAMS: Mapping[str, SqlValue] = MappingProxyType({})


class Reader(Protocol):
    """Portable SQL over one snapshot: upper-case keywords, `:name` parameters."""

    def fetch_all(self, sql: str, params: Mapping[str, SqlValue] = NO_PARAMS) -> list[Row]:
        """Return every row, by column name."""
        ...

    def fetch_one(self, sql: str, params: Mapping[str, SqlValue] = NO_PARAMS) -> Row | None:
        """Return the first row, or None when there is none."""
        ...


class Transaction(Reader, Protocol):
    """A change in the making; it sees its own writes and nobody else's unfinished ones.

    An error of a statement ends the change: let it through, look before you insert instead.
    Raises AlreadyExists for a unique constraint, Conflict for a foreign key or the append-only
    ledger, InvalidInput for NULL or a value a CHECK refuses, and for parameters that the two engines
    would store differently: NaN, whole numbers beyond 64 bits, text with NUL or lone surrogates.
    """

    def execute(self, sql: str, params: Mapping[str, SqlValue] = NO_PARAMS) -> int:
        """Run one INSERT, UPDATE or DELETE and return how many rows it changed."""
        ...

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, SqlValue]]) -> None:
        """Run an `INSERT ... VALUES (...)` for each of `rows`, no two of which may meet in one stored row."""
        ...

    def append_event(self, event: NewEvent) -> None:
        """Add `event` to the ledger; it is there if and only if this change is committed."""
        ...


class Metadata(Protocol):
    """A durable store of rows and of the event ledger, safe to share between threads.

    Every write that returned is on disk and survives `kill -9` and power loss. Writes are
    serializable: each one acts as if no other ran beside it. Open it after a fork, never before.
    """

    def write(self, change: Callable[[Transaction], T], *, once: Once[T] | None = None) -> T:
        """Run `change` in a transaction and return its result after COMMIT.

        change: may run twice and in another thread, so it does no I/O, reads no clock and calls
        neither `write` nor `read`. Whatever it raises is raised here, and nothing of it is stored.
        once: a second write with its key returns the first one's result without running `change`.
        Raises QueueFull, StorageFull or Unavailable when the store cannot take it now,
        IdempotencyConflict when the key was used for something else.
        """
        ...

    def read(self, query: Callable[[Reader], T]) -> T:
        """Return `query` run over one consistent snapshot; it returns values, not iterators."""
        ...

    def events(
        self, project_id: str, *, after: int = 0, kind: str = "", subject: str = "", limit: int = 1000
    ) -> tuple[Event, ...]:
        """Return sealed events after position `after`, oldest first.

        kind: a prefix, such as `model.`; subject: exact; empty means all.
        """
        ...

    def latest_events(
        self, project_id: str, *, kind: str = "", subject: str = "", limit: int = 100
    ) -> tuple[Event, ...]:
        """Return the newest sealed events, newest first; filters as in `events`."""
        ...

    def verify_ledger(self) -> LedgerVerdict:
        """Recompute the whole hash chain; a broken chain is an answer, not an error."""
        ...

    def backup(self, target: Path) -> None:
        """Write a consistent snapshot to the new file `target`, readable by `restore_metadata`.

        Writes go on meanwhile. AlreadyExists when there is a file; an error leaves none behind.
        """
        ...

    def size_bytes(self) -> int:
        """Return the bytes the store takes."""
        ...

    def purge_idempotency_keys(self, before: datetime) -> int:
        """Forget keys first used before that time, oldest first, and return how many.

        A write with such a key is a new one from then on. Done in small transactions, so that other writes
        go on, and for at most 50,000 keys in one call.
        """
        ...

    def load(self) -> StoreLoad:
        """Return how many calls of this process wait for the store; it never waits itself."""
        ...

    def close(self) -> None:
        """Finish the writes that wait, then let go of everything; a second call does nothing."""
        ...
