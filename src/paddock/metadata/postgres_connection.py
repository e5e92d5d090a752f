"""Connections to a PostgreSQL store: how they are made, lent and used."""

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from paddock.kernel.errors import InvalidSettings, Unavailable
from paddock.metadata import sql as statements
from paddock.metadata.entries import new_entry
from paddock.metadata.parameters import check_params
from paddock.metadata.ports import NO_PARAMS
from paddock.metadata.postgres_errors import raise_known
from paddock.metadata.postgres_sql import many_to_psycopg, to_psycopg
from paddock.metadata.records import NewEvent, Row, SqlValue, StoreLoad

Connection: TypeAlias = psycopg.Connection[DictRow]

_CONNECT_TIMEOUT_S = 10
_IDLE_TRANSACTION_S = 60
# PostgreSQL's own default allows 100 for all; a process needs one per thread that is in the store
_CONNECTION_CAP = 16
_KINDS = {int: "bigint", str: "text", bytes: "bytea"}


class _NumericLoader(Loader):
    """SUM of a BIGINT is NUMERIC; SQLite gives a whole number, so we do."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data).decode()
        return int(text) if text.lstrip("-").isdecimal() else float(text)


class _BooleanLoader(Loader):
    """A comparison in a SELECT is 0 or 1, as in SQLite."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data) == b"t")


def open_connection(url: str, *, busy_timeout_s: float) -> Connection:
    """Connect in autocommit mode; InvalidSettings when the server could lose an acknowledged write."""
    connection = psycopg.connect(
        url, autocommit=True, row_factory=dict_row, connect_timeout=_CONNECT_TIMEOUT_S
    )
    try:
        connection.adapters.register_loader("numeric", _NumericLoader)
        connection.adapters.register_loader("bool", _BooleanLoader)
        connection.execute(
            b"SET lock_timeout = %d; SET idle_in_transaction_session_timeout = %d"
            % (int(busy_timeout_s * 1000), _IDLE_TRANSACTION_S * 1000)
        )
        _check_server(connection)
    except BaseException:
        connection.close()
        raise
    return connection


class PostgresPool:
    """Lends connections to threads, a broken one never twice."""

    def __init__(self, url: str, *, busy_timeout_s: float) -> None:
        self._url = url
        self._busy_timeout_s = busy_timeout_s
        self._free = threading.BoundedSemaphore(_CONNECTION_CAP)
        self._counting = threading.Lock()
        self._waiting_count = 0
        self._refused_count = 0
        self._idle: deque[Connection] = deque()
        self._is_closed = False

    @contextmanager
    def lend(self) -> Iterator[Connection]:
        """Lend a connection outside of any transaction; one left in a transaction is rolled back."""
        if self._is_closed:
            raise Unavailable("the store has been closed")
        self._wait_for_one()
        try:
            connection = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection)
        finally:
            self._free.release()

    def forget_idle(self) -> None:
        """Close what is not lent: after one connection was lost the others are, too."""
        while self._idle:
            self._idle.pop().close()

    def load(self) -> StoreLoad:
        return StoreLoad(self._waiting_count, self._refused_count)

    def close(self) -> None:
        self._is_closed = True
        self.forget_idle()

    def _wait_for_one(self) -> None:
        if self._free.acquire(blocking=False):
            return
        with self._counting:
            self._waiting_count += 1
        is_free = self._free.acquire(timeout=self._busy_timeout_s)
        with self._counting:
            self._waiting_count -= 1
            self._refused_count += not is_free
        if not is_free:
            raise Unavailable(f"all {_CONNECTION_CAP} connections to the database are in use")

    def _take(self) -> Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return open_connection(self._url, busy_timeout_s=self._busy_timeout_s)

    def _give_back(self, connection: Connection) -> None:
        if self._is_closed or connection.info.transaction_status != TransactionStatus.IDLE:
            connection.close()  # the server rolls back what it left open
        else:
            self._idle.append(connection)


class PostgresReader:
    """Runs portable SQL on a connection that is in a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.failure: psycopg.Error | None = None

    def fetch_all(self, sql: str, params: Mapping[str, SqlValue] = NO_PARAMS) -> list[Row]:
        cursor = self._run(sql, params)
        return [*cursor.fetchall()] if cursor.description else []

    def fetch_one(self, sql: str, params: Mapping[str, SqlValue] = NO_PARAMS) -> Row | None:
        rows = self.fetch_all(sql, params)
        return rows[0] if rows else None

    def _run(self, sql: str, params: Mapping[str, SqlValue]) -> psycopg.Cursor[DictRow]:
        try:
            return self._connection.execute(to_psycopg(sql), check_params(params))
        except psycopg.Error as error:
            self.failure = error
            raise_known(error)
            raise


class PostgresTransaction(PostgresReader):
    """One change. received_at: microseconds, for its events."""

    def __init__(self, connection: Connection, received_at: int) -> None:
        super().__init__(connection)
        self._received_at = received_at
        self.has_events = False

    def execute(self, sql: str, params: Mapping[str, SqlValue] = NO_PARAMS) -> int:
        return self._run(sql, params).rowcount

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, SqlValue]]) -> None:
        try:
            checked = [check_params(row) for row in rows]
            columns = {name: [row[name] for row in checked] for name in checked[0]} if checked else {}
            kinds = tuple((name, kind) for name, values in columns.items() if (kind := _kind_of(values)))
            if kinds:
                arrays = {name: columns[name] for name, _ in kinds}
                self._connection.execute(many_to_psycopg(sql, kinds), arrays)
        except psycopg.Error as error:
            self.failure = error
            raise_known(error)
            raise

    def append_event(self, event: NewEvent) -> None:
        # unsealed: a position given here would make all writers wait for one row
        statements.insert_event(self, new_entry(event, self._received_at), None)
        self.has_events = True


def _kind_of(values: Sequence[SqlValue]) -> str:
    """Return the type of an array of these values, empty when all are NULL."""
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return ""
    return "float8" if float in kinds else _KINDS[kinds.pop()]


def _check_server(connection: Connection) -> None:
    row = connection.execute(
        "SELECT current_setting('synchronous_commit') AS synchronous_commit,"
        " current_setting('fsync') AS fsync, current_setting('server_encoding') AS encoding"
    ).fetchone()
    assert row is not None, "a SELECT without FROM has one row"
    for setting in ("synchronous_commit", "fsync"):
        if row[setting] == "off":
            raise InvalidSettings(
                f"PostgreSQL has `{setting} = off`, so a write that was acknowledged can be lost",
                hint=f"ALTER SYSTEM SET {setting} = on",
            )
    if row["encoding"] != "UTF8":
        raise InvalidSettings(
            f"the database has the encoding {row['encoding']}, but must have UTF8",
            hint="CREATE DATABASE paddock ENCODING 'UTF8' TEMPLATE template0",
        )
