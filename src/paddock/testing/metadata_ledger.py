"""The event ledger: positions, chain, filters, append-only."""

import math
from datetime import timedelta

import pytest

from paddock.kernel.clock import SimulatedClock
from paddock.kernel.errors import Conflict, InvalidInput
from paddock.kernel.refs import DEFAULT_PROJECT, ProjectId
from paddock.metadata import Json, Metadata, NewEvent, Transaction
from paddock.testing.metadata_store import START, StoreFixtures, add_note, list_names, new_event

_OTHER = ProjectId("other")


def _append(store: Metadata, *events: NewEvent) -> None:
    for event in events:
        store.write(lambda tx, event=event: tx.append_event(event))  # type: ignore[misc]  # bind the loop


class LedgerConformance(StoreFixtures):
    def test_event_comes_back_whole(self, store: Metadata, clock: SimulatedClock) -> None:
        """An event keeps its fields, and gets position, time of receipt and a link of the chain."""
        clock.move_to(START + timedelta(microseconds=1))
        data: dict[str, Json] = {"auc": 0.7, "names": ["a", None], "deep": {"is_late": True}, "text": "é\0🐎"}
        _append(store, new_event("model.promoted", "model:delay", data=data))

        (event,) = store.events(DEFAULT_PROJECT)
        assert (event.kind, event.subject, event.principal) == ("model.promoted", "model:delay", "ann")
        assert event.event_time == START - timedelta(hours=1)
        assert event.received_at == START + timedelta(microseconds=1)
        assert event.data == data
        assert event.position == 1
        assert (event.previous_hash, len(event.hash)) == ("0" * 64, 64)

    def test_positions_have_no_gaps(self, store: Metadata) -> None:
        """Positions are 1, 2, 3 over all projects, and each event names the hash before it."""
        _append(store, new_event(), new_event(project=_OTHER), new_event())

        mine = store.events(DEFAULT_PROJECT)
        theirs = store.events(_OTHER)
        assert sorted(event.position for event in mine + theirs) == [1, 2, 3]
        hashes = {event.hash for event in mine + theirs}
        assert {event.previous_hash for event in mine + theirs} - hashes == {"0" * 64}
        assert store.verify_ledger().ok

    def test_events_are_filtered(self, store: Metadata) -> None:
        """Events are selected by position, prefix of the kind, subject and number."""
        _append(
            store,
            new_event("model.registered", "model:a"),
            new_event("model.promoted", "model:b"),
            new_event("modelling.done", "model:a"),
            new_event("gate.passed", "model:a", project=_OTHER),
        )

        def kinds(**filters: str | int) -> list[str]:
            return [event.kind for event in store.events(DEFAULT_PROJECT, **filters)]  # type: ignore[arg-type]

        assert sorted(kinds()) == ["model.promoted", "model.registered", "modelling.done"]
        assert sorted(kinds(kind="model.")) == ["model.promoted", "model.registered"]
        assert kinds(kind="gate") == []
        assert sorted(kinds(subject="model:a")) == ["model.registered", "modelling.done"]
        assert len(kinds(limit=2)) == 2
        last = store.events(DEFAULT_PROJECT)[-1]
        assert kinds(after=last.position) == []
        assert kinds(after=last.position - 1) == [last.kind]

    def test_latest_events_come_newest_first(self, store: Metadata) -> None:
        """`latest_events` is the end of the ledger, read backwards, with the same filters."""
        _append(store, *(new_event(subject=f"note:{number % 2}") for number in range(5)))

        forward = store.events(DEFAULT_PROJECT)
        assert store.latest_events(DEFAULT_PROJECT) == tuple(reversed(forward))
        assert store.latest_events(DEFAULT_PROJECT, limit=2) == (forward[4], forward[3])
        assert all(
            event.subject == "note:1" for event in store.latest_events(DEFAULT_PROJECT, subject="note:1")
        )
        assert store.latest_events(DEFAULT_PROJECT, kind="model.") == ()

    def test_number_that_is_not_finite_stops_change(self, store: Metadata) -> None:
        """An event with NaN is refused by place, and the rows beside it are not stored."""

        def change(tx: Transaction) -> None:
            add_note(tx, "a")
            tx.append_event(new_event(data={"gates": [{"auc": math.nan}]}))

        with pytest.raises(InvalidInput, match=r"data\.gates\[0\]\.auc"):
            store.write(change)
        assert store.read(list_names) == []

    def test_ledger_is_append_only(self, store: Metadata) -> None:
        """Neither a change nor a deletion of an event gets through the store."""
        _append(store, new_event(), new_event())
        assert store.verify_ledger().unsealed_count == 0

        for sql in (
            "UPDATE events SET data = '{}', kind = 'x'",
            "UPDATE events SET position = position + 10",
            "DELETE FROM events WHERE position = 2",
        ):
            with pytest.raises(Conflict, match="append-only"):
                store.write(lambda tx, sql=sql: tx.execute(sql))  # type: ignore[misc]  # bind the loop
        assert store.verify_ledger().ok

    def test_empty_ledger_holds(self, store: Metadata) -> None:
        """A store without events has a chain that holds."""
        verdict = store.verify_ledger()
        assert (verdict.ok, verdict.checked_count, verdict.head_position) == (True, 0, 0)

    def test_verdict_counts_and_names_head(self, store: Metadata) -> None:
        """The verdict tells how many events were checked and the hash to keep elsewhere."""
        _append(store, *(new_event() for _ in range(3)))

        verdict = store.verify_ledger()
        assert (verdict.ok, verdict.checked_count, verdict.first_bad_position) == (True, 3, 0)
        assert verdict.head_hash == store.latest_events(DEFAULT_PROJECT)[0].hash
