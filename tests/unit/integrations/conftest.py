"""A store with webhooks, and a real receiver for what they send."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from receiver_kit import Receiver, running_receiver
from webhook_kit import Desk, open_desk


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def desk(tmp_path: Path, receiver: Receiver) -> Iterator[Desk]:
    with open_desk(str(tmp_path / "store"), tmp_path, receiver) as desk:
        yield desk
