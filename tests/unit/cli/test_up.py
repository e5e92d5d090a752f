"""How `paddock up` looks after its page server."""

import socket
import sys

import pytest

from paddock.cli.up import _PageServer
from paddock.kernel.errors import Unavailable
from paddock.kernel.settings import resolve_settings


def test_page_server_that_never_answered_is_not_started_again(tmp_path, monkeypatch):
    """A server that cannot start at all is an error with its exit code."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = _PageServer(resolve_settings({"store": str(tmp_path), "port": port}, {}, {}), -1)

    try:
        with pytest.raises(Unavailable, match="ended with exit code 1"):
            look_for_ever(server)
    finally:
        server.stop()


def look_for_ever(server: _PageServer) -> None:
    while True:
        server.look()
