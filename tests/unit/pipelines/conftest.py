"""A store on SQLite and on PostgreSQL, objects in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paddock.kernel.clock import SystemClock
from paddock.kernel.refs import Actor, ProjectId
from paddock.metadata import Metadata, open_metadata
from paddock.objects import MemoryBackend, ObjectStore
from paddock.pipelines import Pipelines


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def metadata(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Metadata]:
    is_sqlite = request.param == "sqlite"
    url = str(tmp_path / "store") if is_sqlite else request.getfixturevalue("postgres_url")
    store = open_metadata(url, clock=SystemClock())
    yield store
    store.close()


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture
def pipelines(metadata: Metadata, backend: MemoryBackend) -> Pipelines:
    return Pipelines(metadata, ObjectStore(backend), SystemClock(), Actor(ProjectId("default"), "ann"))
