"""The disk is full, really."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paddock.kernel.clock import SimulatedClock
from paddock.kernel.errors import StorageFull
from paddock.kernel.refs import DEFAULT_PROJECT
from paddock.metadata import Metadata, NewEvent, open_metadata

_NOW = datetime(2013, 4, 1, tzinfo=UTC)
_URL = "store"


def _append(store: Metadata, size: int = 10_000) -> None:
    event = NewEvent(DEFAULT_PROJECT, "ann", "note.added", "note:a", _NOW, {"text": "x" * size})
    store.write(lambda tx: tx.append_event(event))


def _append_until_full(store: Metadata) -> int:
    """Return how many writes were acknowledged before the disk was full."""
    for count in range(10_000):
        try:
            _append(store)
        except StorageFull:
            return count
    raise AssertionError("the disk does not fill")


def test_store_heals_when_there_is_space_again(small_disk: Path, fill_disk: Callable[[Path], Path]) -> None:
    """On a full disk writes fail by name, reads go on, and freed space is used without a restart."""
    store = open_metadata(str(small_disk / _URL), clock=SimulatedClock(_NOW))
    _append(store)
    ballast = fill_disk(small_disk)

    acknowledged = 1 + _append_until_full(store)
    assert len(store.events(DEFAULT_PROJECT)) == acknowledged
    assert store.verify_ledger().ok
    ballast.unlink()
    _append(store)
    assert store.verify_ledger().checked_count == acknowledged + 1
    store.close()


def test_store_reopens_on_a_full_disk(small_disk: Path) -> None:
    """A store that has filled its disk by itself keeps every acknowledged write and opens again."""
    store = open_metadata(str(small_disk / _URL), clock=SimulatedClock(_NOW))
    acknowledged = _append_until_full(store)
    store.close()

    store = open_metadata(str(small_disk / _URL), clock=SimulatedClock(_NOW))
    verdict = store.verify_ledger()
    assert (verdict.ok, verdict.checked_count) == (True, acknowledged)
    store.close()


def test_new_store_on_a_full_disk_is_refused(small_disk: Path, fill_disk: Callable[[Path], Path]) -> None:
    """A store that finds no space is refused by name, and can be made once there is some."""
    ballast = fill_disk(small_disk)
    with pytest.raises(StorageFull):
        open_metadata(str(small_disk / _URL), clock=SimulatedClock(_NOW))

    ballast.unlink()
    store = open_metadata(str(small_disk / _URL), clock=SimulatedClock(_NOW))
    _append(store)
    store.close()


def test_backup_to_a_full_disk_leaves_nothing(
    tmp_path: Path, small_disk: Path, fill_disk: Callable[[Path], Path]
) -> None:
    """A backup that does not fit fails by name and leaves no half file."""
    store = open_metadata(str(tmp_path / _URL), clock=SimulatedClock(_NOW))
    _append(store, 5_000_000)
    with pytest.raises(StorageFull):
        store.backup(small_disk / "backup.db")

    assert list(small_disk.iterdir()) == []
    store.close()
