"""Training that goes on without its store, in real processes, and how what it logged gets there."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from gateway_kit import wait_until
from server_process import running_server

import paddock as pk
from paddock.app import App, open_app
from paddock.kernel.errors import InvalidSettings
from paddock.kernel.settings import resolve_settings

MOMENTS = int(os.environ.get("PADDOCK_KILL_MOMENTS", "10"))

# logs step after step, and tells each one when the call is back
ENDLESS = """
import itertools, os
import paddock as pk

with pk.run("killed", params={"depth": 6}) as run:
    os.write(1, f"{run.run_id}\\n".encode())
    for step in itertools.count():
        run.log({"loss": step}, step=step)
        if step % 7 == 0:
            run.set_tags({"last": str(step)})
        os.write(1, f"{step}\\n".encode())
"""

TRAINING = """
import sys
import paddock as pk

with pk.run("late", params={"depth": 6}) as outer:
    for step in range(100):
        outer.log({"loss": step}, step=step)
    with pk.run("late") as inner:
        inner.log_artifact("weights.bin", "weights.bin")
        inner.log_text("done", "note.txt", step=3)
print(outer.run_id, inner.run_id)
"""

FORKING = """
import multiprocessing, os, signal
import paddock as pk

def work(number, run):
    for step in range(50):
        run.log({f"loss_{number}": step}, step=step)
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)

with pk.run("forking") as run:
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=work, args=(number, run)) for number in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
print(run.run_id)
"""


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of the test's store, in an empty working folder."""
    for name in [name for name in os.environ if name.startswith("PADDOCK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "store"
    pk.disconnect()


@contextlib.contextmanager
def looking_at(store: Path) -> Iterator[App]:
    with closing(open_app(resolve_settings({"store": str(store)}, {}, {}))) as app:
        yield app


def start(program: str, **settings: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, **{f"PADDOCK_{name.upper()}": value for name, value in settings.items()}}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=pipe, stderr=pipe, text=True, env=environment
    )


def outcome(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def sync(*words: str, **settings: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, **{f"PADDOCK_{name.upper()}": value for name, value in settings.items()}}
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "paddock.cli", "sync", "--json", *words]
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def steps_of(app: App, run_id: str, key: str = "loss") -> list[int]:
    """Return the steps of a metric, after checking that each value is its own."""
    points = app.tracking.metric_history(run_id, key)
    assert [point.value for point in points] == [point.step for point in points]
    return [point.step for point in points]


def kill_while_logging(process: "subprocess.Popen[str]", after_s: float) -> tuple[str, int]:
    """Kill a run of ENDLESS; return its id and the last step whose call was back."""
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after_s)
    process.kill()
    rest, err = process.communicate(timeout=60)
    assert run_id, err
    told = [line for line in rest.split("\n")[:-1] if line]
    return run_id, int(told[-1]) if told else -1


@pytest.mark.kill
@pytest.mark.timeout(60 + 10 * MOMENTS)
@pytest.mark.parametrize("remote", [False, True], ids=["folder", "server"])
def test_every_record_survives_the_death_of_its_process(store: Path, remote: bool):
    """Killed at any moment, a run has each point whose call was back exactly once, after `paddock sync`."""
    chance = random.Random(3)
    with contextlib.ExitStack() as stack:
        settings = {"store": str(store), "spool": "spool"}
        if remote:
            settings = {"uri": stack.enter_context(running_server(store)).url, "spool": "spool"}
        killed = [
            kill_while_logging(start(ENDLESS, **settings), chance.uniform(0.0, 1.2)) for _ in range(MOMENTS)
        ]
        outcome(sync(**settings))
        again = json.loads(outcome(sync(**settings)))

    assert again == {"journals": []}
    assert list(Path("spool").iterdir()) == []
    with looking_at(store) as app:
        for run_id, last in killed:
            steps = steps_of(app, run_id)
            assert steps == list(range(len(steps)))
            assert len(steps) - 1 in (last, last + 1)  # a call may have been on its way back
            run = app.tracking.get_run(run_id)
            assert (run.status, run.params) == ("running", {"depth": "6"})
    assert sum(last for _, last in killed) > 100


@pytest.mark.parametrize("is_there", [False, True], ids=["from the start", "in the middle"])
def test_training_goes_on_while_the_server_is_away(
    store: Path, is_there: bool, monkeypatch: pytest.MonkeyPatch
):
    """The same process delivers all of it when the server is back, in order, and nothing twice."""
    port = free_port()
    monkeypatch.setenv("PADDOCK_URI", f"http://127.0.0.1:{port}")
    told = recording(monkeypatch)
    with contextlib.ExitStack() as first, contextlib.ExitStack() as second:
        if is_there:
            first.enter_context(running_server(store, "--port", str(port)))
        with pk.run("late", params={"depth": 6}) as run:
            run.log({"loss": 0}, step=0)
            first.close()
            for step in range(1, 200):
                run.log({"loss": step}, step=step)
            wait_until(lambda: bool(told))
            second.enter_context(running_server(store, "--port", str(port)))
            wait_until(lambda: has_steps(store, run.run_id, 200))
            run.log({"loss": 200}, step=200)

    (message,) = told
    assert f"without its store: the server at `http://127.0.0.1:{port}` does not answer" in message
    with looking_at(store) as app:
        found = app.tracking.get_run(run.run_id)
        assert (found.status, found.params) == ("finished", {"depth": "6"})
        assert steps_of(app, run.run_id) == list(range(201))
    assert list(Path(".paddock/spool").iterdir()) == []


def test_a_run_inside_of_one_that_waits_comes_after_it(store: Path, monkeypatch: pytest.MonkeyPatch):
    """A child that begins when the server is back, but its parent is not there yet, is not refused."""
    port = free_port()
    monkeypatch.setenv("PADDOCK_URI", f"http://127.0.0.1:{port}")
    with contextlib.ExitStack() as stack:
        with pytest.warns(pk.SpoolWarning):
            outer = stack.enter_context(pk.run("late"))
        with running_server(store, "--port", str(port)):
            with pk.run("late") as inner:
                inner.log({"loss": 0}, step=0)
            stack.close()

    with looking_at(store) as app:
        child = app.tracking.get_run(inner.run_id)
        assert (child.parent_id, child.status) == (outer.run_id, "finished")
        assert app.tracking.get_run(outer.run_id).status == "finished"


def recording(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that warnings are added to from now on."""
    told: list[str] = []
    monkeypatch.setattr("warnings.warn", lambda message, *_, **__: told.append(str(message)))
    return told


def has_steps(store: Path, run_id: str, count: int) -> bool:
    with looking_at(store) as app:
        known = [run.run_id for run in app.tracking.search_runs().runs]
        return run_id in known and len(steps_of(app, run_id)) == count


def test_a_run_without_its_server_is_delivered_later(store: Path, tmp_path: Path):
    """The process ends without it, says so, and `paddock sync` brings all of it with the times it had."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    (tmp_path / "weights.bin").write_bytes(bytes(100_000))
    process = start(TRAINING, uri=url)
    out, err = process.communicate(timeout=120)
    too_early = sync(uri=url)
    left = json.loads(too_early.communicate(timeout=60)[0])
    (tmp_path / "weights.bin").unlink()
    with running_server(store, "--port", str(port)):
        report = json.loads(outcome(sync()))

    outer, inner = out.split()
    assert process.returncode == 0
    assert "begins without its store" in err
    assert "`paddock sync` delivers what waits" in err
    assert too_early.returncode == 6
    assert {each["state"] for each in left["journals"]} == {"left"}
    assert [(each["run_id"], each["state"]) for each in report["journals"]] == [
        (outer, "delivered"),
        (inner, "delivered"),
    ]
    with looking_at(store) as app:
        parent, child = app.tracking.get_run(outer), app.tracking.get_run(inner)
        assert (parent.status, child.status, child.parent_id) == ("finished", "finished", outer)
        assert parent.started_at < child.started_at < child.ended_at < parent.ended_at
        assert steps_of(app, outer) == list(range(100))
        assert app.tracking.read_artifact(inner, "weights.bin") == bytes(100_000)
        assert app.tracking.read_artifact(inner, "note/step-000003.txt") == b"done"


def test_two_syncs_at_once_deliver_once(store: Path):
    """Whoever comes second takes what the first one does not have, and nothing is there twice."""
    killed = [kill_while_logging(start(ENDLESS, store=str(store), spool="spool"), 0.5) for _ in range(3)]

    reports = [
        json.loads(outcome(each)) for each in [sync(store=str(store), spool="spool") for _ in range(3)]
    ]

    records = sum(each["record_count"] for report in reports for each in report["journals"])
    with looking_at(store) as app:
        for run_id, _ in killed:
            steps = steps_of(app, run_id)
            assert steps == list(range(len(steps)))
        total = sum(len(steps_of(app, run_id)) for run_id, _ in killed)
    assert 0 < records < 2 * total
    assert {each["state"] for report in reports for each in report["journals"]} <= {"delivered", "busy"}


def test_the_next_run_delivers_what_a_killed_one_has_left(store: Path):
    """Nobody has to call `paddock sync` where runs go on to be started."""
    run_id, last = kill_while_logging(start(ENDLESS, store=str(store)), 0.3)
    pk.connect(str(store))
    with pk.run("next"):
        wait_until(lambda: len(list((store / "spool").iterdir())) == 1)
    pk.disconnect()

    with looking_at(store) as app:
        steps = steps_of(app, run_id)
    assert steps == list(range(len(steps)))
    assert len(steps) > last
    assert list((store / "spool").iterdir()) == []


@pytest.mark.parametrize("remote", [False, True], ids=["folder", "server"])
def test_forked_children_log_to_the_run_of_their_parent(store: Path, remote: bool):
    """What each has logged is there at the end of the parent's block, also of one that was killed."""
    with contextlib.ExitStack() as stack:
        settings = {"store": str(store)}
        if remote:
            settings = {"uri": stack.enter_context(running_server(store)).url}
        run_id = outcome(start(FORKING, **settings)).strip()

    with looking_at(store) as app:
        assert app.tracking.get_run(run_id).status == "finished"
        for number in range(3):
            assert steps_of(app, run_id, f"loss_{number}") == list(range(50))


def test_a_run_that_goes_on_is_left_to_its_process(store: Path):
    """`paddock sync` beside a run in progress delivers nothing of it and says who does."""
    process = start(ENDLESS, store=str(store))
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    report = json.loads(outcome(sync(store=str(store))))
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)

    assert [(each["run_id"], each["state"]) for each in report["journals"]] == [(run_id, "busy")]


class Stranger(BaseHTTPRequestHandler):
    """A server that is none of ours."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *words: object) -> None: ...


def test_a_server_that_is_no_paddock_is_told_at_once(monkeypatch: pytest.MonkeyPatch):
    """A wrong address is an error before the training begins, and no run is left behind."""
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PADDOCK_URI", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(InvalidSettings, match="not as a Paddock server does"), pk.run("late"):
            pass
        server.shutdown()

    assert not Path(".paddock").exists()
