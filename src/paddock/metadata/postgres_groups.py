"""Group commit on PostgreSQL: the writes of a process that wait for each other become one transaction.

Whoever has the turn commits for all that wait. Each change stands in a savepoint of its own, so its error
rolls back that change only. This saves commits, and writes of one process no longer meet in the same pages of
an index, which a serializable database takes for a conflict. Those of several processes may; the group that
lost runs again, alone.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

import psycopg

from paddock.kernel.errors import Unavailable
from paddock.metadata.ports import Transaction
from paddock.metadata.postgres_connection import Connection, PostgresTransaction
from paddock.metadata.postgres_errors import is_lost, is_serial, is_taken, raise_known
from paddock.metadata.records import Once
from paddock.metadata.requests import run_change

T = TypeVar("T")

GROUP_CAP = 64


class AgainError(Exception):
    """This attempt left nothing behind and another one may succeed; the cause says why."""


@dataclass(eq=False, slots=True)
class WriteRequest(Generic[T]):
    """A change to be committed. received_at: microseconds. is_done: its outcome, or its error, is there."""

    change: Callable[[Transaction], T]
    once: Once[T] | None
    received_at: int
    outcome: T | None = None
    error: Exception | None = None
    is_done: bool = False

    def settle(self, outcome: T | None, error: Exception | None) -> None:
        self.outcome, self.error, self.is_done = outcome, error, True


Group = Sequence[WriteRequest[object]]


@dataclass(slots=True)
class WriteGroups:
    """The writes of a process that wait, and the turn to commit them."""

    _waiting: "deque[WriteRequest[object]]" = field(default_factory=deque)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def waiting_count(self) -> int:
        return len(self._waiting)

    def submit(self, request: WriteRequest[T], commit: Callable[[Group], None]) -> T:
        """Return the result of a request after its COMMIT, which this thread or another one waits for.

        commit: settles every request of the group it is given, or raises what goes for all that are not.
        """
        waiting = cast("WriteRequest[object]", request)
        self._waiting.append(waiting)
        with self._turn:
            try:
                while not request.is_done:
                    self._commit_next(commit)
            except BaseException:  # Ctrl-C in this thread: nobody is to commit what nobody waits for
                if waiting in self._waiting:
                    self._waiting.remove(waiting)
                raise
        if request.error is not None:
            raise request.error
        return cast(T, request.outcome)

    def _commit_next(self, commit: Callable[[Group], None]) -> None:
        size = min(len(self._waiting), GROUP_CAP)
        group = [self._waiting.popleft() for _ in range(size)]
        try:
            commit(group)
        except Exception as error:  # noqa: BLE001 - each caller of the group raises it
            for request in group:
                if not request.is_done:
                    request.settle(None, error)
        except BaseException:
            # Ctrl-C in the thread that commits: what others wait for goes back to where it stood
            self._waiting.extendleft(reversed([each for each in group if not each.is_done]))
            raise


def commit_group(connection: Connection, group: Group, *, is_alone: bool) -> bool:
    """Commit the changes of a group, settle its requests and return whether there are events among them.

    is_alone: let no write of another process run beside it. Raises AgainError when nothing of those that are
    not settled was stored and another attempt may succeed.
    """
    # serializable, as SQLite's writes are; LOCK comes first because it takes no snapshot
    mode = b"EXCLUSIVE" if is_alone else b"SHARE"
    connection.execute(b"BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE write_turn IN %b MODE" % mode)
    try:
        outcomes = [_apply(connection, each, is_alone=is_alone, is_only=len(group) == 1) for each in group]
    except BaseException:
        roll_back(connection)
        raise
    _finish(connection, group)
    for request, outcome in zip(group, outcomes, strict=True):
        request.settle(outcome.result, outcome.error)
    return any(outcome.has_events for outcome in outcomes)


def roll_back(connection: Connection) -> None:
    """Leave the transaction; a connection that cannot is closed when it is given back."""
    try:
        connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()


@dataclass(frozen=True, slots=True)
class _Outcome:
    result: object = None
    error: Exception | None = None
    has_events: bool = False


def _apply(
    connection: Connection, request: WriteRequest[object], *, is_alone: bool, is_only: bool
) -> _Outcome:
    tx = PostgresTransaction(connection, request.received_at)
    if not is_only:  # a lone change needs no place to go back to
        connection.execute(b"SAVEPOINT change")
    try:
        result = run_change(tx, request.change, request.once, request.received_at)
        if tx.failure is not None:  # the change caught an error, but what it did is lost
            raise_known(tx.failure)
            raise tx.failure
    except Exception as error:
        if tx.failure is not None and _may_repeat(tx.failure, is_alone=is_alone):
            raise AgainError from tx.failure
        if is_only:
            raise
        connection.execute(b"ROLLBACK TO SAVEPOINT change; RELEASE SAVEPOINT change")
        return _Outcome(error=error)
    if not is_only:
        connection.execute(b"RELEASE SAVEPOINT change")
    return _Outcome(result, has_events=tx.has_events)


def _finish(connection: Connection, group: Group) -> None:
    """COMMIT. When the connection breaks meanwhile nobody knows whether it happened."""
    try:
        connection.execute("COMMIT")
    except psycopg.Error as error:
        if not is_serial(error) and not is_lost(error):
            raise
        if is_lost(error):
            for request in group:
                if request.once is None:
                    request.settle(None, _unknown(error))
        raise AgainError from error


def _unknown(cause: psycopg.Error) -> Unavailable:
    unknown = Unavailable(
        "the connection broke during COMMIT; the change may have been stored or not",
        hint="look before you repeat it, or use an idempotency key",
    )
    unknown.__cause__ = cause
    return unknown


def _may_repeat(error: psycopg.Error, *, is_alone: bool) -> bool:
    # alone, a refused row is no race: it really is there
    return is_serial(error) or is_lost(error) or (is_taken(error) and not is_alone)
