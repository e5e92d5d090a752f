"""Every test of this folder runs twice inside of the real client: against SQLite and against PostgreSQL."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow_kit import HANDED_IN, ClientProcess
from receiver_kit import Received, Reply, running_receiver
from server_process import running_server

collect_ignore = ["client_program.py"]  # imports the client


@pytest.fixture(scope="session")
def client_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientProcess]:
    """The interpreter in which the tests run."""
    process = ClientProcess(tmp_path_factory.mktemp("client") / "log")
    yield process
    process.close()


@pytest.fixture(scope="session")
def receiver_url() -> Iterator[str]:
    """A receiver of webhooks that answers with what it was sent, as JSON of headers and body."""

    def echo(request: Received) -> Reply:
        told = {"headers": dict(request.headers), "body": request.body.decode()}
        return Reply(body=json.dumps(told).encode())

    with running_receiver() as receiver:
        receiver.answer = echo
        yield receiver.url


@pytest.fixture(
    scope="session", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], autouse=True
)
def server_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, receiver_url: str
) -> Iterator[str]:
    """A server of ours for all tests, once on each engine."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    hosts = f"hooks.example,{receiver_url.split('/')[2]}"
    if request.param == "sqlite":
        with running_server(folder / "store", folder=folder, webhook_hosts=hosts) as server:
            yield server.url
        return
    postgres = request.getfixturevalue("postgres_server")
    url = postgres.create_database()
    with running_server(url, folder=folder, webhook_hosts=hosts) as server:
        yield server.url
    postgres.drop_database(url)


@pytest.fixture
def mlflow() -> None:
    """Handed in by the client's process, as are the four below; see mlflow_kit."""


@pytest.fixture
def client() -> None: ...


@pytest.fixture
def experiment_id() -> None: ...


@pytest.fixture
def api() -> None: ...


@pytest.fixture
def tracking_uri() -> None: ...


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Run the test function in the client's process instead of here."""
    arguments = {name: value for name, value in pyfuncitem.callspec.params.items() if name != "server_url"}
    assert not set(arguments) & set(HANDED_IN), "the client's process hands in what has this name"
    if "receiver_url" in pyfuncitem.fixturenames:
        arguments["receiver_url"] = pyfuncitem._request.getfixturevalue("receiver_url")
    process = pyfuncitem._request.getfixturevalue("client_process")
    url = pyfuncitem._request.getfixturevalue("server_url")
    failure = process.run(pyfuncitem.path, pyfuncitem.originalname, url, arguments)
    if failure:
        pytest.fail(failure, pytrace=False)
    return True
