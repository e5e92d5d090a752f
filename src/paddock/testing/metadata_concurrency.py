"""Many writers at once: no lost write, no error, the same outcome as one after the other."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import cast

from paddock.kernel.clock import SimulatedClock
from paddock.kernel.refs import DEFAULT_PROJECT
from paddock.metadata import Metadata, Once, Transaction, open_metadata
from paddock.testing.metadata_store import StoreFixtures, add_note, list_names, new_event

_CLIENTS = 24


def _together(work: Callable[[int], object], count: int = _CLIENTS) -> list[object]:
    """Run `work` in `count` threads that start at the same moment, and return what they returned."""
    start = threading.Barrier(count)

    def run(number: int) -> object:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def _take_number(tx: Transaction) -> int:
    row = tx.fetch_one("SELECT COALESCE(MAX(size), 0) + 1 AS number FROM notes")
    number = cast(int, row["number"]) if row else 0
    add_note(tx, f"{number}", number)
    tx.append_event(new_event(subject=f"note:{number}"))
    return number


class ConcurrencyConformance(StoreFixtures):
    def test_versions_are_given_once(self, store: Metadata) -> None:
        """Clients that take MAX + 1 at the same time get 1 to n, each once, without an error."""
        numbers = _together(lambda _: store.write(_take_number))

        assert sorted(cast(list[int], numbers)) == list(range(1, _CLIENTS + 1))

    def test_decisions_act_as_if_alone(self, store: Metadata) -> None:
        """A change that writes only when nothing is there writes once, with no constraint to help it."""

        def change(tx: Transaction) -> bool:
            if tx.fetch_one("SELECT name FROM notes"):
                return False
            add_note(tx, new_event().event_time.isoformat() + str(threading.get_ident()))
            return True

        assert _together(lambda _: store.write(change)).count(True) == 1

    def test_ledger_holds_under_writers(self, store: Metadata) -> None:
        """Events of parallel writers and two stores on one address make one chain without gaps."""
        for _ in range(3):
            _together(lambda _: store.write(_take_number), 8)

        assert [event.position for event in store.events(DEFAULT_PROJECT)] == list(range(1, 25))
        verdict = store.verify_ledger()
        assert (verdict.ok, verdict.checked_count, verdict.unsealed_count) == (True, 24, 0)

    def test_one_key_from_many_clients(self, store: Metadata) -> None:
        """Clients that send the same key at the same time have one effect and one answer."""
        once = Once("k1", "d1", int)

        assert _together(lambda _: store.write(_take_number, once=once)) == [1] * _CLIENTS
        assert store.read(list_names) == ["1"]

    def test_failing_changes_harm_nobody(self, store: Metadata) -> None:
        """Of changes committed together, those that fail are rolled back and the others are kept."""

        def work(number: int) -> bool:
            def change(tx: Transaction) -> None:
                add_note(tx, f"{number:02d}")
                tx.append_event(new_event())
                if number % 3 == 0:
                    raise LookupError(number)

            try:
                store.write(change)
            except LookupError:
                return False
            return True

        outcomes = _together(work)

        kept = [f"{number:02d}" for number in range(_CLIENTS) if number % 3]
        assert [number for number, is_kept in enumerate(outcomes) if is_kept] == [int(name) for name in kept]
        assert store.read(list_names) == kept
        assert store.verify_ledger().checked_count == len(kept)

    def test_fresh_store_is_opened_by_many(self, metadata_url: str, clock: SimulatedClock) -> None:
        """Several openers of a place without a store make one store, and all can use it."""

        def work(_: int) -> None:
            store = open_metadata(metadata_url, clock=clock)
            store.write(lambda tx: tx.append_event(new_event()))
            store.close()

        _together(work, 6)

        store = open_metadata(metadata_url, clock=clock)
        assert store.verify_ledger().checked_count == 6
        store.close()
