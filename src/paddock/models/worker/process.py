"""Start, watch and end one worker process; shared by the sync and the async client."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import IO

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
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from paddock.models.worker.__main__ import main; sys.exit(main(int(sys.argv[2])))"
)
_ERRORS: dict[str, type[PaddockError]] = {
    kind.code: kind
    for kind in (Forbidden, IntegrityError, InvalidInput, LimitExceeded, StoreTooNew, UnreadableFile)
}


class WorkerProcess:
    """A started process and the parent's end of its socketpair."""

    def __init__(self, folder: Path, *, digest: str, threads: int) -> None:
        parent_end, child_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.connection = parent_end
        self.folder = folder
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        try:
            self._process = self._spawn(child_end, threads)
        except OSError as error:
            parent_end.close()
            raise WorkerFailed(f"the model worker could not be started: {error}") from error
        finally:
            child_end.close()
        self._drain = threading.Thread(target=self._keep_last_lines, daemon=True)
        self._drain.start()
        self.start_frame = Start(
            folder=str(folder.resolve()),
            digest=digest,
            threads=threads,
            parent_pid=os.getpid(),
            # The kernel's signal comes when the starting *thread* ends, so only the main thread may ask
            # for it; a worker started by another one ends by the closed connection.
            die_with_parent=_is_main_thread(),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def end(self, grace_s: float) -> None:
        """Hang up, wait up to `grace_s` for the process to go, then kill it. Safe to call again."""
        self.connection.close()
        try:
            self._process.wait(timeout=grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._drain.join(timeout=1.0)
        if self._process.stderr is not None:
            self._process.stderr.close()

    def describe_failure(self, reason: str) -> WorkerFailed:
        """End the process and return the error that says why, with its last words."""
        self._process.poll()
        if self._process.returncode is None and reason == "":
            self.end(grace_s=2.0)
        else:
            self.end(grace_s=0.0)
        status = self._process.returncode
        words = reason or _describe_status(status)
        lines = tuple(self._last_lines)
        last = f": {lines[-1][:300]}" if lines else ""
        return WorkerFailed(f"the model worker {words}{last}", problems=lines, pid=self.pid, status=status)

    def _spawn(self, child_end: socket.socket, threads: int) -> "subprocess.Popen[bytes]":
        source = Path(__file__).resolve().parents[3]
        return subprocess.Popen(  # noqa: S603  our own interpreter and arguments
            [sys.executable, "-I", "-c", _BOOT, str(source), str(child_end.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=worker_environment(threads),
            pass_fds=(child_end.fileno(),),
            cwd="/",
            start_new_session=True,  # Ctrl-C is for the parent, which ends its workers in order
        )

    def _keep_last_lines(self) -> None:
        stream: IO[bytes] | None = self._process.stderr
        if stream is None:
            return
        for line in stream:
            self._last_lines.append(line[:2000].decode(errors="replace").rstrip())


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


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _describe_status(status: int | None) -> str:
    if status is not None and status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"was ended by {name}"
    return f"ended with status {status}"
