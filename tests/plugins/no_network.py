"""Refuses every connection and name look-up of the test process that would leave this machine.

Works below `socket`, asyncio and every client written in Python. It does not see C libraries that
open sockets of their own, nor child processes: tests give those loopback addresses only.
"""

import ipaddress
import socket
import sys

import pytest


class NetworkRefused(Exception):
    """A test tried to reach another machine."""


def pytest_configure(config: pytest.Config) -> None:
    sys.addaudithook(refuse_network)


def refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        opened, address = arguments[0], arguments[1]
        internet = getattr(opened, "family", None) in (socket.AF_INET, socket.AF_INET6)
        if internet and isinstance(address, tuple) and not is_local(address[0]):
            raise NetworkRefused(f"a test may not connect to `{address[0]}`")
    elif event == "socket.getaddrinfo" and not is_local(arguments[0]):
        raise NetworkRefused(f"a test may not look up `{arguments[0]!s}`")


def is_local(host: object) -> bool:
    """Say whether `host`, as given to a socket call, is this machine.

    >>> [is_local(host) for host in ("127.0.0.1", "::1", b"localhost", None, "0.0.0.0", "192.0.2.1")]
    [True, True, True, True, True, False]
    """
    text = host.decode() if isinstance(host, bytes) else host
    if text is None or text in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(text))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
