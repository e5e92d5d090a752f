"""What goes into the metadata store and what comes out of it, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeAlias, TypeVar

from paddock.kernel.ids import EventId
from paddock.kernel.refs import ProjectId

T = TypeVar("T")

SqlValue: TypeAlias = int | float | str | bytes | None
Row: TypeAlias = Mapping[str, SqlValue]
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that happened, to be appended to the ledger in the transaction that made it happen.

    kind: dotted, the noun first (`model.promoted`); subject: what it happened to (`model:delay`).
    data: finite numbers only; personal data enters by digest, because an event is never erased.
    """

    project_id: ProjectId
    principal: str
    kind: str
    subject: str
    event_time: datetime
    data: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Event:
    """A sealed event: its place in the ledger and its link of the hash chain.

    position: 1, 2, 3 ... without gaps over all projects. received_at: when the store took it,
    by the store's clock; event_time: when it happened, by its author's.
    """

    event_id: EventId
    position: int
    project_id: ProjectId
    principal: str
    kind: str
    subject: str
    event_time: datetime
    received_at: datetime
    data: Mapping[str, Json]
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Once(Generic[T]):
    """Makes a write happen once however often it is sent.

    key: chosen by the sender; it counts within one project and principal.
    request_digest: address of what was asked. The same key with another digest is IdempotencyConflict.
    result: type of the change's result; msgspec must be able to encode and decode it.
    """

    key: str
    request_digest: str
    result: type[T]
    project_id: str = ""
    principal: str = ""


@dataclass(frozen=True, slots=True)
class StoreLoad:
    """How busy a store is with the calls of one process.

    waiting_count: on SQLite the writes in the queue; on PostgreSQL the reads and writes that wait for
    a connection. refused_count: those refused since the store was opened, because too many waited.
    """

    waiting_count: int
    refused_count: int


@dataclass(frozen=True, slots=True)
class LedgerVerdict:
    """What a check of the whole ledger found.

    first_bad_position: 0 when the chain holds; else the first place where it does not.
    unsealed_count: events committed but not yet given a position (always 0 on SQLite).
    head_hash: hash of the newest sealed event. Whoever owns the database can rewrite the whole
    chain, so keep this value elsewhere and compare.
    """

    ok: bool
    checked_count: int
    first_bad_position: int
    words: str
    unsealed_count: int
    head_position: int
    head_hash: str
