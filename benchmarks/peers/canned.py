"""A server that answers at once with what it was given: what is left is the time of the client."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import uvloop


@contextmanager
def canned_server(answers: Mapping[str, bytes]) -> Iterator[int]:
    """Serve these bodies by path, 404 for all others, in a thread; yield the port.

    In the thread of a program that only waits meanwhile: it takes no time from the client then.
    """
    ports: list[int] = []
    ready, ending = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=lambda: uvloop.run(_serve(answers, ports, ready, ending)), name="canned", daemon=True
    )
    thread.start()
    ready.wait()
    try:
        yield ports[0]
    finally:
        ending.set()
        thread.join()


class _Connection(asyncio.Protocol):
    def __init__(self, answers: Mapping[bytes, bytes]) -> None:
        self._answers = answers
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is none

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0 or self._transport is None:
            return
        head = bytes(self._received[:end])
        _, found, rest = head.lower().partition(b"\r\ncontent-length:")
        size = int(rest.partition(b"\r\n")[0]) if found else 0
        if len(self._received) < end + 4 + size:
            return
        self._received.clear()
        path = head.split(b" ", 2)[1].partition(b"?")[0]
        self._transport.write(self._answers.get(path, _answer("404 Not Found", b"{}")))


async def _serve(
    answers: Mapping[str, bytes], ports: list[int], ready: threading.Event, ending: threading.Event
) -> None:
    packed = {path.encode(): _answer("200 OK", body) for path, body in answers.items()}
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(packed), "127.0.0.1", 0)
    ports.append(server.sockets[0].getsockname()[1])
    ready.set()
    await asyncio.to_thread(ending.wait)
    server.close()


def _answer(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
