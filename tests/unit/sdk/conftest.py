"""A folder of its own for every test, without settings from the environment and without a store left open."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from paddock import sdk


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in [name for name in os.environ if name.startswith("PADDOCK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sdk.disconnect()
