"""Webhooks keep their promises on both metadata stores."""

from pathlib import Path

import pytest
from webhook_kit import WebhookConformance


class TestOnSqlite(WebhookConformance):
    @pytest.fixture
    def metadata_url(self, tmp_path: Path) -> str:
        return str(tmp_path / "store")


@pytest.mark.postgres
class TestOnPostgres(WebhookConformance):
    @pytest.fixture
    def metadata_url(self, postgres_url: str) -> str:
        return postgres_url
