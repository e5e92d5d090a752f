"""One server for a store in a folder, one loop for a project: who comes second, and who after a kill."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server_process import running_server

from paddock.serving import bind_loopback

CLI = [sys.executable, "-m", "paddock.cli"]
DECLARED = '[endpoint.delay]\nmodel = "delay@champion"\n'


def run_cli(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command on the store `store` in `folder`."""
    command = [*CLI, "--store", "store", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a command until the end of the block."""
    command = [*CLI, "--store", "store", *arguments]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def read_url(process: "subprocess.Popen[str]", words: str) -> str:
    """Return the address in the next line of the process's output, which begins with `words`."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(words), line
    return line.removeprefix(words).strip()


def free_port() -> int:
    with bind_loopback("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


def test_second_server_is_refused_with_the_address_of_the_first(tmp_path: Path):
    """It ends with 4 and says which process has the store, where, and what to do; the first one goes on."""
    with running_server(tmp_path / "store") as server:
        result = run_cli(tmp_path, "server", "--port", "0")

        pid = server.process.pid
        assert (result.returncode, result.stdout) == (4, "")
        assert result.stderr == (
            f"error: the store `store` is served by process {pid} at {server.url} already\n"
            f"hint: use {server.url}, or end it first: kill {pid}\n"
        )
        assert server.is_alive()


def test_commands_work_beside_a_server(tmp_path: Path):
    """Two commands at the same time read and write the store that is being served."""
    (tmp_path / "rows.csv").write_text("a\n1\n")
    with running_server(tmp_path / "store"):
        reading = [started(tmp_path, "runs", "list") for _ in range(2)]
        with reading[0] as one, reading[1] as two:
            added = run_cli(tmp_path, "data", "add", "rows.csv")

            assert (one.wait(60), two.wait(60), added.returncode) == (0, 0, 0)


def test_killed_server_makes_way_at_once(tmp_path: Path):
    """After SIGKILL nothing has to be cleaned up by hand."""
    with running_server(tmp_path / "store") as server:
        server.process.kill()
        server.process.wait()

        with running_server(tmp_path / "store") as next_server:
            assert next_server.is_alive()


def test_up_has_the_place_of_the_server_and_of_the_loop(tmp_path: Path):
    """Beside `up` no server, no loop and no second `up` starts, each told why; killed, it makes way."""
    (tmp_path / "paddock.toml").write_text(DECLARED)
    port = free_port()
    options = ("--port", str(port), "--loop-port", "0")
    with started(tmp_path, "up", *options) as process:
        assert process.stdout is not None
        lines = {process.stdout.readline(), process.stdout.readline()}
        served = f"the store `store` is served by process {process.pid} at http://127.0.0.1:{port} already"
        (loop_line,) = lines - {f"ready at http://127.0.0.1:{port}\n"}
        loop_url = loop_line.removeprefix("metrics of the loop at ").removesuffix("/metrics\n")

        others = [run_cli(tmp_path, *words) for words in (("up", *options), ("server", "--port", "0"))]
        second_loop = run_cli(tmp_path, "loop", "--port", "0")

        assert [(each.returncode, served in each.stderr) for each in others] == [(4, True)] * 2
        assert second_loop.returncode == 4
        assert f"is run by process {process.pid} at {loop_url} already" in second_loop.stderr
        process.send_signal(signal.SIGKILL)
        process.stdout.read()  # its server has ended, too, when nobody holds the pipe any more
    with running_server(tmp_path / "store") as server:
        assert server.is_alive()


def test_second_loop_of_a_project_is_refused(tmp_path: Path):
    """Also one that looks only once; a loop of another project on the same store is welcome."""
    (tmp_path / "paddock.toml").write_text(DECLARED)
    with started(tmp_path, "loop", "--port", "0") as process:
        url = read_url(process, "metrics at ").removesuffix("/metrics")

        refused = run_cli(tmp_path, "loop", "--once")
        other = run_cli(tmp_path, "--project", "other", "loop", "--once")

    words = f"the loop of project `default` in the store `store` is run by process {process.pid} at {url}"
    assert refused.returncode == 4
    assert refused.stderr.startswith(f"error: {words} already\nhint: ")
    assert other.returncode == 0, other.stderr
    assert list((tmp_path / "store").glob("*.lock")) == []
