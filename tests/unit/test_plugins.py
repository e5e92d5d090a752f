"""The rule for every test: no network."""

import socket

import pytest
from no_network import NetworkRefused


def test_another_machine_is_refused():
    """A test that connects to another machine gets an error before a packet leaves."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened, pytest.raises(NetworkRefused):
        opened.connect(("192.0.2.1", 9))


def test_name_look_up_is_refused():
    """A test that looks up a name gets an error before the name server is asked."""
    with pytest.raises(NetworkRefused):
        socket.getaddrinfo("paddock.invalid", 80)


def test_loopback_is_allowed():
    """Processes of one test may talk to each other."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname(), timeout=5)

        assert client.getpeername() == server.getsockname()
        client.close()
