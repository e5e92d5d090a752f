"""One HTTP client for every server that is measured: asyncio, the same bytes to each."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import cast

import uvloop

LIMIT_S = 60.0  # what is not answered by then counts as not answered


class NoAnswer(Exception):
    """A request was not answered in LIMIT_S."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; the rest of the head is the client's. accept: an encoding, empty for none."""

    method: str
    target: str
    body: bytes = b""
    accept: str = ""

    def wire(self, *, is_kept: bool) -> bytes:
        """Return all bytes, sent in one piece."""
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: localhost", "User-Agent: bench"]
        if self.accept:
            lines.append(f"Accept-Encoding: {self.accept}")
        if self.method != "GET":
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        if not is_kept:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True, slots=True)
class Answer:
    """status: 0 when the connection broke. body: as it came, packed or not. wire_bytes: with the head."""

    status: int
    body: bytes
    wire_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Clients that ask one request after the other, for some seconds or so many requests each.

    requests: of the client of that number, without an end. is_kept: one connection for all of them, else a
    new one for each. At least `least` requests are sent, however long they take.
    """

    requests: Callable[[int], Iterator[Request]]
    seconds: float
    clients: int = 1
    least: int = 1
    most: int = 1_000_000
    is_kept: bool = True


@dataclass(slots=True)
class Load:
    """What came of a plan. latencies_s: of the answers with status 200, rising."""

    latencies_s: list[float] = field(default_factory=list)
    elapsed_s: float = 0.0
    failures: int = 0
    fault: str = ""


def drive(port: int, plan: Plan) -> Load:
    """Carry out a plan; NoAnswer when not one request, or the last one of a client, was answered in time."""
    try:
        return uvloop.run(_drive(port, plan))
    except ExceptionGroup as group:
        if group.subgroup(NoAnswer) is None:
            raise
        raise NoAnswer from group


def ask(port: int, request: Request) -> Answer:
    """Send one request by itself and return what came."""

    async def once() -> Answer:
        async with asyncio.timeout(LIMIT_S):
            connection = await _connect(port)
            return await connection.ask(request.wire(is_kept=False))

    try:
        return uvloop.run(once())
    except TimeoutError as error:
        raise NoAnswer from error


class _Connection(asyncio.Protocol):
    """Asks one thing at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._wanted = -1  # size of the whole answer, -1 while unknown

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is none

    def ask(self, request: bytes) -> "asyncio.Future[Answer]":
        self._answer = asyncio.get_running_loop().create_future()
        self._parts, self._size, self._wanted = [], 0, -1
        if self._transport is None or self._transport.is_closing():
            self._answer.set_result(Answer(0, b"the connection was closed", 0))
        else:
            self._transport.write(request)
        return self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._wanted < 0:
            self._wanted = _size_of(b"".join(self._parts))
        if 0 <= self._wanted <= self._size:
            self._finish()

    def connection_lost(self, _: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(0, b"the connection was closed", self._size))

    def _finish(self) -> None:
        head, _, body = b"".join(self._parts).partition(b"\r\n\r\n")
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(int(head[9:12]), body, self._size))


def _size_of(received: bytes) -> int:
    """Return how long the answer is, head and body; -1 while that cannot be told."""
    head, separator, _ = received.partition(b"\r\n\r\n")
    if not separator:
        return -1
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    if found:
        return len(head) + 4 + int(rest.partition(b"\r\n")[0])
    return len(received) if received.endswith(b"\r\n0\r\n\r\n") else -1  # in chunks


async def _drive(port: int, plan: Plan) -> Load:
    load = Load()
    started = perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(plan.clients):
            group.create_task(_client(port, plan, number, started + plan.seconds, load))
    load.elapsed_s = perf_counter() - started
    load.latencies_s.sort()
    return load


async def _client(port: int, plan: Plan, number: int, until: float, load: Load) -> None:
    connection = await _connect(port) if plan.is_kept else None
    sent, requests = 0, plan.requests(number)
    while sent < plan.least or (sent < plan.most and perf_counter() < until):
        sent += 1
        wire = next(requests).wire(is_kept=plan.is_kept)
        begun = perf_counter()
        try:
            async with asyncio.timeout(LIMIT_S):
                open_one = connection or await _connect(port)
                answer = await open_one.ask(wire)
        except TimeoutError as error:
            raise NoAnswer from error
        took = perf_counter() - begun
        if connection is None:
            open_one.close()
        if answer.status == 200:
            load.latencies_s.append(took)
        else:
            load.failures += 1
            load.fault = f"{answer.status} {answer.body[:300].decode(errors='replace')}"
            connection = await _connect(port) if plan.is_kept else None
    if connection is not None:
        connection.close()


async def _connect(port: int) -> _Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(partial(_Connection), "127.0.0.1", port)
    return connection
