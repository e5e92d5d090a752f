"""A filled store in a folder, and where a backup of it goes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_kit import Filled, add_label, fill_store, open_store

from paddock.app import App


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    app = open_store(tmp_path / "store")
    yield app
    app.close()


@pytest.fixture
def filled(app: App) -> Filled:
    filled = fill_store(app)
    add_label(app.gateway_folder("delay") / "predictions")
    return filled


@pytest.fixture
def predictions(app: App) -> Path:
    return app.gateway_folder("delay") / "predictions"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backups" / "monday"
