"""Somebody changes the ledger behind the store's back; `verify_ledger` names the place."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import apsw
import psycopg
import pytest

from paddock.kernel.clock import SimulatedClock
from paddock.kernel.refs import DEFAULT_PROJECT
from paddock.metadata import LedgerVerdict, Metadata, NewEvent, open_metadata

_NOW = datetime(2013, 4, 1, tzinfo=UTC)
_COUNT = 10

Tamper = Callable[..., LedgerVerdict]


def _fill(url: str) -> Metadata:
    store = open_metadata(url, clock=SimulatedClock(_NOW))
    for number in range(_COUNT):
        event = NewEvent(DEFAULT_PROJECT, "ann", "note.added", f"note:{number}", _NOW, {"number": number})
        store.write(lambda tx, event=event: tx.append_event(event))
        assert store.verify_ledger().checked_count == number + 1
    return store


@pytest.fixture
def tamper_sqlite(tmp_path: Path) -> Iterator[Tamper]:
    store = _fill(str(tmp_path / "store"))

    def tamper(*statements: str) -> LedgerVerdict:
        connection = apsw.Connection(str(tmp_path / "store" / "metadata.db"))
        connection.execute("DROP TRIGGER events_keep_changed; DROP TRIGGER events_keep_deleted")
        for statement in statements:
            connection.execute(statement)
        connection.close()
        return store.verify_ledger()

    yield tamper
    store.close()


@pytest.fixture
def tamper_postgres(postgres_url: str) -> Iterator[Tamper]:
    store = _fill(postgres_url)

    def tamper(*statements: str) -> LedgerVerdict:
        with psycopg.connect(postgres_url) as connection:
            connection.execute("ALTER TABLE events DISABLE TRIGGER USER")
            for statement in statements:
                connection.execute(statement.encode())
        return store.verify_ledger()

    yield tamper
    store.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def tamper(request: pytest.FixtureRequest) -> Tamper:
    fixture: Tamper = request.getfixturevalue(f"tamper_{request.param}")
    return fixture


@pytest.mark.parametrize(
    "change",
    [
        """data = '{"number":77}'""",
        "principal = 'bob'",
        "kind = 'note.removed'",
        "subject = 'note:77'",
        "event_time = event_time + 1",
        "received_at = received_at - 1",
        "project_id = 'other'",
        "event_id = 'f' || event_id",
        "hash = '00' || hash",
        "previous_hash = NULL",
    ],
)
def test_changed_event_is_named(tamper: Tamper, change: str) -> None:
    """A change of any column of an event is found at its position."""
    verdict = tamper(f"UPDATE events SET {change} WHERE position = 4")

    assert (verdict.ok, verdict.first_bad_position, verdict.checked_count) == (False, 4, 3)


def test_deleted_event_is_named(tamper: Tamper) -> None:
    """A hole in the ledger is found where it is."""
    verdict = tamper("DELETE FROM events WHERE position = 5")

    assert (verdict.ok, verdict.first_bad_position) == (False, 5)
    assert verdict.words == "position 5 is missing; the next event stands at 6"


def test_closed_hole_is_named(tamper: Tamper) -> None:
    """Moving the later events up over a hole does not hide it."""
    moves = (
        f"UPDATE events SET position = {number - 1} WHERE position = {number}" for number in range(6, 11)
    )
    verdict = tamper("DELETE FROM events WHERE position = 5", *moves, "UPDATE ledger_head SET position = 9")

    assert (verdict.ok, verdict.first_bad_position) == (False, 5)


def test_reordered_events_are_named(tamper: Tamper) -> None:
    """Two events that changed places are found at the first of them."""
    verdict = tamper(
        "UPDATE events SET position = 99 WHERE position = 3",
        "UPDATE events SET position = 3 WHERE position = 7",
        "UPDATE events SET position = 7 WHERE position = 99",
    )

    assert (verdict.ok, verdict.first_bad_position) == (False, 3)


def test_truncated_tail_is_named(tamper: Tamper) -> None:
    """Events cut off the end are missed, because the head was recorded."""
    verdict = tamper("DELETE FROM events WHERE position > 8")

    assert (verdict.ok, verdict.first_bad_position, verdict.checked_count) == (False, 9, 8)
    assert verdict.words == "events 9 to 10 are missing from the end"


def test_emptied_ledger_is_named(tamper: Tamper) -> None:
    """A ledger without any event is not an empty one."""
    verdict = tamper("DELETE FROM events")

    assert (verdict.ok, verdict.first_bad_position) == (False, 1)


def test_rewound_head_is_seen_from_outside(tamper: Tamper) -> None:
    """Cutting the tail and the head alike holds in itself; only a head kept elsewhere shows it."""
    verdict = tamper(
        "UPDATE ledger_head SET position = 8, hash = (SELECT hash FROM events WHERE position = 8)",
        "DELETE FROM events WHERE position > 8",
    )

    assert verdict.ok
    assert verdict.head_position == 8
