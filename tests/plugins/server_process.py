"""A real server process for tests, and raw sockets to speak to it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROBLEM_FIELDS = {"type", "title", "status", "code", "detail", "hint", "request_id", "errors", "facts"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer taken apart. is_closed: the server closed the connection after it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_closed: bool

    def problem(self) -> dict[str, object]:
        """Return the body as a problem, after checking that it is a complete one."""
        assert self.headers["content-type"] == "application/problem+json", self
        found: dict[str, object] = json.loads(self.body)
        assert set(found) == PROBLEM_FIELDS
        assert found["status"] == self.status
        assert found["request_id"] == self.headers["x-request-id"]
        return found

    @property
    def code(self) -> object:
        return self.problem()["code"]


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A running `paddock server`."""

    process: "subprocess.Popen[str]"
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, timeout_s: float = 20.0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)

    def send(self, raw: bytes) -> Reply:
        """Send bytes on a new connection and return the first answer."""
        with self.connect() as connection:
            send_all(connection, raw)
            return read_reply(connection, has_body=not raw.startswith(b"HEAD "))

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        media_type: str = "application/json",
    ) -> Reply:
        """Send an ordinary request; `headers` replace the ordinary ones."""
        sent = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
        if body or method in ("POST", "PUT", "PATCH"):
            sent = {"Content-Type": media_type, "Content-Length": str(len(body)), **sent}
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        return self.send(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body)

    def is_alive(self) -> bool:
        return self.process.poll() is None and self.ask("GET", "/health").body == b"OK"


@contextmanager
def running_server(
    store: Path | str, *options: str, folder: Path | None = None, **settings: str
) -> Iterator[ServerProcess]:
    """Start `paddock server` on a free port, wait until it is ready, and end it with SIGTERM.

    store: a folder, or the address of a database. folder: where the process runs. settings: such as
    `request_timeout_s="1"`, handed over in the environment.
    """
    command = [sys.executable, "-m", "paddock.cli", "--store", str(store), "server", "--port", "0", *options]
    environment = {**os.environ, **{f"PADDOCK_{name.upper()}": value for name, value in settings.items()}}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready at "), (line, process.stderr.read() if process.stderr else "")
        yield ServerProcess(process, int(line.rsplit(":", 1)[1]))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


def send_all(connection: socket.socket, raw: bytes) -> None:
    """Send everything the server is willing to take; it may answer and close in the middle."""
    try:
        connection.sendall(raw)
    except (BrokenPipeError, ConnectionResetError):
        return


def read_reply(connection: socket.socket, *, has_body: bool = True) -> Reply:
    """Read one answer with Content-Length from the connection. has_body: False for HEAD."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65_536)
        assert chunk, f"the connection was closed after {data!r}"
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while has_body and len(body) < int(headers["content-length"]):
        chunk = connection.recv(65_536)
        assert chunk, "the answer is cut"
        body += chunk
    return Reply(int(first.split()[1]), headers, body, headers.get("connection") == "close")
