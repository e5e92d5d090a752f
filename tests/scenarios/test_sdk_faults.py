"""The SDK when answers are lost, servers die and several programs work at once."""

import contextlib
import json
import os
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from server_process import Reply, ServerProcess, read_reply, running_server
from sklearn.linear_model import LogisticRegression

import paddock as pk
from paddock.app import App, open_app
from paddock.kernel.settings import resolve_settings
from paddock.sdk.remote import HttpStore
from paddock.sdk.transport import Patience, Transport

README = Path(__file__).parent.parent.parent / "README.md"
HASTE = Patience(total_s=0.3, greet_s=0.3, first_wait_s=0.01, most_wait_s=0.05)

TRAINING = """
import sys
import pyarrow as pa
import paddock as pk

who = sys.argv[1]
with pk.run("shared", name=who) as outer:
    for number in range(3):
        pk.add_dataset("flights", pa.table({"row": [who, str(number)]}))
        with pk.run("shared", params={"number": number}) as run:
            for step in range(40):
                run.log({"loss": step / 40, "auc": 0.5})
            run.log_artifact("note.txt", who.encode())
"""

KILLED = """
import os, signal
import paddock as pk

with pk.run("delay", name="killed") as run:
    run.log({"auc": 0.5})
    os.kill(os.getpid(), signal.SIGKILL)
"""

LIGHT = """
import json, sys
import paddock as pk
from paddock.kernel.errors import NotFound

pk.add_dataset("flights", "flights.csv")
with pk.run("delay", params={"depth": 6}) as run:
    run.log({"auc": 0.5})
    run.log_artifact("note.txt", b"light")
try:
    pk.promote("delay@1")
except NotFound:
    pass
heavy = ("apsw", "numpy", "pyarrow", "pandas", "starlette")
print(json.dumps([name for name in heavy if name in sys.modules]))
"""


class Proxy(socketserver.ThreadingTCPServer):
    """Stands between client and server; hands requests on and, as `loses` says, keeps the answer to itself.

    loses: is given the first line and the idempotency key of a request that the server has answered.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, loses: Callable[[str, str], bool]) -> None:
        super().__init__(("127.0.0.1", 0), Passage)
        self.port = port
        self.loses = loses
        self.lines: list[str] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Passage(socketserver.StreamRequestHandler):
    """One request on its way there and, perhaps, one answer on its way back."""

    server: Proxy

    def handle(self) -> None:
        lines = []
        while (line := self.rfile.readline().decode("latin-1").rstrip("\r\n")) != "":
            lines.append(line)
        if not lines:
            return
        headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in lines[1:])}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        reply = self._ask("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        with self.server.lock:
            self.server.lines.append(lines[0])
            is_lost = self.server.loses(lines[0], headers.get("idempotency-key", ""))
        if not is_lost:
            self.wfile.write(write_reply(reply))

    def _ask(self, request: bytes) -> Reply:
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as connection:
            connection.sendall(request)
            return read_reply(connection)


def write_reply(reply: Reply) -> bytes:
    headers = {**reply.headers, "connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} X\r\n{head}\r\n".encode("latin-1") + reply.body


@contextlib.contextmanager
def proxy_before(server: ServerProcess, loses: Callable[[str, str], bool]) -> Iterator[Proxy]:
    with Proxy(server.port, loses) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of the test's store, in an empty working folder."""
    for name in ("PADDOCK_STORE", "PADDOCK_URI", "PADDOCK_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PADDOCK_FLUSH_TIMEOUT_S", "2")  # for those whose store is gone
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "store"
    pk.disconnect()


@contextlib.contextmanager
def looking_at(store: Path) -> Iterator[App]:
    with closing(open_app(resolve_settings({"store": str(store)}, {}, {}))) as app:
        yield app


def python(program: str, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, **{f"PADDOCK_{name.upper()}": value for name, value in settings.items()}}
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def paddock(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "paddock.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def test_every_lost_answer_is_asked_for_again_and_counts_once(store: Path):
    """The answer to each write is lost once after the server has stored it; nothing is doubled or missing."""
    seen: set[str] = set()

    def loses(line: str, key: str) -> bool:
        is_first = bool(key) and key not in seen
        seen.add(key)
        return is_first

    hour = np.linspace(0.0, 23.0, 40)
    estimator = LogisticRegression().fit(hour.reshape(-1, 1), (hour > 11).astype(float))
    with running_server(store) as server, proxy_before(server, loses) as proxy:
        pk.connect(proxy.url)
        data = pk.add_dataset("flights", pa.table({"hour": hour}))
        with pk.run("delay", params={"depth": 6}) as run:
            rows = data.to_arrow()
            run.log({"auc": 0.5, "loss": 0.1})
            run.log({"auc": 0.6})
            run.set_tags({"team": "one"})
            run.log_artifact("note.txt", b"once")
            version = run.log_model(estimator, name="delay", sample=rows.slice(0, 20))
        lines = list(proxy.lines)

    with looking_at(store) as app:
        found = app.tracking.get_run(run.run_id)
        history = app.tracking.metric_history(run.run_id, "auc")
        assert [each.run_id for each in app.tracking.search_runs().runs] == [run.run_id]
        assert (found.status, found.metrics["loss"]) == ("finished", 0.1)
        assert [(point.step, point.value) for point in history] == [(0, 0.5), (1, 0.6)]
        assert [each.path for each in found.artifacts] == ["note.txt"]
        assert [each.version for each in app.datasets.list_versions("flights")] == [1]
        assert [each.ref for each in app.registry.list_versions("delay")] == [version]
        events = [each.kind for each in app.metadata.events(app.actor.project_id)]
    assert events == ["dataset.added", "run.started", "model.created", "model.registered", "run.finished"]
    writes = [line for line in lines if not line.startswith("GET")]
    assert len(writes) == 2 * len(seen - {""})


def test_many_calls_are_few_requests(store: Path):
    """A thousand calls go in batches; what is recorded already is not sent again."""
    with running_server(store) as server, proxy_before(server, lambda line, key: False) as proxy:
        pk.connect(proxy.url)
        data = pk.add_dataset("flights", pa.table({"hour": [1.0]}))
        with pk.run("delay") as run:
            for number in range(1_000):
                run.log({"auc": number})
                run.log({})
                run.log_input(data.ref)
            run.flush()
            logged = len([line for line in proxy.lines if "/log " in line])
            run.flush()

    assert logged < 50
    assert len([line for line in proxy.lines if "/log " in line]) == logged
    with looking_at(store) as app:
        found = app.tracking.get_run(run.run_id)
        assert len(app.tracking.metric_history(run.run_id, "auc")) == 1_000
    assert [str(used.dataset) for used in found.inputs] == ["flights@1"]


def test_server_killed_before_its_answer(store: Path):
    """SIGKILL between commit and answer: the next server gives that answer, and the point is there once."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(running_server(store))

        def kill(line: str, key: str) -> bool:
            if "/log " not in line or proxy.port != first.port:
                return False
            first.process.send_signal(signal.SIGKILL)
            first.process.wait(20)
            proxy.port = stack.enter_context(running_server(store)).port
            return True

        proxy = stack.enter_context(proxy_before(first, kill))
        pk.connect(proxy.url)
        with pk.run("delay") as run:
            run.log({"auc": 0.5})
            run.log({"auc": 0.6})
        pk.disconnect()

    assert first.process.returncode == -signal.SIGKILL
    with looking_at(store) as app:
        assert [point.value for point in app.tracking.metric_history(run.run_id, "auc")] == [0.5, 0.6]
        assert app.tracking.get_run(run.run_id).status == "finished"


def test_server_that_is_gone_does_not_hide_what_went_wrong(store: Path):
    """When the end of a failed run cannot be told, the failure itself is raised, with a note."""
    with running_server(store) as server:
        pk.connect(HttpStore(Transport(server.url, patience=HASTE)))
        started: list[str] = []

        def train() -> None:
            with pk.run("delay") as run:
                started.append(run.run_id)
                server.process.send_signal(signal.SIGTERM)
                server.process.wait(20)
                raise ValueError("no rows")

        with pytest.raises(ValueError, match="no rows") as raised:
            train()

    (run_id,), (note,) = started, raised.value.__notes__
    assert note.startswith(f"run {run_id} has 1 record waiting in `")
    assert f"the server at `{server.url}` does not answer" in note
    assert note.endswith("`paddock sync` delivers what waits")
    with looking_at(store) as app:
        assert app.tracking.get_run(run_id).status == "running"


@pytest.mark.parametrize("remote", [False, True], ids=["folder", "server"])
def test_programs_that_train_at_once_lose_nothing(store: Path, remote: bool):
    """Two training programs log to one store at the same time, and every write of both is there."""
    with contextlib.ExitStack() as stack:
        settings: Mapping[str, str] = {"store": str(store)}
        if remote:
            settings = {"uri": stack.enter_context(running_server(store)).url}
        programs = [python(TRAINING, who, **settings) for who in ("ann", "bob")]
        for program in programs:
            outcome(program)

    with looking_at(store) as app:
        outer = [run for run in app.tracking.search_runs(limit=100).runs if not run.parent_id]
        assert sorted(run.name for run in outer) == ["ann", "bob"]
        for parent in outer:
            runs = app.tracking.search_runs(parent_id=parent.run_id).runs
            assert sorted(run.params["number"] for run in runs) == ["0", "1", "2"]
            for run in runs:
                assert run.status == "finished"
                assert app.tracking.read_artifact(run.run_id, "note.txt") == parent.name.encode()
                for key in ("loss", "auc"):
                    points = app.tracking.metric_history(run.run_id, key)
                    assert [point.step for point in points] == list(range(40))
        assert [each.version for each in app.datasets.list_versions("flights")] == [6, 5, 4, 3, 2, 1]
        assert app.metadata.verify_ledger().ok


def test_run_of_a_killed_process_stays_running(store: Path):
    """A killed process cannot end its run; what it had logged is there after `paddock sync` at the latest."""
    process = python(KILLED, store=str(store))
    process.communicate(timeout=60)

    assert process.returncode == -signal.SIGKILL
    outcome(paddock("--store", str(store), "sync"))
    with looking_at(store) as app:
        (run,) = app.tracking.search_runs().runs
    assert (run.name, run.status, run.metrics) == ("killed", "running", {"auc": 0.5})


def test_client_of_a_server_loads_no_store(store: Path, tmp_path: Path):
    """Over HTTP neither SQLite nor Arrow is loaded for runs, files and aliases."""
    (tmp_path / "flights.csv").write_text("carrier,delay\nUA,3.5\n")
    with running_server(store) as server:
        out = outcome(python(LIGHT, uri=server.url))

    assert json.loads(out) == []
    with looking_at(store) as app:
        assert app.datasets.get("flights").row_count == 1
        assert app.tracking.search_runs().runs[0].metrics == {"auc": 0.5}


@pytest.mark.parametrize("remote", [False, True], ids=["folder", "server"])
def test_first_model_of_the_readme(store: Path, remote: bool):
    """The quick start prints what the README shows, on a folder and on a server."""
    chapter = README.read_text().partition("## The first model")[2]
    program, shown = re.findall(r"^```(?:python|text)\n(.*?)^```$", chapter, re.MULTILINE | re.DOTALL)[:2]
    with contextlib.ExitStack() as stack:
        settings: Mapping[str, str] = {"store": str(store)}
        if remote:
            settings = {"uri": stack.enter_context(running_server(store)).url}
        assert outcome(python(program, **settings)) == shown

    with looking_at(store) as app:
        version = app.registry.get("delay@1")
        run = app.tracking.get_run(version.run_id)
    assert [str(used.dataset) for used in run.inputs] == ["flights@1"]
    assert (run.status, list(run.metrics)) == ("finished", ["accuracy"])
