"""Taking a port on this machine, and who has one that is taken."""

import os
import socket

import pytest

from paddock.kernel.errors import InvalidSettings
from paddock.serving import PortInUse, bind_loopback, check_loopback, url_of


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_free_port_is_taken_and_listens(host):
    """Port 0 takes a free one, and connections are accepted from then on."""
    with bind_loopback(host, 0) as listener:
        address = url_of(listener).removeprefix("http://").split(":")

        with socket.create_connection((address[0], int(address[1])), timeout=10):
            assert address[0] == "127.0.0.1"


def test_taken_port_names_who_has_it():
    """The error says by pid which process listens."""
    with bind_loopback("127.0.0.1", 0) as first:
        port = first.getsockname()[1]

        with pytest.raises(PortInUse, match=rf"^port {port} is in use by process {os.getpid()} \(") as caught:
            bind_loopback("127.0.0.1", port)

    assert caught.value.details == {"port": port}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_address_others_can_reach_is_refused(host):
    """Only addresses of the machine itself are listened on."""
    with pytest.raises(InvalidSettings):
        check_loopback(host)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_number_that_is_no_port_is_refused(port):
    """A port is a number from 0 to 65535."""
    with pytest.raises(InvalidSettings, match=f"`port` is {port}"):
        bind_loopback("127.0.0.1", port)
