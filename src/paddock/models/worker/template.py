"""A process that has imported the libraries and forks workers, which start in a fraction of the time."""

import contextlib
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from paddock.kernel.errors import WorkerFailed
from paddock.models.worker.control import (
    Fork,
    Forked,
    Message,
    Reap,
    Reaped,
    Refused,
    check_answer,
    close_all,
    receive_message,
    send_message,
)
from paddock.models.worker.process import LinkedProcess, WorkerProcess, describe_status, spawn
from paddock.models.worker.protocol import FrameError, Start

# What the template does for a worker that has already ended takes no time, unless it is stopped.
_REAP_TIMEOUT_S = 10.0


class WorkerTemplate:
    """Forks workers of one thread each for packages that take a matrix; Linux only.

    The process starts at the first `fork` and ends with `close`, or when this process dies. Its workers
    are its children: the kernel ends them with it. They share its address-space layout, so use it for
    packages of one owner. Once it has failed it stays so. Safe to share between threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: LinkedProcess | None = None
        self._failure: WorkerFailed | None = None

    @staticmethod
    def is_supported() -> bool:
        """Whether this system knows processes by descriptors, which is how workers are handed over."""
        if sys.platform != "linux":
            return False
        try:
            os.close(os.pidfd_open(os.getpid()))
        except OSError:
            return False
        return True

    @property
    def pid(self) -> int:
        """The process id, 0 before the first `fork`."""
        return 0 if self._process is None else self._process.pid

    @property
    def failure(self) -> WorkerFailed | None:
        """Why no further worker can be forked, None while one can."""
        with self._lock:
            if self._failure is None and self._process is not None and self._process.has_ended:
                self._fail("")
            return self._failure

    def fork(self, folder: Path, *, digest: str, timeout_s: float) -> WorkerProcess:
        """Fork a worker for the package in `folder`.

        Raises WorkerFailed when the template is gone, gave no answer within `timeout_s`, or refused
        because it runs threads; a worker can be spawned all the same.
        """
        connection, worker_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        stderr, worker_stderr = os.pipe()
        try:
            child = self._fork((worker_end.fileno(), worker_stderr), timeout_s)
        except BaseException:
            connection.close()
            os.close(stderr)
            raise
        finally:
            worker_end.close()
            os.close(worker_stderr)
        start_frame = Start(
            folder=str(folder.resolve()),
            digest=digest,
            threads=1,
            parent_pid=self.pid,
            die_with_parent=True,  # the template has one thread, so its end is that of the process
        )
        return WorkerProcess(child, connection, os.fdopen(stderr, "rb"), start_frame)

    def reap(self, pid: int) -> int | None:
        """Return the exit status of a worker that has ended; None when the template cannot say it."""
        with contextlib.suppress(WorkerFailed):  # `failure` keeps it
            reply, _ = self._ask(Reap(pid), (), _REAP_TIMEOUT_S)
            if isinstance(reply, Reaped):
                return reply.status
        return None

    def close(self) -> None:
        """End the process, and with it every worker it has forked. Safe to call again."""
        with self._lock:
            if self._failure is None:
                self._failure = WorkerFailed("the worker template was closed")
            if self._process is not None:
                self._process.end(grace_s=2.0)

    def __enter__(self) -> "WorkerTemplate":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fork(self, ends: Sequence[int], timeout_s: float) -> "_ForkedChild":
        reply, handles = self._ask(Fork(), ends, timeout_s)
        if isinstance(reply, Forked):
            return _ForkedChild(self, reply.pid, handles[0])
        assert isinstance(reply, Refused), "`check_answer` has seen to it"
        raise WorkerFailed(f"the worker template did not fork: {reply.reason}")

    def _ask(
        self, message: Message, descriptors: Sequence[int], timeout_s: float
    ) -> tuple[Message, list[int]]:
        """Send one message and return its answer; end the template when that cannot be had."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if self._process is None:
                self._process = _start()
            # stands when an interrupt leaves the connection between question and answer
            self._failure = WorkerFailed("the worker template was left in the middle of an answer")
            try:
                answer = _exchange(self._process.connection, message, descriptors, timeout_s)
            except TimeoutError as error:
                raise self._fail(f"gave no answer within {timeout_s:g} s") from error
            except FrameError as error:
                raise self._fail(f"broke the protocol: {error}") from error
            except OSError as error:
                raise self._fail("") from error
            self._failure = None
            return answer

    def _fail(self, reason: str) -> WorkerFailed:
        assert self._process is not None, "only a started process can fail"
        self._failure = failure = self._process.describe_failure(reason)
        return failure


class _ForkedChild:
    """A child of the template, watched by its pidfd; the template takes its exit status when asked."""

    def __init__(self, template: WorkerTemplate, pid: int, handle: int) -> None:
        self.pid = pid
        self.status: int | None = None
        self._template = template
        self._handle = handle
        self._has_ended = False
        self._lock = threading.Lock()

    def wait(self, timeout_s: float | None) -> bool:
        with self._lock:
            if not self._has_ended and self._is_gone(timeout_s):
                self.status = self._template.reap(self.pid)
                self._has_ended = True
                os.close(self._handle)
            return self._has_ended

    def kill(self) -> None:
        with self._lock:
            if not self._has_ended:
                # gone meanwhile, together with the template that would have kept it
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def describe_end(self) -> str:
        if self.status is not None:
            return describe_status(self.status)
        failure = self._template.failure
        return f"ended with an unknown status: {failure.message if failure else 'the template knows none'}"

    def _is_gone(self, timeout_s: float | None) -> bool:
        poller = select.poll()
        poller.register(self._handle, select.POLLIN)
        return bool(poller.poll(None if timeout_s is None else timeout_s * 1000))


def _exchange(
    control: socket.socket, message: Message, descriptors: Sequence[int], timeout_s: float
) -> tuple[Message, list[int]]:
    """Send one message and return its answer; raises FrameError, or OSError for a broken connection."""
    control.settimeout(timeout_s)
    send_message(control, message, descriptors)
    received = receive_message(control)
    if received is None:
        raise ConnectionResetError("the template hung up")
    answer, handles = received
    try:
        check_answer(message, answer, len(handles))
    except FrameError:
        close_all(handles)
        raise
    return answer, handles


def _start() -> LinkedProcess:
    child, control, stderr = spawn("paddock.models.worker.template_main", socket.SOCK_SEQPACKET, threads=1)
    return LinkedProcess(child, control, stderr, "worker template")
