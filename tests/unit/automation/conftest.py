"""A shop for each test: one endpoint, champion version 1."""

import pytest
from loop_shop import Shop


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path)
    shop.promote(shop.version(), reason="first release")
    yield shop
    shop.close()
