"""A store on SQLite and on PostgreSQL, objects in memory, a clock that stands still."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paddock.kernel.clock import SimulatedClock
from paddock.kernel.refs import Actor, ProjectId
from paddock.metadata import Metadata, open_metadata
from paddock.objects import open_objects
from paddock.tracking import Tracking

START = datetime(2013, 4, 1, 5, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def metadata(request: pytest.FixtureRequest, tmp_path: Path, clock: SimulatedClock) -> Iterator[Metadata]:
    is_sqlite = request.param == "sqlite"
    url = str(tmp_path / "store") if is_sqlite else request.getfixturevalue("postgres_url")
    store = open_metadata(url, clock=clock)
    yield store
    store.close()


@pytest.fixture
def tracking(metadata: Metadata, clock: SimulatedClock) -> Tracking:
    return Tracking(metadata, open_objects("memory:"), clock, Actor(ProjectId("default"), "ann"))
