"""`paddock serve`, `paddock up` and `paddock loop` as processes, on a real model."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from flight_store import register_gated

from paddock.app import App, open_app
from paddock.kernel.settings import resolve_settings

ROW = {
    "inputs": [
        {"name": "distance", "shape": [1], "datatype": "FP64", "data": [0.5]},
        {"name": "carrier", "shape": [1], "datatype": "BYTES", "data": ["UA"]},
    ]
}
DECLARED = """
[model.delay]
gates = [{ metric = "roc_auc", at_least = 0.5 }]
[endpoint.delay]
model = "delay@champion"
[monitor.delay]
endpoint = "delay"
window = "1h"
labels = { column = "late", delay = "1d" }
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose model `delay` has two versions, of which the first is champion."""
    folder = tmp_path_factory.mktemp("released") / "store"
    with closing(open_app(resolve_settings({"store": str(folder)}, {}, {}))) as made:
        first = register_gated(made, 1)
        register_gated(made, 2)
        made.registry.promote(first.ref, "champion", reason="first release")
    return folder


@pytest.fixture
def store(tmp_path: Path, released: Path) -> Path:
    """A copy of that store, for one test."""
    return Path(shutil.copytree(released, tmp_path / "store"))


@pytest.fixture
def app(store: Path) -> Iterator[App]:
    with closing(open_app(resolve_settings({"store": str(store)}, {}, {}))) as opened:
        yield opened


@contextmanager
def running(folder: Path, store: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a command in `folder` and end it with SIGTERM; its group is looked at by the tests."""
    command = [sys.executable, "-m", "paddock.cli", "--store", str(store), *arguments]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


def ask_version(url: str) -> int:
    """Send one row and return the version that answered."""
    request = urllib.request.Request(
        url, json.dumps(ROW).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(json.load(answer)["model_version"])


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def metric_of(url: str, sample: str) -> float:
    """Return the value of one sample, written as Prometheus does."""
    lines = (line.rpartition(" ") for line in fetch(url).splitlines())
    return next(float(value) for name, _, value in lines if name == sample)


def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_serve_follows_promotions_and_rollbacks(app: App, store: Path, tmp_path: Path):
    """What is promoted or rolled back anywhere is served within moments; the end of it frees the port."""
    with running(tmp_path, store, "serve", "delay@champion", "--port", "0") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready at "), (line, process.stderr and process.stderr.read())
        url = line.removeprefix("ready at ").strip()
        assert ask_version(url) == 1

        app.registry.promote("delay@2", "champion", reason="better")
        until(lambda: ask_version(url) == 2)
        app.registry.rollback("delay", reason="worse live")
        until(lambda: ask_version(url) == 1)
        port = int(url.split(":")[2].split("/")[0])
    until(lambda: not is_listening(port))

    assert [each.reason for each in app.endpoints.history("delay")] == [
        "delay@champion is delay@1",
        "delay@champion is delay@2",
        "delay@champion is delay@1",
    ]


def test_serve_leaves_no_gateway_behind_when_it_is_killed(store: Path, tmp_path: Path):
    """SIGKILL of the command ends its gateway, too."""
    with running(tmp_path, store, "serve", "delay@champion", "--port", "0") as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().split(":")[2].split("/")[0])
        process.send_signal(signal.SIGKILL)
        process.wait(10)

        until(lambda: not is_listening(port))


def test_serve_tells_who_has_the_port(store: Path, tmp_path: Path):
    """A port in use is told before anything is started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with running(tmp_path, store, "serve", "delay@champion", "--port", port) as process:
            _, words = process.communicate(timeout=30)

    assert process.returncode == 4
    assert f"port {port} is in use by process {os.getpid()}" in words


def test_up_starts_everything_and_ends_everything(app: App, store: Path, tmp_path: Path):
    """One command brings pages, API, gateway and loop; Ctrl-C takes all of them away."""
    (tmp_path / "paddock.toml").write_text(DECLARED)
    port, gateway_port = free_port(), free_port()
    options = ("up", "--port", str(port), "--gateway-port", str(gateway_port), "--loop-port", "0")
    with running(tmp_path, store, *options) as process:
        assert process.stdout is not None
        said = {process.stdout.readline() for _ in range(3)}
        (metrics_line,) = said - {
            f"ready at http://127.0.0.1:{port}\n",
            f"endpoint delay ready at http://127.0.0.1:{gateway_port}\n",
        }
        metrics_url = metrics_line.removeprefix("metrics of the loop at ").strip()
        url = f"http://127.0.0.1:{gateway_port}/v2/models/delay/infer"
        assert ask_version(url) == 1
        app.registry.promote("delay@2", "champion", reason="better")
        until(lambda: ask_version(url) == 2)
        assert fetch(f"http://127.0.0.1:{port}/health") == "OK"
        until(lambda: metric_of(metrics_url, "paddock_loop_ticks_total") >= 2)
        assert metric_of(metrics_url, "paddock_loop_problems_total") == 0

        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=40)

    assert process.returncode == 130, words
    assert words.strip().splitlines()[-1] == "stopped"
    assert not is_listening(port)
    assert not is_listening(gateway_port)
    assert not is_listening(int(metrics_url.split(":")[2].split("/")[0]))


def test_loop_tells_how_it_is(store: Path, tmp_path: Path):
    """A running loop answers health and metrics on its port, counts its looks, and SIGTERM frees the port."""
    (tmp_path / "paddock.toml").write_text(DECLARED)
    started = time.time()
    with running(tmp_path, store, "loop", "--every", "0.1", "--port", "0") as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("metrics at ").strip()
        assert process.stdout.readline() == "watching endpoint delay\n"
        until(lambda: metric_of(url, "paddock_loop_ticks_total") >= 3)
        last = metric_of(url, "paddock_loop_last_tick_timestamp_seconds")

        assert fetch(url.replace("/metrics", "/health")) == "OK"
        assert started <= last <= time.time()
        assert metric_of(url, "paddock_loop_problems_total") == 0
        assert metric_of(url, 'paddock_rollout_phase{endpoint="delay",phase="shadow"}') == 0

        process.terminate()
        _, words = process.communicate(timeout=40)

    assert process.returncode == 0, words
    assert words == ""
    assert not is_listening(int(url.split(":")[2].split("/")[0]))


def test_loop_counts_what_it_could_not_do(tmp_path: Path):
    """A model without a champion is told once, counted each time, and does not end the loop."""
    (tmp_path / "paddock.toml").write_text(DECLARED)
    with running(tmp_path, tmp_path / "empty", "loop", "--every", "0.1", "--port", "0") as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("metrics at ").strip()
        until(lambda: metric_of(url, "paddock_loop_problems_total") >= 3)
        process.terminate()
        _, words = process.communicate(timeout=40)

    assert process.returncode == 0, words
    assert words.count("loop.waits endpoint=delay") == 1


def test_second_loop_on_one_port_is_told_who_has_it(store: Path, tmp_path: Path):
    """A port in use ends the loop before it has looked at anything."""
    (tmp_path / "paddock.toml").write_text(DECLARED)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with running(tmp_path, store, "loop", "--port", port) as process:
            said, words = process.communicate(timeout=30)

    assert process.returncode == 4
    assert f"port {port} is in use by process {os.getpid()}" in words
    assert said == ""


def test_loop_without_a_declaration_says_what_to_write(store: Path, tmp_path: Path):
    """No paddock.toml is an error with the tables that are needed."""
    with running(tmp_path, store, "loop", "--once") as process:
        _, words = process.communicate(timeout=30)

    assert process.returncode == 3
    assert "[endpoint.NAME]" in words


def test_loop_does_once_what_is_due(store: Path, tmp_path: Path):
    """A loop over an endpoint without traffic finds nothing to do, and says nothing went wrong."""
    (tmp_path / "paddock.toml").write_text(DECLARED)
    with running(tmp_path, store, "loop", "--once") as process:
        said, words = process.communicate(timeout=60)

    assert process.returncode == 0, words
    assert said == "watching endpoint delay\n"
    assert words == ""


def test_unknown_key_in_the_declaration_names_the_nearest(store: Path, tmp_path: Path):
    """A misspelt key of paddock.toml stops the loop before it does anything."""
    (tmp_path / "paddock.toml").write_text(DECLARED.replace("gates", "gats"))
    with running(tmp_path, store, "loop", "--once") as process:
        _, words = process.communicate(timeout=30)

    assert process.returncode == 2
    assert "`gats`" in words
    assert "`gates`" in words


def children_of(pid: int) -> dict[int, str]:
    """Return the command lines of the processes that `pid` has started."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if (
                folder.name.isdigit()
                and int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == pid
            ):
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
    return found


def test_up_starts_a_page_server_that_died_again(store: Path, tmp_path: Path):
    """When only the pages die they come back on their port, while the gateway is the same process."""
    (tmp_path / "paddock.toml").write_text(DECLARED)
    port, gateway_port = free_port(), free_port()
    options = ("up", "--port", str(port), "--gateway-port", str(gateway_port), "--loop-port", "0")
    with running(tmp_path, store, *options) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(3)]
        metrics_url = next(line for line in said if "metrics" in line).removeprefix("metrics of the loop at ")
        ticks = "paddock_loop_ticks_total"
        seen = metric_of(metrics_url.strip(), ticks)
        until(lambda: metric_of(metrics_url.strip(), ticks) >= seen + 2)
        before = children_of(process.pid)
        (server,) = (pid for pid, line in before.items() if "paddock.cli server" in line)
        gateways = {pid for pid, line in before.items() if "paddock.serving.gateway" in line}

        os.kill(server, signal.SIGKILL)
        assert process.stdout.readline() == f"ready at http://127.0.0.1:{port}\n"

        assert fetch(f"http://127.0.0.1:{port}/health") == "OK"
        assert gateways
        assert gateways <= set(children_of(process.pid))
        process.terminate()
        _, words = process.communicate(timeout=40)

    assert process.returncode == 0, words
    assert "server.died exit_code=-9" in words
    assert "server.restarted" in words


def test_up_tells_which_gateway_died_and_of_what(store: Path, tmp_path: Path):
    """The console names endpoint, process, exit code and reason; the gateway answers again."""
    (tmp_path / "paddock.toml").write_text(DECLARED)
    port, gateway_port = free_port(), free_port()
    options = ("up", "--port", str(port), "--gateway-port", str(gateway_port), "--loop-port", "0")
    with running(tmp_path, store, *options) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("endpoint delay ready"):
            pass
        (gateway,) = (
            pid for pid, line in children_of(process.pid).items() if "paddock.serving.gateway" in line
        )

        os.kill(gateway, signal.SIGKILL)
        until(lambda: not is_listening(gateway_port))
        until(lambda: is_listening(gateway_port))
        process.terminate()
        _, words = process.communicate(timeout=40)

    fields = f'endpoint=delay pid={gateway} exit_code=-9 reason="killed by SIGKILL" restart_in_s=0.2'
    assert f"gateway.died {fields}\n" in words
    assert "gateway.restarted endpoint=delay pid=" in words


def test_up_tells_a_wrong_pipeline_and_starts_no_gateway(store: Path, tmp_path: Path):
    """What cannot be trained is told once as it is; the gateway's port stays free, look after look."""
    (tmp_path / "paddock.toml").write_text(
        DECLARED
        + '[pipeline.train]\nentry = "nowhere:train"\n[retrain.delay]\npipeline = "train"\nwhen = ["drift"]\n'
    )
    port, gateway_port = free_port(), free_port()
    options = ("up", "--port", str(port), "--gateway-port", str(gateway_port), "--loop-port", "0")
    with running(tmp_path, store, *options) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(2)]
        line = next(each for each in said if "metrics" in each)
        url = line.removeprefix("metrics of the loop at ").strip()
        until(lambda: metric_of(url, "paddock_loop_problems_total") >= 3)
        assert not is_listening(gateway_port)
        process.terminate()
        _, words = process.communicate(timeout=40)

    assert process.returncode == 0, words
    assert words.count("endpoint.waits endpoint=delay") == 1
    assert "there is no module `nowhere`" in words
