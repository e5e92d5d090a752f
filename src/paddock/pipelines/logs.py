"""What a step prints and logs, kept apart from what other steps print at the same time.

While pipelines run, `sys.stdout`, `sys.stderr` and the root logger hand each text to the step whose context
it is written in. Threads that a step starts by itself have no such context; theirs goes where it always went.
"""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TextIO, cast

MAX_LOG_CHARACTERS = 1024 * 1024


@dataclass(slots=True)
class StepLog:
    """The text of one step; beyond 1 MiB it is cut and says so."""

    _pieces: list[str] = field(default_factory=list)
    _size: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, text: str) -> None:
        with self._lock:
            room = MAX_LOG_CHARACTERS - self._size
            self._size += len(text)
            if room > 0:
                self._pieces.append(text[:room])

    def text(self) -> str:
        with self._lock:
            lost = self._size - MAX_LOG_CHARACTERS
            end = f"\n[{lost} more characters were not kept]\n" if lost > 0 else ""
            return "".join(self._pieces) + end


@contextmanager
def capture_log(log: StepLog) -> Iterator[None]:
    """Send to `log` what is written in this context. Works inside `routed_output` only."""
    token = _current.set(log)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def routed_output() -> Iterator[None]:
    """Put the routers in place for as long as any pipeline of this process runs."""
    _install()
    try:
        yield
    finally:
        _uninstall()


class _Router:
    """A text stream that looks at the context at each write and is otherwise the stream it replaced."""

    def __init__(self, original: TextIO) -> None:
        self.original = original

    def write(self, text: str) -> int:
        log = _current.get()
        if log is None:
            return self.original.write(text)
        log.write(text)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if _current.get() is None:
            self.original.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self.original, name)


class _LogHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log = _current.get()
        if log is not None:
            log.write(f"{record.levelname} {record.name}: {self.format(record)}\n")
            return
        # without this handler the root logger may have had none, and then a warning went to stderr
        last = logging.lastResort
        if last is not None and logging.root.handlers == [self] and record.levelno >= last.level:
            last.handle(record)


_current: ContextVar[StepLog | None] = ContextVar("step_log", default=None)
_lock = threading.Lock()
_handler = _LogHandler()
_users = 0


def _install() -> None:
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            sys.stdout = cast(TextIO, _Router(sys.stdout))
            sys.stderr = cast(TextIO, _Router(sys.stderr))
            logging.root.addHandler(_handler)


def _uninstall() -> None:
    global _users
    with _lock:
        _users -= 1
        if _users:
            return
        logging.root.removeHandler(_handler)
        # somebody else may have replaced the stream meanwhile; theirs stays
        if isinstance(sys.stdout, _Router):
            sys.stdout = sys.stdout.original
        if isinstance(sys.stderr, _Router):
            sys.stderr = sys.stderr.original
