"""A process that dies in the middle of a pipeline leaves a record of what was running."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from paddock.kernel.clock import SystemClock
from paddock.kernel.refs import DEFAULT_PROJECT, Actor
from paddock.metadata import open_metadata
from paddock.objects import open_objects
from paddock.pipelines import Pipelines

FLOW = """
import signal
from paddock.pipelines import pipeline, step

@step
def first(x):
    return x + 1

@step
def hang(x):
    print("hanging")
    signal.sigwait([signal.SIGUSR1])
    return x

@step
def after(x):
    return x

@pipeline
def main():
    return after(hang(first(1)))
"""
RUN = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
from paddock.kernel.clock import SystemClock
from paddock.kernel.refs import DEFAULT_PROJECT, Actor
from paddock.metadata import open_metadata
from paddock.objects import open_objects
from paddock.pipelines import Pipelines, run_pipeline
store = sys.argv[1]
metadata = open_metadata(store, clock=SystemClock())
objects = open_objects(store + "/objects")
pipelines = Pipelines(metadata, objects, SystemClock(), Actor(DEFAULT_PROJECT, "ann"))
run_pipeline(pipelines, "flow:main", key="nightly")
"""


def _start(folder: Path) -> "subprocess.Popen[bytes]":
    source = Path(__file__).parents[2] / "src"
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{source}"}
    return subprocess.Popen([sys.executable, "-c", RUN, str(folder / "store")], env=environment)


def _wait_for_step(pipelines: Pipelines, name: str, *, other_than: str = "") -> str:
    """Return the id of the pipeline run in which the step is recorded as running."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for run in pipelines.list_runs().runs:
            steps = pipelines.steps(run.pipeline_run_id)
            is_seen = any(item.name == name and item.state == "running" for item in steps)
            if is_seen and run.pipeline_run_id != other_than:
                return run.pipeline_run_id
        time.sleep(0.02)
    raise AssertionError(f"step `{name}` was never seen running")


def test_killed_process_leaves_its_steps_visible(tmp_path: Path) -> None:
    """SIGKILL leaves what was done, what ran and what waited; the same key runs again; Ctrl-C is recorded."""
    (tmp_path / "flow.py").write_text(FLOW)
    metadata = open_metadata(str(tmp_path / "store"), clock=SystemClock())
    objects = open_objects(str(tmp_path / "store" / "objects"))
    pipelines = Pipelines(metadata, objects, SystemClock(), Actor(DEFAULT_PROJECT, "ann"))
    process = _start(tmp_path)
    try:
        killed = _wait_for_step(pipelines, "hang")
    finally:
        process.kill()
        process.wait(30)

    assert [s.state for s in pipelines.steps(killed)] == ["succeeded", "running", "queued"]

    process = _start(tmp_path)  # the same key again: the run left behind is closed, its cached step used
    try:
        interrupted = _wait_for_step(pipelines, "hang", other_than=killed)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
    finally:
        process.kill()
        process.wait(30)

    assert pipelines.get_run(killed).status == "killed"
    assert [s.state for s in pipelines.steps(killed)] == ["succeeded", "failed", "skipped"]
    assert pipelines.get_run(interrupted).status == "killed"
    assert [s.state for s in pipelines.steps(interrupted)] == ["cached", "failed", "skipped"]
    metadata.close()
