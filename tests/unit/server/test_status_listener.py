"""`/health` and `/metrics` of a process that is no server, asked over real sockets."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from paddock.app import App, open_app
from paddock.kernel.errors import InvalidSettings, Unavailable
from paddock.kernel.settings import resolve_settings
from paddock.server import PortInUse, serve_status


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with closing(open_app(resolve_settings({"store": str(tmp_path / "store")}, {}, {}))) as opened:
        yield opened


def ask(url: str, method: str, path: str, **headers: str) -> tuple[int, str, bytes]:
    """Return status, content type and body of one answer."""
    with closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read()


def test_health_and_metrics_are_answered_and_nothing_else(app: App):
    """Two paths for GET and HEAD; any other path is 404, any other method 405."""
    with serve_status(app, 0, lambda: b"ticks 1\n") as url:
        assert ask(url, "GET", "/health") == (200, "text/plain; charset=utf-8", b"OK")
        assert ask(url, "GET", "/metrics") == (200, "text/plain; version=0.0.4; charset=utf-8", b"ticks 1\n")
        assert ask(url, "HEAD", "/health")[::2] == (200, b"")
        statuses = [ask(url, "GET", path)[0] for path in ("/", "/ready", "/api/v1/runs", "/health/")]
        assert statuses == [404, 404, 404, 404]
        assert ask(url, "POST", "/metrics")[0] == 405


def test_request_for_another_host_is_refused(app: App):
    """A page of another name cannot read the metrics through a browser on this machine."""
    with serve_status(app, 0, lambda: b"") as url:
        status, _, body = ask(url, "GET", "/metrics", Host="example.org")

    assert status == 421
    assert b"misdirected_request" in body


def test_unreadable_store_fails_the_scrape_but_not_the_health(app: App):
    """Metrics that cannot be read are a problem answer; the process itself is alive."""

    def render() -> bytes:
        raise Unavailable("the store is closed")

    with serve_status(app, 0, render) as url:
        status, media_type, body = ask(url, "GET", "/metrics")
        assert (status, media_type) == (503, "application/problem+json")
        assert b"the store is closed" in body
        assert ask(url, "GET", "/health")[0] == 200


def test_client_that_says_nothing_does_not_hold_up_the_others(app: App):
    """Connections left open keep nobody from an answer, nor the block from its end."""
    with serve_status(app, 0, lambda: b"") as url:
        host, port = url.removeprefix("http://").split(":")
        silent = [socket.create_connection((host, int(port)), timeout=10) for _ in range(20)]
        assert ask(url, "GET", "/health")[0] == 200
    for each in silent:
        each.close()


def test_port_is_free_again_when_the_block_ends(app: App):
    """The port belongs to the block; while it is taken, another one is told who has it."""
    with serve_status(app, 0, lambda: b"") as url:
        port = int(url.rsplit(":", 1)[1])
        with pytest.raises(PortInUse, match=f"port {port} is in use"), serve_status(app, port, lambda: b""):
            pass

    with serve_status(app, port, lambda: b"") as again:
        assert again == url


def test_address_that_others_can_reach_is_refused(tmp_path: Path):
    """The loop's status listens on loopback only."""
    settings = resolve_settings({"store": str(tmp_path / "store"), "host": "0.0.0.0"}, {}, {})
    with (
        closing(open_app(settings)) as app,
        pytest.raises(InvalidSettings, match="which other machines can reach"),
        serve_status(app, 0, lambda: b""),
    ):
        pass
