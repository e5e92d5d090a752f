"""The port of a process that answers HTTP: loopback only, and a clear word when it is taken."""

import errno
import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path

from paddock.kernel.errors import Conflict, InvalidSettings

_BACKLOG = 1_024
_LISTENING = "0A"


class PortInUse(Conflict):
    """Another process listens on the port."""

    code = "port_in_use"


def bind_loopback(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host` and `port` (0: any free one); connections wait to be accepted.

    Raises InvalidSettings for an address that other machines can reach, and PortInUse, which says
    who has the port where that can be known.
    """
    address = check_loopback(host)
    if not 0 <= port <= 65_535:
        raise InvalidSettings(f"`port` is {port}, but a port is a number from 0 to 65535")
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE:
            raise InvalidSettings(f"cannot listen on {host}:{port}: {error.strerror}") from error
        owner = _describe_owner(port)
        raise PortInUse(
            f"port {port} is in use{f' by {owner}' if owner else ''}",
            hint="choose another with --port",
            port=port,
        ) from error
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the address of a bound socket as a URL without a path."""
    address, port = listener.getsockname()[:2]
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def check_loopback(host: str) -> str:
    """Return the IP address for `host`, or raise InvalidSettings when it is not loopback.

    >>> check_loopback("localhost")
    '127.0.0.1'
    """
    if host.lower() == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError as error:
        raise InvalidSettings(f"`host` is `{host[:80]}`, but must be an IP address or `localhost`") from error
    if not address.is_loopback:
        raise InvalidSettings(
            f"`host` is `{host[:80]}`, which other machines can reach; Paddock has no login yet and "
            "listens on loopback only",
            hint="--host 127.0.0.1, and a tunnel such as `ssh -L` for another machine",
        )
    return str(address)


def _describe_owner(port: int) -> str:
    """Return `process 4711 (paddock server)` for who listens on `port`; empty when /proc does not tell."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not sockets:
        return ""
    for process in _processes():
        try:
            if sockets.isdisjoint(str(link.readlink()) for link in (process / "fd").iterdir()):
                continue
            words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:  # ended meanwhile, or of another user
            continue
        return f"process {process.name} ({_shorten(words)})"
    return "another user's process"


def _listening_inodes(port: int) -> Iterator[str]:
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _processes() -> Iterator[Path]:
    return (folder for folder in Path("/proc").iterdir() if folder.name.isdecimal())


def _shorten(words: list[str]) -> str:
    # Addresses are left out: the one of a store may hold a password.
    names = [
        Path(word).name if word.startswith("/") else word for word in words if word and "://" not in word
    ]
    text = " ".join(names)
    return text if len(text) <= 60 else f"{text[:57]}..."
