"""Rows: transactions, values, errors, snapshots, idempotency, backup."""

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from paddock.kernel.clock import SimulatedClock, from_micros
from paddock.kernel.errors import (
    AlreadyExists,
    Conflict,
    IdempotencyConflict,
    InvalidInput,
    StoreTooNew,
    Unavailable,
)
from paddock.kernel.refs import DEFAULT_PROJECT, Actor, ProjectId
from paddock.metadata import (
    Metadata,
    Once,
    Reader,
    SqlValue,
    Transaction,
    once_for,
    open_metadata,
    restore_metadata,
)
from paddock.testing.metadata_store import START, StoreFixtures, add_note, find_note, list_names, new_event

_ANN = Actor(DEFAULT_PROJECT, "ann")


@dataclass(frozen=True, slots=True)
class _Receipt:
    """A result such as services return: nested, with a time and a number JSON has no word for."""

    name: str
    at: datetime
    metrics: Mapping[str, float]
    tags: tuple[str, ...]


class RowsConformance(StoreFixtures):
    def test_written_row_is_read(self, store: Metadata) -> None:
        """What a change wrote is there when `write` has returned, and its result comes back."""

        def change(tx: Transaction) -> str:
            add_note(tx, "a", 3, 0.5, b"\x00\xff")
            return "done"

        assert store.write(change) == "done"
        assert store.read(lambda reader: find_note(reader, "a")) == {
            "name": "a",
            "size": 3,
            "weight": 0.5,
            "body": b"\x00\xff",
        }

    def test_absent_rows_are_none_and_empty(self, store: Metadata) -> None:
        """A query that finds nothing says None for one row and an empty list for all."""
        assert store.read(lambda reader: find_note(reader, "a")) is None
        assert store.read(list_names) == []

    def test_reopened_store_has_rows(self, store: Metadata, metadata_url: str, clock: SimulatedClock) -> None:
        """A second store on the same address reads what the first wrote, also after that is closed."""
        store.write(lambda tx: add_note(tx, "a"))
        store.close()

        again = open_metadata(metadata_url, clock=clock)
        assert again.read(list_names) == ["a"]
        again.close()

    def test_failed_change_leaves_nothing(self, store: Metadata) -> None:
        """An error of the change is raised as it is, and neither row nor event of it is stored."""

        class OwnError(Exception):
            pass

        def change(tx: Transaction) -> None:
            add_note(tx, "a")
            tx.append_event(new_event())
            raise OwnError

        with pytest.raises(OwnError):
            store.write(change)
        assert store.read(list_names) == []
        assert store.events(DEFAULT_PROJECT) == ()

    def test_change_sees_its_own_rows(self, store: Metadata) -> None:
        """A change reads what it has written itself."""

        def change(tx: Transaction) -> list[SqlValue]:
            add_note(tx, "a")
            return list_names(tx)

        assert store.write(change) == ["a"]

    def test_execute_counts_rows(self, store: Metadata) -> None:
        """`execute` returns how many rows it changed, zero included; `execute_many` runs for each row."""

        def fill(tx: Transaction) -> None:
            tx.execute_many(
                "INSERT INTO notes (name, size) VALUES (:name, :size)",
                [{"name": name, "size": size} for size, name in enumerate("abc")],
            )

        store.write(fill)
        sql = "UPDATE notes SET weight = 1.0 WHERE size >= :size"
        assert store.write(lambda tx: tx.execute(sql, {"size": 1})) == 2
        assert store.write(lambda tx: tx.execute(sql, {"size": 9})) == 0

    def test_constraint_errors_have_names(self, store: Metadata) -> None:
        """A row twice is AlreadyExists, a dangling reference Conflict, a refused value InvalidInput."""
        store.write(lambda tx: add_note(tx, "a"))

        with pytest.raises(AlreadyExists):
            store.write(lambda tx: add_note(tx, "a"))
        with pytest.raises(Conflict):
            store.write(lambda tx: tx.execute("INSERT INTO replies (number, note) VALUES (1, 'nobody')"))
        with pytest.raises(InvalidInput):
            store.write(lambda tx: add_note(tx, "b", size=-1))
        with pytest.raises(InvalidInput):
            store.write(lambda tx: tx.execute("INSERT INTO notes (name, size) VALUES ('b', NULL)"))
        assert store.read(list_names) == ["a"]

    @pytest.mark.parametrize("value", [math.nan, 2**63, "a\0b", "\ud800"], ids=["nan", "big", "nul", "half"])
    def test_unportable_values_are_refused(self, store: Metadata, value: SqlValue) -> None:
        """A value that the engines would store differently is refused, and the parameter named."""
        sql = "SELECT name FROM notes WHERE name = :wanted"
        with pytest.raises(InvalidInput, match="wanted"):
            store.read(lambda reader: reader.fetch_all(sql, {"wanted": value}))

    def test_extreme_values_survive(self, store: Metadata) -> None:
        """The largest integers, infinity, other scripts and empty bytes come back as they went in."""
        store.write(lambda tx: add_note(tx, "é 火 🐎", 2**63 - 1, math.inf, b""))

        row = store.read(lambda reader: find_note(reader, "é 火 🐎"))
        assert row == {"name": "é 火 🐎", "size": 2**63 - 1, "weight": math.inf, "body": b""}

    def test_text_is_compared_by_bytes(self, store: Metadata) -> None:
        """Text sorts by its bytes and LIKE minds the case, whatever the locale of the machine."""
        for name in ("b", "A", "é", "a"):
            store.write(lambda tx, name=name: add_note(tx, name))  # type: ignore[misc]  # bind the loop

        assert store.read(list_names) == ["A", "a", "b", "é"]
        found = store.read(lambda reader: reader.fetch_all("SELECT name FROM notes WHERE name LIKE 'a%'"))
        assert [row["name"] for row in found] == ["a"]

    def test_computed_columns_are_plain_numbers(self, store: Metadata) -> None:
        """SUM, COUNT and comparisons give int, AVG gives float, on both engines."""
        store.write(lambda tx: add_note(tx, "a", 2**40))
        store.write(lambda tx: add_note(tx, "b", 2**40 + 1))

        sql = (
            "SELECT SUM(size) AS total, COUNT(*) AS count, AVG(size) AS mean, MAX(size) > 1 AS big FROM notes"
        )
        row = store.read(lambda reader: reader.fetch_one(sql))
        assert row == {"total": 2**41 + 1, "count": 2, "mean": 2**40 + 0.5, "big": 1}
        assert [type(value) for value in row.values()] == [int, int, float, int]

    def test_colons_and_percent_in_literals(self, store: Metadata) -> None:
        """Only `:name` outside of literals is a parameter; a percent sign means nothing."""
        sql = "SELECT ':a' AS literal, 7 % 4 AS rest, :a AS value"
        assert store.read(lambda reader: reader.fetch_one(sql, {"a": "x"})) == {
            "literal": ":a",
            "rest": 3,
            "value": "x",
        }

    def test_read_is_one_snapshot(self, store: Metadata) -> None:
        """Two queries of one read see the same state, although a write was committed in between."""

        def query(reader: Reader) -> tuple[list[SqlValue], list[SqlValue]]:
            before = list_names(reader)
            writer = threading.Thread(target=lambda: store.write(lambda tx: add_note(tx, "a")))
            writer.start()
            writer.join()
            return before, list_names(reader)

        assert store.read(query) == ([], [])
        assert store.read(list_names) == ["a"]

    def test_key_makes_write_happen_once(self, store: Metadata) -> None:
        """A repeated key returns the stored result, equal to the first in every field."""
        once = once_for(_ANN, "k1", ("add", "a"), _Receipt)
        runs: list[int] = []

        def change(tx: Transaction) -> _Receipt:
            runs.append(1)
            add_note(tx, "a")
            return _Receipt("a", START, {"loss": math.inf}, ("x", "y"))

        first = store.write(change, once=once)
        assert store.write(change, once=once) == first
        assert len(runs) == 1

    def test_key_for_another_request_is_refused(self, store: Metadata) -> None:
        """The same key with another content is a conflict and changes nothing."""
        store.write(lambda tx: add_note(tx, "a"), once=Once("k1", "d1", type(None)))

        with pytest.raises(IdempotencyConflict, match="k1"):
            store.write(lambda tx: add_note(tx, "b"), once=Once("k1", "d2", type(None)))
        assert store.read(list_names) == ["a"]

    def test_keys_of_others_do_not_meet(self, store: Metadata) -> None:
        """A key counts within one project and principal only."""
        for actor in (_ANN, Actor(DEFAULT_PROJECT, "bob"), Actor(ProjectId("other"), "ann")):
            store.write(
                lambda tx, actor=actor: add_note(tx, f"{actor.project_id}-{actor.principal}"),  # type: ignore[misc]
                once=once_for(actor, "k1", "same", type(None)),
            )

        assert len(store.read(list_names)) == 3

    def test_old_keys_are_purged_and_new_again(self, store: Metadata, clock: SimulatedClock) -> None:
        """A key of before the given time is forgotten and may be used for anything; a later one is kept."""
        store.write(lambda tx: add_note(tx, "a"), once=Once("old", "d1", type(None)))
        clock.move_to(clock.now() + timedelta(days=1))
        store.write(lambda tx: add_note(tx, "b"), once=Once("new", "d1", type(None)))

        assert store.purge_idempotency_keys(clock.now()) == 1
        store.write(lambda tx: add_note(tx, "c"), once=Once("old", "d2", type(None)))
        store.write(lambda tx: add_note(tx, "d"), once=Once("new", "d1", type(None)))
        assert store.read(list_names) == ["a", "b", "c"]
        assert store.purge_idempotency_keys(clock.now()) == 0

    def test_many_old_keys_are_purged_in_one_call(self, store: Metadata) -> None:
        """A call forgets more keys than one of its transactions takes, of every project and principal."""

        def fill(tx: Transaction) -> None:
            tx.execute_many(
                "INSERT INTO idempotency_keys"
                " (project_id, principal, key, request_digest, result, created_at)"
                " VALUES (:project, 'ann', :key, 'd1', :result, :number)",
                [
                    {"project": f"p{number % 3}", "key": f"k{number}", "result": b"\xc0", "number": number}
                    for number in range(1_201)
                ],
            )

        store.write(fill)

        assert store.purge_idempotency_keys(from_micros(1_200)) == 1_200
        assert store.purge_idempotency_keys(from_micros(1_201)) == 1

    def test_failed_change_leaves_key_free(self, store: Metadata) -> None:
        """A key whose change failed can be used again."""
        store.write(lambda tx: add_note(tx, "a"))
        once = Once("k1", "d1", type(None))
        with pytest.raises(AlreadyExists):
            store.write(lambda tx: add_note(tx, "a"), once=once)

        store.write(lambda tx: add_note(tx, "b"), once=once)
        assert store.read(list_names) == ["a", "b"]

    def test_backup_restores(
        self, store: Metadata, tmp_path: Path, spare_url: str, clock: SimulatedClock
    ) -> None:
        """A backup, restored elsewhere, has the same rows, events and head, and takes writes."""
        once = Once("a\t'x'\\n", "d1", bytes)
        store.write(lambda _: b"\x00\\\n", once=once)
        store.write(lambda tx: tx.append_event(new_event(data={"text": 'a "quoted"\ttab'})))
        store.backup(tmp_path / "backup")

        restore_metadata(tmp_path / "backup", spare_url)
        copy = open_metadata(spare_url, clock=clock)
        assert copy.write(lambda _: b"not run", once=once) == b"\x00\\\n"
        assert copy.events(DEFAULT_PROJECT) == store.events(DEFAULT_PROJECT)
        assert copy.verify_ledger() == store.verify_ledger()
        copy.write(lambda tx: tx.append_event(new_event()))
        assert copy.verify_ledger().checked_count == 2
        copy.close()

    def test_backup_and_restore_replace_nothing(
        self, store: Metadata, tmp_path: Path, metadata_url: str
    ) -> None:
        """A backup never replaces a file, a restore never a store."""
        store.backup(tmp_path / "backup")

        with pytest.raises(AlreadyExists):
            store.backup(tmp_path / "backup")
        with pytest.raises(AlreadyExists):
            restore_metadata(tmp_path / "backup", metadata_url)

    def test_newer_store_is_refused(self, store: Metadata, metadata_url: str, clock: SimulatedClock) -> None:
        """A store with a migration this version does not know is not opened, and the number is named."""
        sql = "INSERT INTO schema_migrations (number, name, applied_at) VALUES (9999, 'later', 0)"
        store.write(lambda tx: tx.execute(sql))

        with pytest.raises(StoreTooNew, match="9999"):
            open_metadata(metadata_url, clock=clock)

    def test_closed_store_refuses(self, store: Metadata) -> None:
        """After `close` every call is Unavailable, and closing again does nothing."""
        store.close()
        store.close()

        with pytest.raises(Unavailable):
            store.write(lambda tx: add_note(tx, "a"))
        with pytest.raises(Unavailable):
            store.read(list_names)

    def test_size_is_counted(self, store: Metadata) -> None:
        """An open store has a size."""
        assert store.size_bytes() > 0
