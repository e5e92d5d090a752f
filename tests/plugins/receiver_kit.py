"""Real receivers of webhooks on loopback: one that speaks HTTP, and raw ones that misbehave."""

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def delivery_id(self) -> str:
        return self.headers["X-MLflow-Delivery-Id"]

    @property
    def name(self) -> str:
        told = json.loads(self.body)
        return f"{told['entity']}.{told['action']}"

    @property
    def data(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.body)["data"]
        return found


@dataclass(frozen=True, slots=True)
class Reply:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"thanks"


class Receiver:
    """Keeps what it is sent. answer: what it says to each request, 200 unless set."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.received: list[Received] = []
        self.answer: Callable[[Received], Reply] = lambda _: Reply()
        self._changed = threading.Condition()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.place}/in"

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.received]

    @property
    def effects(self) -> list[str]:
        """What a receiver does that acts once for each delivery id: the names, in order."""
        return list({each.delivery_id: each.name for each in self.received}.values())

    def take(self, request: Received) -> Reply:
        with self._changed:
            self.received.append(request)
            self._changed.notify_all()
        return self.answer(request)

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.received) >= count, WAIT_S), self.names

    def answer_in_turn(self, *statuses: int) -> None:
        """Answer with these statuses one after the other, then with 200."""
        left = list(statuses)
        self.answer = lambda _: Reply(left.pop(0) if left else 200)


@contextmanager
def running_receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver on a free port of 127.0.0.1. tls: how it proves its name; without, it speaks HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = receiver.take(Received(self.path, dict(self.headers), body))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        receiver = Receiver(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def raw_receiver(speak: Callable[[socket.socket], None]) -> Iterator[int]:
    """Run a server that hands its one connection to `speak`, and yield its port."""

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                speak(connection)
        except OSError:  # the other side has gone, as it should
            return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def is_signed(request: Received, secret: str) -> bool:
    """Verify a delivery the way MLflow's documentation tells receivers to."""
    version, _, given = request.headers["X-MLflow-Signature"].partition(",")
    signed = f"{request.delivery_id}.{request.headers['X-MLflow-Timestamp']}.{request.body.decode()}"
    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return version == "v1" and hmac.compare_digest(given, base64.b64encode(digest).decode())
