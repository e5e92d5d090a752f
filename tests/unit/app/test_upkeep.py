"""A process that runs for months forgets old idempotency keys without being opened anew."""

import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from logging.handlers import QueueHandler
from pathlib import Path

import pytest

from paddock.app import App, keep_tidy, open_app
from paddock.kernel.clock import SimulatedClock
from paddock.kernel.refs import Actor, ProjectId
from paddock.kernel.settings import resolve_settings
from paddock.metadata import once_for, open_metadata

ANN = Actor(ProjectId("default"), "ann")
SOON = 0.01


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with closing(open_app(resolve_settings({"store": str(tmp_path)}, {}, {}))) as opened:
        yield opened


def use_key(store: Path, key: str, days: int) -> None:
    """Write with a key as that many days ago, in a connection of its own."""
    clock = SimulatedClock(datetime.now(UTC) - timedelta(days=days))
    with closing(open_metadata(str(store), clock=clock)) as metadata:
        metadata.write(lambda tx: 1, once=once_for(ANN, key, "request", int))


def keys_of(app: App) -> set[object]:
    return {
        row["key"] for row in app.metadata.read(lambda it: it.fetch_all("SELECT key FROM idempotency_keys"))
    }


def test_open_store_forgets_keys_that_have_grown_old(app: App, tmp_path: Path):
    """Keys that are old by now go while the store stays open, time after time; young ones stay."""
    use_key(tmp_path, "young", 20)
    with keep_tidy(app, every_s=SOON):
        for round_ in ("first", "second"):
            use_key(tmp_path, round_, 40)
            while round_ in keys_of(app):
                threading.Event().wait(SOON)

    assert keys_of(app) == {"young"}


def test_failure_is_told_and_tried_again(app: App):
    """A store that cannot be written is named in the log, and the thread goes on."""
    told: queue.Queue[logging.LogRecord] = queue.Queue()
    handler = QueueHandler(told)
    logging.getLogger("paddock.app").addHandler(handler)
    app.close()
    try:
        with keep_tidy(app, every_s=SOON):
            first, second = told.get(timeout=30), told.get(timeout=30)
    finally:
        logging.getLogger("paddock.app").removeHandler(handler)

    for record in (first, second):
        assert record.getMessage() == "keys.not_purged"
        assert "has been closed" in vars(record)["reason"]


def test_upkeep_ends_with_its_block(app: App):
    """No thread is left behind."""
    with keep_tidy(app):
        assert "paddock-upkeep" in [thread.name for thread in threading.enumerate()]

    assert "paddock-upkeep" not in [thread.name for thread in threading.enumerate()]
