"""Start, watch and end one process at the other end of a socket; shared by the clients and the template."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import IO, Protocol

from paddock.kernel.errors import (
    Forbidden,
    IntegrityError,
    InvalidInput,
    LimitExceeded,
    PaddockError,
    StoreTooNew,
    UnreadableFile,
    WorkerFailed,
)
from paddock.models.worker.protocol import FrameError, Header, Refusal, Start

LAST_LINES = 20
# `-I` keeps the environment, the working folder and user packages out; the checkout is added by path.
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from importlib import import_module; "
    "sys.exit(import_module(sys.argv[2]).main(int(sys.argv[3])))"
)
_ERRORS: dict[str, type[PaddockError]] = {
    kind.code: kind
    for kind in (Forbidden, IntegrityError, InvalidInput, LimitExceeded, StoreTooNew, UnreadableFile)
}


class Child(Protocol):
    """A process whose end can be awaited, whoever is its parent in the eyes of the kernel."""

    @property
    def pid(self) -> int: ...

    @property
    def status(self) -> int | None:
        """Exit status, negative for a signal; None while it runs, and when nobody could say."""
        ...

    def wait(self, timeout_s: float | None) -> bool:
        """Return whether it has ended, at the latest after `timeout_s`; None is no limit."""
        ...

    def kill(self) -> None:
        """Send SIGKILL; nothing when it has ended."""
        ...

    def describe_end(self) -> str:
        """Return how it ended: `was ended by SIGKILL`."""
        ...


class LinkedProcess:
    """A process, this end of the socketpair it serves, and the last lines it wrote to stderr.

    noun: what to call it in errors. The process ends by itself when `connection` is closed.
    """

    def __init__(self, child: Child, connection: socket.socket, stderr: IO[bytes], noun: str) -> None:
        self.connection = connection
        self._child = child
        self._noun = noun
        self._stderr = stderr
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._drain = threading.Thread(target=self._keep_last_lines, daemon=True)
        self._drain.start()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def has_ended(self) -> bool:
        return self._child.wait(0)

    def end(self, grace_s: float) -> None:
        """Hang up, wait up to `grace_s` for the process to go, then kill it. Safe to call again."""
        self.connection.close()
        if not self._child.wait(grace_s):
            self._child.kill()
            self._child.wait(None)
        self._drain.join(timeout=1.0)
        self._stderr.close()

    def describe_failure(self, reason: str) -> WorkerFailed:
        """End the process and return the error that says why, with its last words."""
        is_ending = reason == ""
        self.end(grace_s=2.0 if is_ending else 0.0)
        words = reason or self._child.describe_end()
        lines = tuple(self._last_lines)
        last = f": {lines[-1][:300]}" if lines else ""
        return WorkerFailed(
            f"the {self._noun} {words}{last}", problems=lines, pid=self.pid, status=self._child.status
        )

    def _keep_last_lines(self) -> None:
        for line in self._stderr:
            self._last_lines.append(line[:2000].decode(errors="replace").rstrip())


class WorkerProcess(LinkedProcess):
    """A process that loads one model; `start_frame` is the first frame to send it."""

    def __init__(
        self, child: Child, connection: socket.socket, stderr: IO[bytes], start_frame: Start
    ) -> None:
        super().__init__(child, connection, stderr, "model worker")
        self.start_frame = start_frame


def spawn_worker(folder: Path, *, digest: str, threads: int) -> WorkerProcess:
    """Start a worker as a fresh interpreter."""
    child, connection, stderr = spawn("paddock.models.worker.__main__", socket.SOCK_STREAM, threads)
    start_frame = Start(
        folder=str(folder.resolve()),
        digest=digest,
        threads=threads,
        parent_pid=os.getpid(),
        # The kernel's signal comes when the starting *thread* ends, so only the main thread may ask
        # for it; a worker started by another one ends by the closed connection.
        die_with_parent=_is_main_thread(),
    )
    return WorkerProcess(child, connection, stderr, start_frame)


def spawn(module: str, kind: socket.SocketKind, threads: int) -> tuple[Child, socket.socket, IO[bytes]]:
    """Start an interpreter that calls `main` of `module` with the number of its end of a socketpair.

    Returns it with the parent's end and its stderr. Raises WorkerFailed when it cannot be started.
    """
    parent_end, child_end = socket.socketpair(socket.AF_UNIX, kind)
    try:
        process = _popen(module, child_end, threads)
    except OSError as error:
        parent_end.close()
        raise WorkerFailed(f"the model worker could not be started: {error}") from error
    finally:
        child_end.close()
    assert process.stderr is not None, "asked for as a pipe"
    return _SpawnedChild(process), parent_end, process.stderr


def worker_environment(threads: int) -> dict[str, str]:
    """Return the whole environment of a worker: nothing of the parent's, and the thread counts.

    >>> sorted(worker_environment(1))
    ['LC_ALL', 'MKL_NUM_THREADS', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS']
    """
    count = str(threads)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {"LC_ALL": "C.UTF-8"} | dict.fromkeys(names, count)


def refused(reply: Header) -> PaddockError:
    """Return the error a worker reported, as the class it was raised with."""
    if not isinstance(reply, Refusal):
        raise FrameError(f"a {type(reply).__name__} frame came instead of a refusal")
    return _ERRORS.get(reply.code, WorkerFailed)(reply.message)


def describe_status(status: int) -> str:
    """Return an exit status in words.

    >>> describe_status(-9), describe_status(3)
    ('was ended by SIGKILL', 'ended with status 3')
    """
    if status >= 0:
        return f"ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was ended by {name}"


class _SpawnedChild:
    """A child of this process."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        return self._process.poll()

    def wait(self, timeout_s: float | None) -> bool:
        try:
            self._process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        self._process.kill()

    def describe_end(self) -> str:
        return describe_status(self._process.wait())


def _popen(module: str, child_end: socket.socket, threads: int) -> "subprocess.Popen[bytes]":
    source = Path(__file__).resolve().parents[3]
    return subprocess.Popen(  # noqa: S603  our own interpreter and arguments
        [sys.executable, "-I", "-c", _BOOT, str(source), module, str(child_end.fileno())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=worker_environment(threads),
        pass_fds=(child_end.fileno(),),
        cwd="/",
        start_new_session=True,  # Ctrl-C is for the parent, which ends its workers in order
    )


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
