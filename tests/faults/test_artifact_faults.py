"""Artifacts and their bytes when a process is killed in the middle, a disk is full, or a collection runs."""

import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from server_process import ServerProcess, running_server

from paddock.app import App, open_app
from paddock.kernel.digest import digest_bytes
from paddock.kernel.settings import resolve_settings

MOMENTS = int(os.environ.get("PADDOCK_KILL_MOMENTS", "10"))
CLIENTS = 4
BYTES = {"Content-Type": "application/octet-stream"}
_LOST = (OSError, http.client.HTTPException)
_PROGRAM = Path(__file__).with_name("gc_program.py")
_STEPS = Path(__file__).with_name("artifact_steps.py")


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where servers keep what is coming: a killed one leaves its files there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def open_store(folder: Path) -> App:
    return open_app(resolve_settings({"store": str(folder), "principal": "ann"}, {}, {}))


def start_run(server: ServerProcess) -> str:
    reply = server.ask("POST", "/api/v1/runs", body=b'{"experiment": "faults"}')
    return f"/api/v1/runs/{json.loads(reply.body)['run_id']}"


def object_files(folder: Path) -> list[Path]:
    return [path for path in (folder / "objects").glob("??/*") if path.is_file()]


def send_half(server: ServerProcess, address: str, body: bytes) -> socket.socket:
    """Announce all of `body`, send half of it and leave the connection open."""
    connection = server.connect()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers(server, body).items())
    connection.sendall(f"PUT {address} HTTP/1.1\r\n{lines}\r\n".encode() + body[: len(body) // 2])
    return connection


def test_broken_off_upload_leaves_nothing(tmp_path: Path, temporary_folder: Path):
    """A client that goes, and a server that is killed, in the middle of an upload leave nothing."""
    body = b"x" * 5_000_000
    with running_server(tmp_path / "store") as server:
        run = start_run(server)
        begun = json.loads(server.ask("POST", f"{run}/uploads", body=b'{"path": "b"}').body)
        part = f"/api/v1/uploads/{begun['upload_id']}/parts/1"
        for address in (f"{run}/artifacts/a", part):
            send_half(server, address, body).close()
        assert server.is_alive()
        held = [send_half(server, address, body) for address in (f"{run}/artifacts/a", part)]
        assert server.is_alive()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        for connection in held:
            connection.close()

    left = list(temporary_folder.glob("paddock-upload-*"))
    assert left, "the server was killed too late: the test has tested nothing"
    for path in left:
        os.utime(path, (time.time() - 90_000,) * 2)
    with running_server(tmp_path / "store") as server:
        assert json.loads(server.ask("GET", f"{run}/artifacts").body)["entries"] == []
        assert json.loads(server.ask("GET", part.removesuffix("/parts/1")).body)["parts"] == []
        assert object_files(tmp_path / "store") == []
        assert server.ask("PUT", f"{run}/artifacts/a", body=b"x", headers=headers(server, b"x")).status == 201
        assert list(temporary_folder.glob("paddock-upload-*")) == []


class Client(threading.Thread):
    """Uploads files, whole and in parts, until the server is gone; keeps what was acknowledged."""

    def __init__(self, port: int, run: str, number: int) -> None:
        super().__init__(name=f"client-{number}")
        self.stored: dict[str, str] = {}
        self._port = port
        self._run = run
        self._number = number
        self._chance = random.Random(number)

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            while True:
                self._upload(connection)
        except _LOST:
            return
        finally:
            connection.close()

    def _upload(self, connection: http.client.HTTPConnection) -> None:
        path = f"{self._number}/{len(self.stored)}"
        body = self._chance.randbytes(self._chance.choice((100, 50_000, 1_500_000)))
        if self._chance.random() < 0.5:
            found = self._ask(connection, "PUT", f"{self._run}/artifacts/{path}", body, BYTES)
        else:
            begun = self._post(connection, f"{self._run}/uploads", {"path": path})
            upload = f"/api/v1/uploads/{begun['upload_id']}"
            half = len(body) // 2
            for number, part in ((2, body[half:]), (1, body[:half])):
                self._ask(connection, "PUT", f"{upload}/parts/{number}", part, BYTES)
            found = self._post(connection, f"{upload}/complete", {})
        assert found["digest"] == digest_bytes(body)
        self.stored[path] = digest_bytes(body)

    def _post(self, connection: http.client.HTTPConnection, path: str, body: object) -> dict[str, str]:
        return self._ask(
            connection, "POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
    ) -> dict[str, str]:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status in (200, 201), text
        return json.loads(text)


@pytest.mark.kill
@pytest.mark.timeout(60 + 10 * MOMENTS)
def test_every_acknowledged_file_survives_sigkill(tmp_path: Path):
    """Killed at random moments, the server comes back with every file it answered, and all their bytes."""
    chance = random.Random(11)
    folder = tmp_path / "store"
    stored: dict[str, str] = {}
    runs: dict[str, dict[str, str]] = {}
    for _ in range(MOMENTS):
        with running_server(folder) as server:
            run = start_run(server)
            clients = [Client(server.port, run, number) for number in range(CLIENTS)]
            for client in clients:
                client.start()
            threading.Event().wait(chance.uniform(0.05, 0.6))
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
            for client in clients:
                client.join()
            runs[run] = {path: digest for client in clients for path, digest in client.stored.items()}
            stored.update(runs[run])

    assert len(stored) > MOMENTS
    with closing(open_store(folder)) as app:
        for run, files in runs.items():
            owner = f"runs/{run.rpartition('/')[2]}"
            found = {
                entry.path: entry.digest for entry in app.artifacts.list_files(owner, limit=1000).entries
            }
            assert {path: found.get(path) for path in files} == files
        assert [str(fault) for fault in app.governance.check().faults] == []


@pytest.mark.kill
@pytest.mark.timeout(120)
def test_collection_never_takes_what_is_named(tmp_path: Path):
    """While files of the same bytes come and go, and collections are killed, every file can be read."""
    with closing(open_store(tmp_path / "store")):
        pass
    chance = random.Random(5)
    writers = [start_program("write", tmp_path, str(seed), "12") for seed in range(2)]
    freed = 0
    while any(writer.poll() is None for writer in writers):
        collector = start_program("collect", tmp_path)
        try:
            collector.communicate(timeout=chance.uniform(1.5, 4.0))
        except subprocess.TimeoutExpired:
            collector.kill()
            output, _ = collector.communicate()
            freed += sum(map(int, output.split()))
        else:
            raise AssertionError("the collector ended by itself")

    for writer in writers:
        _, errors = writer.communicate()
        assert (writer.returncode, errors) == (0, "")
    assert freed > 0, "nothing was ever old enough: the test has tested nothing"
    with closing(open_store(tmp_path / "store")) as app:
        assert [str(fault) for fault in app.governance.check().faults] == []


@pytest.mark.kill
@pytest.mark.timeout(300)
def test_killed_at_any_step_nothing_is_half_done(tmp_path: Path):
    """Killed before each step on the disk, the store is whole, and what was acknowledged is there."""
    steps = 0
    while True:
        steps += 1
        folder = tmp_path / f"store-{steps}"
        command = [sys.executable, str(_STEPS), str(folder), str(steps)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.stderr == ""
        with closing(open_store(folder)) as app:
            entries = app.artifacts.list_files("").entries
            for entry in entries:
                assert digest_bytes(app.artifacts.read("", entry.path)) == entry.digest
            acknowledged = set(done.stdout.split()) - {"collected"}
            assert acknowledged <= {entry.path for entry in entries}
            assert [str(fault) for fault in app.governance.check().faults] == []
        shutil.rmtree(folder)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL

    assert steps > 20


def start_program(*arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, str(_PROGRAM), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_full_disk_is_507_and_heals(small_disk: Path, fill_disk: Callable[[Path], Path]):
    """On a full disk uploads are refused with the reason, downloads go on, and freed space is used."""
    body = bytes(range(256)) * 800
    with running_server(small_disk / "store") as server:
        run = start_run(server)
        first = server.ask("PUT", f"{run}/artifacts/first", body=body, headers=headers(server, body))
        ballast = fill_disk(small_disk)
        refused = server.ask(
            "PUT", f"{run}/artifacts/second", body=body[1:], headers=headers(server, body[1:])
        )

        assert (first.status, refused.status, refused.code) == (201, 507, "storage_full")
        assert server.ask("GET", f"{run}/artifacts/first").body == body
        part = server.ask("GET", f"{run}/artifacts/first", headers={**host(server), "Range": "bytes=5-9"})
        assert (part.status, part.body) == (206, body[5:10])
        assert list((small_disk / "store" / "objects").rglob(".tmp-*")) == []
        ballast.unlink()
        again = server.ask("PUT", f"{run}/artifacts/second", body=body[1:], headers=headers(server, body[1:]))
        assert again.status == 201
        assert server.ask("GET", f"{run}/artifacts/second").body == body[1:]


def host(server: ServerProcess) -> dict[str, str]:
    return {"Host": f"127.0.0.1:{server.port}"}


def headers(server: ServerProcess, body: bytes) -> dict[str, str]:
    return {**host(server), **BYTES, "Content-Length": str(len(body))}
