"""Both metadata stores keep the promises of the port."""

from pathlib import Path

import pytest

from paddock.testing import MetadataConformance
from paddock.testing.postgres import PostgresServer


class TestSqliteMetadata(MetadataConformance):
    @pytest.fixture
    def metadata_url(self, tmp_path: Path) -> str:
        return str(tmp_path / "store")

    @pytest.fixture
    def spare_url(self, tmp_path: Path) -> str:
        return str(tmp_path / "spare")


@pytest.mark.postgres
class TestPostgresMetadata(MetadataConformance):
    @pytest.fixture
    def metadata_url(self, postgres_url: str) -> str:
        return postgres_url

    @pytest.fixture
    def spare_url(self, postgres_server: PostgresServer) -> str:
        return postgres_server.create_database()
