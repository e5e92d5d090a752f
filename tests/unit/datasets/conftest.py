"""A datasets service on a real store, with objects in memory."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paddock.datasets import Datasets
from paddock.kernel.clock import SimulatedClock
from paddock.kernel.refs import Actor, ProjectId
from paddock.metadata import Metadata, open_metadata
from paddock.objects import MemoryBackend, ObjectStore

START = datetime(2013, 4, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def metadata(request: pytest.FixtureRequest, tmp_path: Path, clock: SimulatedClock) -> Iterator[Metadata]:
    url = str(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    store = open_metadata(url, clock=clock)
    yield store
    store.close()


@pytest.fixture
def datasets(metadata: Metadata, clock: SimulatedClock) -> Datasets:
    objects = ObjectStore(MemoryBackend())
    return Datasets(metadata, objects, clock, Actor(ProjectId("default"), "ann"))
