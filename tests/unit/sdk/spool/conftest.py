"""A store and a spool for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from spool_kit import Bench, open_bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = open_bench(tmp_path)
    yield bench
    bench.app.close()
