"""The one thread of a process that writes: many requests, one transaction, one fsync.

Requests wait in a bounded queue. Whatever has queued up during the last COMMIT forms the next group;
there is no timer, so a lone client pays one fsync and no more. Each request runs inside a savepoint
and its error rolls back that request only. All are answered after COMMIT, or all get its error.
"""

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar, cast

import apsw

from paddock.kernel.errors import PaddockError, QueueFull, Unavailable
from paddock.metadata.ports import Transaction
from paddock.metadata.records import Once, StoreLoad
from paddock.metadata.requests import run_change
from paddock.metadata.sqlite_connection import SqliteTransaction, open_connection
from paddock.metadata.sqlite_errors import find_known
from paddock.metadata.turnstile import Turnstile

T = TypeVar("T")

_GROUP_CAP = 512
# SQLite's own default; a larger WAL makes reads slower, a smaller one makes more random writes
_CHECKPOINT_PAGES = 1000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WriteRequest(Generic[T]):
    """A change to be committed. received_at: microseconds."""

    change: Callable[[Transaction], T]
    once: Once[T] | None
    received_at: int
    answer: "Future[T]" = field(default_factory=Future)


class Writer:
    """Owns the writing connection of a SQLite store."""

    def __init__(self, path: Path, turnstile: Turnstile, *, queue_size: int, busy_timeout_s: float) -> None:
        self._path = path
        self._turnstile = turnstile
        self._busy_timeout_s = busy_timeout_s
        self._queue: queue.Queue[WriteRequest[object] | None] = queue.Queue(queue_size)
        self._gate = threading.Lock()
        self._is_closed = False
        self._refused_count = 0
        self._wal_pages = 0
        self._connection = self._connect()
        self._thread = threading.Thread(target=self._run, name="paddock-writer", daemon=True)
        self._thread.start()

    def submit(self, request: WriteRequest[T]) -> T:
        """Return the result of a request after its COMMIT, or raise its error."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("a change must not call `write`: it would wait for itself")
        with self._gate:
            if self._is_closed:
                raise Unavailable(f"the store `{self._path}` has been closed")
            try:
                self._queue.put_nowait(cast(WriteRequest[object], request))
            except queue.Full:
                self._refused_count += 1
                raise QueueFull(
                    f"{self._queue.maxsize} writes are waiting for the store `{self._path}` already"
                ) from None
        return request.answer.result()

    def load(self) -> StoreLoad:
        """Return what waits; the group that is being committed does not count any more."""
        return StoreLoad(self._queue.qsize(), self._refused_count)

    def close(self) -> None:
        """Commit what waits, then stop the thread and close the connection."""
        with self._gate:
            if self._is_closed:
                return
            self._is_closed = True
            self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _connect(self) -> apsw.Connection:
        connection = open_connection(self._path, busy_timeout_s=self._busy_timeout_s, is_writable=True)
        connection.set_wal_hook(self._note_wal)
        return connection

    def _note_wal(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _run(self) -> None:
        is_open = True
        while is_open:
            group, is_open = self._take_group()
            if group:
                self._commit(group)
                self._checkpoint()

    def _take_group(self) -> tuple[list[WriteRequest[object]], bool]:
        """Wait for one request, then take what else is there; False when the store is closing."""
        group: list[WriteRequest[object]] = []
        item = self._queue.get()
        while item is not None:
            group.append(item)
            if len(group) == _GROUP_CAP:
                return group, True
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, True
        return group, False

    def _commit(self, group: list[WriteRequest[object]]) -> None:
        try:
            with self._turnstile.turn():
                self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._apply(request) for request in group]
            self._connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - each caller of the group raises it
            self._recover()
            for request in group:
                request.answer.set_exception(self._explain(error))
        else:
            for request, outcome in zip(group, outcomes, strict=True):
                outcome.deliver(request.answer)

    def _apply(self, request: WriteRequest[object]) -> "_Outcome":
        connection = self._connection
        connection.execute("SAVEPOINT request")
        try:
            tx = SqliteTransaction(connection, self._path, request.received_at)
            result = run_change(tx, request.change, request.once, request.received_at)
        except BaseException as error:
            if not connection.in_transaction:  # a full disk makes SQLite roll back the whole group
                raise
            connection.execute("ROLLBACK TO request; RELEASE request")
            return _Outcome(None, error)
        connection.execute("RELEASE request")
        return _Outcome(result, None)

    def _explain(self, error: BaseException) -> BaseException:
        """Return an error for one caller; callers in several threads must not share a traceback."""
        known = find_known(error, self._path) if isinstance(error, apsw.Error) else None
        if known is not None:
            known.__cause__ = error
        return known or error

    def _recover(self) -> None:
        """Start over with a fresh connection: after a failed COMMIT nothing of the old one is trusted."""
        try:
            self._connection.close(True)
            self._connection = self._connect()
        except (apsw.Error, PaddockError) as error:
            # the next group fails in BEGIN on the closed connection, comes here again and tries again
            _log.error("metadata.reopen_failed", extra={"store": str(self._path), "reason": str(error)})

    def _checkpoint(self) -> None:
        """Move the WAL into the database; what it holds is durable already, so a failure can wait."""
        if self._wal_pages < _CHECKPOINT_PAGES:
            return
        self._wal_pages = 0
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.BusyError:
            return  # another process is at it
        except apsw.Error as error:
            _log.warning("metadata.checkpoint_failed", extra={"store": str(self._path), "reason": str(error)})


@dataclass(frozen=True, slots=True)
class _Outcome:
    result: object
    error: BaseException | None

    def deliver(self, answer: "Future[object]") -> None:
        if self.error is None:
            answer.set_result(self.result)
        else:
            answer.set_exception(self.error)
