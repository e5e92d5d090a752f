"""One POST to a place outside, over a connection whose far end was checked.

The name is looked up once, the connection goes to an address that was found, and before a byte is sent the
far end is checked again as the system tells it. The whole request, look-up included, has one deadline.
"""

import http.client
import io
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address

from paddock.integrations.webhooks.outbound import Outbound, Place, parse_url
from paddock.integrations.webhooks.records import Attempt
from paddock.kernel.clock import monotonic_s
from paddock.kernel.errors import InvalidInput

TIMEOUT_S = 5.0
MOST_BYTES = 65_536

_LOOKUPS = 16  # that may hang at a time
_READ_BYTES = 8_192

Resolve = Callable[[str, int, float], Sequence[str]]
Connect = Callable[[str, int, float], socket.socket]


class SystemResolver:
    """Looks names up as the system does, which knows no deadline: in threads that may be left behind."""

    def __init__(self) -> None:
        self._free = threading.BoundedSemaphore(_LOOKUPS)

    def __call__(self, host: str, port: int, timeout_s: float) -> Sequence[str]:
        """Return the addresses of `host`, without repeats. Raises TimeoutError, or gaierror for none."""
        deadline = monotonic_s() + timeout_s
        if not self._free.acquire(timeout=timeout_s):
            raise TimeoutError
        answer: queue.SimpleQueue[Sequence[str] | OSError] = queue.SimpleQueue()
        threading.Thread(
            target=self._look_up, args=(host, port, answer), name="paddock-lookup", daemon=True
        ).start()
        try:
            found = answer.get(timeout=max(0.0, deadline - monotonic_s()))
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(found, OSError):
            raise found
        return found

    def _look_up(self, host: str, port: int, answer: "queue.SimpleQueue[Sequence[str] | OSError]") -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.put(tuple(dict.fromkeys(str(info[4][0]) for info in infos)))
        except OSError as error:
            answer.put(error)
        finally:
            self._free.release()


def open_socket(address: str, port: int, timeout_s: float) -> socket.socket:
    """Return a connection to an address, which is not looked up."""
    opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.settimeout(timeout_s)
        opened.connect((address, port))
    except BaseException:
        opened.close()
        raise
    return opened


@cache
def system_resolver() -> SystemResolver:
    """Return the one resolver of this process: look-ups that hang are bounded over all senders."""
    return SystemResolver()


@cache
def system_tls() -> ssl.SSLContext:
    """Return how the far end must prove its name: by the certificates that this system trusts."""
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends requests to the places that `outbound` allows. Safe to share between threads."""

    outbound: Outbound
    resolve: Resolve = field(default_factory=system_resolver)
    connect: Connect = open_socket
    tls: Callable[[], ssl.SSLContext] = system_tls
    timeout_s: float = TIMEOUT_S

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        """Send one request and return how it went; what a network or a receiver does is never raised.

        At most 64 KiB of the answer are read. A redirect is an answer like any other, and not followed.
        """
        deadline = monotonic_s() + self.timeout_s
        try:
            place = parse_url(url)
            with closing(self._open(place, deadline)) as connection:
                return _exchange(connection, deadline, _request(place, headers, body), body)
        except InvalidInput as error:
            return Attempt(0, error.message)
        except TimeoutError:
            return Attempt(0, f"no answer within {self.timeout_s:g} s")
        except (OSError, http.client.HTTPException) as error:
            return Attempt(0, _describe(error))

    def _open(self, place: Place, deadline: float) -> socket.socket:
        """Return a connection to a checked address, with TLS where the URL asks for it."""
        _demand(self.outbound.find_url_fault(place))
        found = [place.host] if place.is_literal else self.resolve(place.host, place.port, _left(deadline))
        for address in found:
            _demand(self.outbound.find_address_fault(place, address))
        opened = self._connect(place, found, deadline)
        try:
            peer = opened.getpeername()[0]
            _demand(self.outbound.find_address_fault(place, peer))
            if ip_address(peer) not in map(ip_address, found):
                raise InvalidInput(f"the connection leads to `{peer}`, which `{place.host}` is not")
            opened.settimeout(_left(deadline))
            if place.scheme == "https":
                return self.tls().wrap_socket(opened, server_hostname=place.host)
        except BaseException:
            opened.close()
            raise
        return opened

    def _connect(self, place: Place, addresses: Sequence[str], deadline: float) -> socket.socket:
        """Try one address after the other, each for its share of the time that is left."""
        for index, address in enumerate(addresses, 1):
            try:
                return self.connect(address, place.port, _left(deadline) / (len(addresses) - index + 1))
            except OSError:
                if index == len(addresses):
                    raise
        raise OSError(f"`{place.host}` has no address")


class _Incoming(io.RawIOBase):
    """The bytes of an answer, up to a deadline and a number of them; http.client takes it for a socket."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._left = MOST_BYTES

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002  a socket's signature
        return io.BufferedReader(self, _READ_BYTES)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]  # narrower than any buffer
        if self._left <= 0:
            raise _TooLarge
        self._connection.settimeout(_left(self._deadline))
        count = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._left -= count
        return count


class _TooLarge(http.client.HTTPException):
    """More came than is read."""


def _exchange(connection: socket.socket, deadline: float, head: bytes, body: bytes) -> Attempt:
    connection.settimeout(_left(deadline))
    connection.sendall(head + body)
    incoming = _Incoming(connection, deadline)
    # it only ever asks a socket for its file
    response = http.client.HTTPResponse(incoming, method="POST")  # type: ignore[arg-type]
    with closing(response):
        response.begin()
        text = _read_text(response)
    is_redirect = 300 <= response.status <= 399
    words = f"answered {response.status}{', which is not followed' if is_redirect else ''}"
    return Attempt(response.status, words, text)


def _read_text(response: http.client.HTTPResponse) -> str:
    """Return what comes of the body in time; the status has told already how it went."""
    parts: list[bytes] = []
    try:
        while part := response.read1(_READ_BYTES):
            parts.append(part)
    except (OSError, http.client.HTTPException):
        parts.append(b"")  # cut here: too large, too slow or broken off
    return b"".join(parts).decode("utf-8", "replace")


def _request(place: Place, headers: Mapping[str, str], body: bytes) -> bytes:
    fields = {"Host": place.authority, **headers, "Content-Length": str(len(body)), "Connection": "close"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {place.path} HTTP/1.1\r\n{lines}\r\n".encode("ascii")


def _left(deadline: float) -> float:
    left = deadline - monotonic_s()
    if left <= 0:
        raise TimeoutError
    return left


def _demand(fault: str) -> None:
    if fault:
        raise InvalidInput(fault)


def _describe(error: Exception) -> str:
    """Say what went wrong, in no words of the receiver's."""
    if isinstance(error, http.client.RemoteDisconnected):
        return "no answer: the connection was closed"
    if isinstance(error, _TooLarge):
        return f"no valid answer: it is larger than {MOST_BYTES // 1024} KiB"
    if isinstance(error, http.client.HTTPException):
        return "no valid answer: it is not HTTP"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not prove its name: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return f"its name cannot be looked up: {error.strerror}"
    if isinstance(error, OSError) and error.strerror:
        return f"no connection: {error.strerror}"
    return f"no connection: {error}"
