"""Taking a port, or saying who has it."""

import socket
from collections.abc import Iterator
from pathlib import Path

from paddock.kernel.errors import InvalidSettings, StoreInUse

_LISTENING = "0A"


def bind_port(host: str, port: int) -> socket.socket:
    """Return a listening-ready socket; port 0 takes a free one.

    Raises StoreInUse naming the process that has the port, as far as /proc tells.
    """
    address = host.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((address, port))
    except OSError as error:
        bound.close()
        if error.errno is not None and isinstance(error, PermissionError):
            raise InvalidSettings(f"port {port} may not be taken by this user") from error
        owner = describe_owner(port)
        raise StoreInUse(
            f"port {port} on {host} is in use{f' by {owner}' if owner else ''}",
            hint="stop that process, or choose another port",
            port=port,
        ) from error
    return bound


def describe_owner(port: int) -> str:
    """Return `process 123 (name)` of who listens on `port`, or an empty string where that is not told."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in inodes for link in (folder / "fd").iterdir()):
                return f"process {folder.name} ({(folder / 'comm').read_text().strip()})"
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
    return ""


def _listening_inodes(port: int) -> Iterator[str]:
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]
