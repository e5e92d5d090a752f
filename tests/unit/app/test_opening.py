"""The composition root: what opening a store does besides opening it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paddock.app import App, open_app
from paddock.kernel.clock import SimulatedClock
from paddock.kernel.refs import Actor, ProjectId
from paddock.kernel.settings import Value, resolve_settings
from paddock.metadata import Metadata, once_for, open_metadata

ANN = Actor(ProjectId("default"), "ann")


def use_key(metadata: Metadata, key: str, answer: int) -> int:
    return metadata.write(lambda tx: answer, once=once_for(ANN, key, "request", int))


@contextmanager
def reopened(store: Path, **settings: Value) -> Iterator[App]:
    with closing(open_app(resolve_settings({"store": str(store), **settings}, {}, {}))) as app:
        yield app


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store that has a key of 40 days ago and one of 20 days ago, each answered with 1."""
    for key, days in (("old", 40), ("young", 20)):
        clock = SimulatedClock(datetime.now(UTC) - timedelta(days=days))
        with closing(open_metadata(str(tmp_path), clock=clock)) as metadata:
            use_key(metadata, key, 1)
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "answers"),
    [
        ({}, (2, 1)),
        ({"idempotency_keep_days": 10}, (2, 2)),
        ({"idempotency_keep_days": 0}, (1, 1)),
        ({"idempotency_keep_days": 36_500}, (1, 1)),
    ],
)
def test_opening_forgets_keys_that_are_older_than_the_setting(
    store: Path, settings: dict[str, Value], answers: tuple[int, int]
) -> None:
    """A key used longer ago than `idempotency_keep_days` is new again; 0 keeps every key."""
    with reopened(store, **settings) as app:
        assert (use_key(app.metadata, "old", 2), use_key(app.metadata, "young", 2)) == answers
