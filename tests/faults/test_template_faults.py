"""Templates that are killed, stopped, orphaned, or run a thread, and what becomes of their workers."""

import logging
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from paddock.kernel.digest import Digest
from paddock.kernel.errors import WorkerFailed
from paddock.models import (
    ModelWorker,
    Package,
    WorkerPool,
    build_package,
    infer_signature,
    materialize_package,
    save_package,
)
from paddock.models.worker.template import WorkerTemplate
from paddock.objects import MemoryBackend, ObjectStore

SOURCE = Path(__file__).parents[2] / "src"
ROWS = np.array([[0.5], [2.5]])
GONE_MS = 20_000


def make_package(turn: float = 0.0) -> Package:
    table = pa.table({"x": [0.0, 1.0, 2.0, 3.0]})
    estimator = LogisticRegression().fit([[turn], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    return build_package(estimator, sample=table, signature=infer_signature(table))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    objects = ObjectStore(MemoryBackend())
    folder = tmp_path_factory.mktemp("package")
    materialize_package(objects, save_package(objects, make_package()), folder)
    return folder


@pytest.fixture
def template() -> Iterator[WorkerTemplate]:
    with WorkerTemplate() as running:
        yield running


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def await_end(pid_handle: int) -> bool:
    """Wait until the process of a pidfd has ended, and close it; a zombie has ended."""
    poller = select.poll()
    poller.register(pid_handle, select.POLLIN)
    has_ended = bool(poller.poll(GONE_MS))
    os.close(pid_handle)
    return has_ended


def kill(pid: int) -> None:
    """Send SIGKILL and wait for the end."""
    handle = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert await_end(handle)


def test_workers_of_one_template_are_independent(folder: Path, template: WorkerTemplate) -> None:
    """One is killed and says so; the other answers, and a third can be forked."""
    with ModelWorker(folder, template=template) as first, ModelWorker(folder, template=template) as second:
        expected = second.predict(ROWS)
        kill(first.pid)

        with pytest.raises(WorkerFailed, match="was ended by SIGKILL") as caught:
            first.predict(ROWS)

        assert caught.value.details["status"] == -signal.SIGKILL
        assert np.array_equal(second.predict(ROWS), expected)
        with ModelWorker(folder, template=template) as third:
            assert np.array_equal(third.predict(ROWS), expected)
            assert parent_of(third.pid) == parent_of(second.pid) == template.pid


def test_ended_worker_leaves_no_zombie(folder: Path, template: WorkerTemplate) -> None:
    """A closed worker was reaped by its template, which has no child left."""
    with ModelWorker(folder, template=template) as worker:
        pid = worker.pid
        assert str(pid) in children_of(template.pid)

    assert children_of(template.pid) == []


def children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_killed_template_takes_its_workers_with_it(folder: Path, template: WorkerTemplate) -> None:
    """The kernel ends the workers of a killed template; their errors name what happened to it."""
    with ModelWorker(folder, template=template) as worker:
        handle = os.pidfd_open(worker.pid)
        kill(template.pid)

        assert await_end(handle)
        assert worker.has_failed
        with pytest.raises(WorkerFailed, match="unknown status: the worker template was ended by SIGKILL"):
            worker.predict(ROWS)


def test_pool_replaces_a_killed_template_at_the_next_start(caplog: pytest.LogCaptureFixture) -> None:
    """After SIGKILL of its template the pool forks from another, also a package it had a worker for."""
    caplog.set_level(logging.WARNING)
    objects = ObjectStore(MemoryBackend())
    known, other = (save_package(objects, make_package(turn)) for turn in (0.0, 0.5))
    with WorkerPool(objects) as pool:
        worker = pool.get(known)
        expected = worker.predict(ROWS)
        killed = parent_of(worker.pid)
        handle = os.pidfd_open(worker.pid)
        kill(killed)
        assert await_end(handle)

        answers = {digest: pool.get(digest).predict(ROWS) for digest in (other, known)}

        parents = {parent_of(pool.get(digest).pid) for digest in (other, known)}
        assert np.array_equal(answers[known], expected)
        assert len(parents) == 1
        assert parents.isdisjoint({killed, os.getpid()})
    assert [record.message for record in caplog.records] == ["worker.template_replaced"]


def test_stopped_template_is_ended_and_the_worker_spawned(
    folder: Path, template: WorkerTemplate, caplog: pytest.LogCaptureFixture
) -> None:
    """A template without an answer in time is killed; a worker is spawned instead, with a warning."""
    with ModelWorker(folder, template=template):
        pass
    handle = os.pidfd_open(template.pid)
    os.kill(template.pid, signal.SIGSTOP)

    with pytest.raises(WorkerFailed, match=r"the worker template gave no answer within 0\.2 s"):
        template.fork(folder, digest="", timeout_s=0.2)

    assert await_end(handle)
    with caplog.at_level(logging.WARNING), ModelWorker(folder, template=template) as worker:
        assert parent_of(worker.pid) == os.getpid()
    assert [record.message for record in caplog.records] == ["worker.template_failed"]


def test_closed_template_forks_no_more(folder: Path) -> None:
    """A worker asked of a closed template is refused with that reason."""
    template = WorkerTemplate()
    template.close()

    with pytest.raises(WorkerFailed, match="template was closed"):
        template.fork(folder, digest=Digest(""), timeout_s=60)


def run_program(program: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OPENBLAS_NUM_THREADS": "1"},
    )


@pytest.mark.parametrize("stopped", ["none", "worker"])
def test_template_and_worker_end_with_their_killed_parent(folder: Path, stopped: str) -> None:
    """SIGKILL of the parent leaves neither behind, not even a worker that cannot notice it."""
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from paddock.models import ModelWorker\n"
        "from paddock.models.worker.template import WorkerTemplate\n"
        "template = WorkerTemplate()\n"
        "worker = ModelWorker(Path(sys.argv[1]), template=template)\n"
        "print(template.pid, worker.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with run_program(program, str(folder)) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        handles = [os.pidfd_open(pid) for pid in pids]
        if stopped == "worker":
            os.kill(pids[1], signal.SIGSTOP)

        parent.kill()

        assert [await_end(handle) for handle in handles] == [True, True]


def test_template_that_runs_a_thread_refuses_to_fork() -> None:
    """With a second thread there is no fork but an answer that says why."""
    program = (
        "import socket, threading\n"
        "from paddock.models.worker import control, template_main\n"
        "parent, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "release = threading.Event()\n"
        "threading.Thread(target=release.wait).start()\n"
        "control.send_message(parent, control.Fork())\n"
        "parent.shutdown(socket.SHUT_WR)\n"
        "ends = template_main._serve(child)\n"
        "release.set()\n"
        "print(ends, control.receive_message(parent))\n"
    )
    with run_program(program) as process:
        assert process.stdout is not None
        written = process.stdout.read()

    assert written == "[] (Refused(reason='it runs 2 threads'), [])\n"
