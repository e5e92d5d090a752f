"""What the tests of the metadata kit share: an open store with a table to write to."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from paddock.kernel.clock import SimulatedClock
from paddock.kernel.refs import DEFAULT_PROJECT, ProjectId
from paddock.metadata import Json, Metadata, NewEvent, Reader, Row, SqlValue, Transaction, open_metadata

START = datetime(2013, 4, 1, tzinfo=UTC)

_SCHEMA = (
    "CREATE TABLE notes (name TEXT PRIMARY KEY, size INTEGER NOT NULL CHECK (size >= 0),"
    " weight REAL, body BLOB) STRICT;",
    "CREATE TABLE replies (number INTEGER PRIMARY KEY, note TEXT NOT NULL REFERENCES notes (name)) STRICT;",
)


class StoreFixtures:
    """Gives each test `store` on a fresh `metadata_url`, and the tables `notes` and `replies`."""

    @pytest.fixture
    def clock(self) -> SimulatedClock:
        return SimulatedClock(START)

    @pytest.fixture
    def store(self, metadata_url: str, clock: SimulatedClock) -> Iterator[Metadata]:
        store = open_metadata(metadata_url, clock=clock)
        store.write(lambda tx: _create_tables(tx, is_postgres=metadata_url.startswith("postgresql:")))
        yield store
        store.close()


def _create_tables(tx: Transaction, *, is_postgres: bool) -> None:
    for statement in _SCHEMA:
        tx.execute(_as_postgres(statement) if is_postgres else statement)


def _as_postgres(statement: str) -> str:
    for name, foreign in (
        (" STRICT", ""),
        ("INTEGER", "BIGINT"),
        ("REAL", "DOUBLE PRECISION"),
        ("BLOB", "BYTEA"),
    ):
        statement = statement.replace(name, foreign)
    return statement


def add_note(
    tx: Transaction, name: str, size: int = 0, weight: float | None = None, body: bytes | None = None
) -> None:
    tx.execute(
        "INSERT INTO notes (name, size, weight, body) VALUES (:name, :size, :weight, :body)",
        {"name": name, "size": size, "weight": weight, "body": body},
    )


def list_names(reader: Reader) -> list[SqlValue]:
    return [row["name"] for row in reader.fetch_all("SELECT name FROM notes ORDER BY name")]


def find_note(reader: Reader, name: str) -> Row | None:
    return reader.fetch_one("SELECT * FROM notes WHERE name = :name", {"name": name})


def new_event(
    kind: str = "note.added",
    subject: str = "note:a",
    project: ProjectId = DEFAULT_PROJECT,
    data: Mapping[str, Json] | None = None,
) -> NewEvent:
    return NewEvent(
        project_id=project,
        principal="ann",
        kind=kind,
        subject=subject,
        event_time=START - timedelta(hours=1),
        data=data or {},
    )
