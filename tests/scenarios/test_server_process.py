"""The server as a process: how it starts, refuses to start, and ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from server_process import running_server

CLI = [sys.executable, "-m", "paddock.cli"]


def run_cli(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*CLI, *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
    )


def test_server_answers_on_every_face_it_has(tmp_path: Path):
    """Health, readiness, metrics and the API document answer as soon as the server says it is ready."""
    with running_server(tmp_path / "store") as server:
        assert server.ask("GET", "/health").body == b"OK"
        assert json.loads(server.ask("GET", "/ready").body)["ready"] is True
        assert server.ask("GET", "/api/v1/openapi.json").status == 200
        metrics = server.ask("GET", "/metrics").body.decode()

    assert 'paddock_http_requests_total{method="GET",route="/ready",status="200"} 1.0' in metrics
    assert "paddock_ledger_head_position 0.0" in metrics


def test_every_answer_carries_the_security_headers(tmp_path: Path):
    """Pages, JSON, text and errors alike: CSP without inline scripts, nosniff, no referrer to others."""
    with running_server(tmp_path / "store") as server:
        replies = [server.ask("GET", path) for path in ("/health", "/api/v1/runs", "/nowhere", "/api//v1")]
        replies.append(server.send(b"nonsense\r\n\r\n"))

    for reply in replies:
        policy = dict(
            part.strip().split(" ", 1) for part in reply.headers["content-security-policy"].split(";")
        )
        assert policy["script-src"] == "'self'"
        assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "same-origin"
        assert len(reply.headers["x-request-id"]) == 32
        assert "server" not in reply.headers


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_address_that_others_can_reach_is_refused(tmp_path: Path, host: str):
    """Without a login the server listens on loopback only, and says so."""
    result = run_cli("--store", str(tmp_path / "store"), "server", "--host", host, "--port", "0")

    assert result.returncode == 2
    assert result.stderr.startswith(f"error: `host` is `{host}`")
    assert not (tmp_path / "store").exists()


def test_port_in_use_names_the_process(tmp_path: Path):
    """Who has the port is told by pid and command."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        result = run_cli("--store", str(tmp_path / "store"), "server", "--port", str(port))

    assert result.returncode == 4
    assert f"port {port} is in use by process {os.getpid()} (" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_server_ends_in_order(tmp_path: Path, number: signal.Signals, code: int):
    """SIGTERM ends with 0, Ctrl-C with 130 and one line; never a traceback."""
    with running_server(tmp_path / "store") as server:
        server.process.send_signal(number)

        assert server.process.wait(20) == code
        assert server.process.stderr is not None
        assert server.process.stderr.read().strip() == ("stopped" if code else "")


def test_requests_at_work_end_before_the_server_does(tmp_path: Path):
    """A body that is still arriving when SIGTERM comes is taken and answered."""
    body = b'{"experiment": "drained"}'
    head = "POST /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    with running_server(tmp_path / "store") as server, server.connect() as connection:
        connection.sendall(head.encode() + body[:5])
        assert server.ask("GET", "/health").body == b"OK"  # the half request has been read by now
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        connection.sendall(body[5:])

        assert connection.recv(65_536).startswith(b"HTTP/1.1 201")
        assert server.process.wait(20) == 0


def test_server_ends_with_its_parent(tmp_path: Path):
    """When the other end of the pipe is gone, the server goes too and leaves its port."""
    hears, lifeline = os.pipe()
    command = [*CLI, "--store", str(tmp_path / "store"), "server", "--port", "0", "--parent-fd", str(hears)]
    with subprocess.Popen(command, pass_fds=(hears,), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        os.close(hears)
        os.close(lifeline)

        assert process.wait(20) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_store_that_cannot_be_opened_is_told_in_one_line(tmp_path: Path):
    """A store path that is a file is an error with a reason, and exit code."""
    (tmp_path / "store").write_text("not a folder")

    result = run_cli("--store", str(tmp_path / "store"), "server", "--port", "0")

    assert result.returncode != 0
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr
