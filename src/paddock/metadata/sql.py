"""Statements on the ledger and the idempotency keys, the same for both engines."""

from dataclasses import dataclass
from typing import cast

from paddock.kernel.clock import from_micros
from paddock.kernel.ids import EventId
from paddock.kernel.refs import ProjectId
from paddock.metadata.ledger import Entry, Head, Link, decode_data
from paddock.metadata.ports import Reader, Transaction
from paddock.metadata.records import Event, Once, Row, T

# above every character that a kind can hold, so that `prefix <= kind < prefix + this` finds the prefix
_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class StoredResult:
    request_digest: str
    result: bytes


def find_once(reader: Reader, once: Once[T]) -> StoredResult | None:
    """Return what was stored under the key, or None."""
    row = reader.fetch_one(
        "SELECT request_digest, result FROM idempotency_keys"
        " WHERE project_id = :project_id AND principal = :principal AND key = :key",
        {"project_id": once.project_id, "principal": once.principal, "key": once.key},
    )
    return StoredResult(_text(row, "request_digest"), cast(bytes, row["result"])) if row else None


def insert_once(tx: Transaction, once: Once[T], result: bytes, created_at: int) -> None:
    tx.execute(
        "INSERT INTO idempotency_keys (project_id, principal, key, request_digest, result, created_at)"
        " VALUES (:project_id, :principal, :key, :request_digest, :result, :created_at)",
        {
            "project_id": once.project_id,
            "principal": once.principal,
            "key": once.key,
            "request_digest": once.request_digest,
            "result": result,
            "created_at": created_at,
        },
    )


def has_once_before(reader: Reader, created_before: int) -> bool:
    """Say whether a key is older than that. created_before: microseconds."""
    return bool(
        reader.fetch_one(
            "SELECT 1 AS one FROM idempotency_keys WHERE created_at < :before LIMIT 1",
            {"before": created_before},
        )
    )


def delete_once_before(tx: Transaction, created_before: int, limit: int) -> int:
    """Delete the oldest keys of before that time, at most `limit`, and return how many."""
    return tx.execute(
        "DELETE FROM idempotency_keys WHERE (project_id, principal, key) IN"
        " (SELECT project_id, principal, key FROM idempotency_keys"
        " WHERE created_at < :before ORDER BY created_at, project_id, principal, key LIMIT :limit)",
        {"before": created_before, "limit": limit},
    )


def get_head(reader: Reader) -> Head:
    row = reader.fetch_one("SELECT position, hash FROM ledger_head WHERE one = 1")
    assert row is not None, "the migration wrote it"
    return Head(_whole(row, "position"), _text(row, "hash"))


def set_head(tx: Transaction, head: Head) -> None:
    tx.execute(
        "UPDATE ledger_head SET position = :position, hash = :hash WHERE one = 1",
        {"position": head.position, "hash": head.hash},
    )


def insert_event(tx: Transaction, entry: Entry, link: Link | None) -> None:
    """Store an event; without a link it is unsealed."""
    tx.execute(
        "INSERT INTO events (event_id, position, project_id, principal, kind, subject, event_time,"
        " received_at, data, previous_hash, hash)"
        " VALUES (:event_id, :position, :project_id, :principal, :kind, :subject, :event_time,"
        " :received_at, :data, :previous_hash, :hash)",
        {
            "event_id": entry.event_id,
            "position": link.position if link else None,
            "project_id": entry.project_id,
            "principal": entry.principal,
            "kind": entry.kind,
            "subject": entry.subject,
            "event_time": entry.event_time,
            "received_at": entry.received_at,
            "data": entry.data,
            "previous_hash": link.previous_hash if link else None,
            "hash": link.hash if link else None,
        },
    )


def list_events(
    reader: Reader, project_id: str, after: int, kind: str, subject: str, limit: int
) -> tuple[Event, ...]:
    rows = reader.fetch_all(
        "SELECT * FROM events WHERE project_id = :project_id AND position > :after"  # noqa: S608 - constants
        f"{_filter(kind, subject)} ORDER BY position LIMIT :limit",
        {"project_id": project_id, "after": after, "limit": limit, **_filter_params(kind, subject)},
    )
    return tuple(_event(row) for row in rows)


def list_latest_events(
    reader: Reader, project_id: str, kind: str, subject: str, limit: int
) -> tuple[Event, ...]:
    rows = reader.fetch_all(
        "SELECT * FROM events WHERE project_id = :project_id AND position > 0"  # noqa: S608 - constants
        f"{_filter(kind, subject)} ORDER BY position DESC LIMIT :limit",
        {"project_id": project_id, "limit": limit, **_filter_params(kind, subject)},
    )
    return tuple(_event(row) for row in rows)


def list_projects(reader: Reader) -> tuple[str, ...]:
    """Return the projects that have events, by name; the unsealed tail counts."""
    found: list[str] = []
    while True:
        row = reader.fetch_one(
            "SELECT MIN(project_id) AS project_id FROM events WHERE project_id > :after",
            {"after": found[-1] if found else ""},
        )
        project = _text(row, "project_id") if row else None
        if not project:
            return tuple(found)
        found.append(project)


def list_links(reader: Reader, after: int, limit: int) -> list[Link]:
    """Return sealed events of all projects after a position, as links of the chain."""
    rows = reader.fetch_all(
        "SELECT * FROM events WHERE position > :after ORDER BY position LIMIT :limit",
        {"after": after, "limit": limit},
    )
    return [
        Link(
            position=_whole(row, "position"),
            # NULL only where somebody has changed it
            previous_hash=_text(row, "previous_hash") or "",
            hash=_text(row, "hash") or "",
            entry=_entry(row),
        )
        for row in rows
    ]


def list_unsealed(reader: Reader, limit: int) -> list[Entry]:
    rows = reader.fetch_all(
        "SELECT * FROM events WHERE position IS NULL ORDER BY received_at, event_id LIMIT :limit",
        {"limit": limit},
    )
    return [_entry(row) for row in rows]


def count_unsealed(reader: Reader) -> int:
    row = reader.fetch_one("SELECT COUNT(*) AS unsealed FROM events WHERE position IS NULL")
    return _whole(row, "unsealed") if row else 0


def _filter(kind: str, subject: str) -> str:
    by_kind = " AND kind >= :kind AND kind < :kind_end" if kind else ""
    return by_kind + (" AND subject = :subject" if subject else "")


def _filter_params(kind: str, subject: str) -> dict[str, str]:
    by_kind = {"kind": kind, "kind_end": kind + _LAST} if kind else {}
    return by_kind | ({"subject": subject} if subject else {})


def _entry(row: Row) -> Entry:
    return Entry(
        event_id=_text(row, "event_id"),
        project_id=_text(row, "project_id"),
        principal=_text(row, "principal"),
        kind=_text(row, "kind"),
        subject=_text(row, "subject"),
        event_time=_whole(row, "event_time"),
        received_at=_whole(row, "received_at"),
        data=_text(row, "data"),
    )


def _event(row: Row) -> Event:
    return Event(
        event_id=EventId(_text(row, "event_id")),
        position=_whole(row, "position"),
        project_id=ProjectId(_text(row, "project_id")),
        principal=_text(row, "principal"),
        kind=_text(row, "kind"),
        subject=_text(row, "subject"),
        event_time=from_micros(_whole(row, "event_time")),
        received_at=from_micros(_whole(row, "received_at")),
        data=decode_data(_text(row, "data")),
        previous_hash=_text(row, "previous_hash"),
        hash=_text(row, "hash"),
    )


def _text(row: Row, column: str) -> str:
    return cast(str, row[column])


def _whole(row: Row, column: str) -> int:
    return cast(int, row[column])
