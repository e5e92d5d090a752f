"""A monitoring service on a real store, with objects in memory."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paddock.kernel.clock import SimulatedClock
from paddock.kernel.refs import Actor, ProjectId
from paddock.metadata import Metadata, open_metadata
from paddock.monitoring import Monitoring
from paddock.objects import MemoryBackend, ObjectStore


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(datetime(2013, 4, 8, tzinfo=UTC))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def metadata(request: pytest.FixtureRequest, tmp_path: Path, clock: SimulatedClock) -> Iterator[Metadata]:
    url = str(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    store = open_metadata(url, clock=clock)
    yield store
    store.close()


@pytest.fixture
def monitoring(metadata: Metadata, clock: SimulatedClock) -> Monitoring:
    objects = ObjectStore(MemoryBackend())
    return Monitoring(metadata, objects, clock, Actor(ProjectId("default"), "loop"))
