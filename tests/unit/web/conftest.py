"""The pages of a filled and of an empty store."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import page_store
import pytest
from page_asking import Pages

NOW = datetime(2026, 11, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """The pages of half a year; read only."""
    folder: Path = tmp_path_factory.mktemp("pages")
    page_store.fill_page_store(folder)
    app, _ = page_store.open_page_app(folder, at=NOW)
    yield Pages(app)
    app.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Pages]:
    """The pages of a store with nothing in it."""
    app, _ = page_store.open_page_app(tmp_path, at=NOW)
    yield Pages(app)
    app.close()
