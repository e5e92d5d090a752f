"""What every test room may use: a real PostgreSQL, started once and only when a test asks for it."""

from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("paddock.testing")

from paddock.testing.postgres import PostgresServer  # noqa: E402 - the kits' asserts are rewritten at import


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running server, shared by all tests: make databases, do not stop it."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of a fresh database, another one for each test."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)
