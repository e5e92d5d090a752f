"""Connections to one SQLite file, with every safety on."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic, sleep

import apsw

from paddock.metadata import sql as statements
from paddock.metadata.entries import new_entry
from paddock.metadata.ledger import head_of, seal
from paddock.metadata.parameters import check_params
from paddock.metadata.ports import NO_PARAMS
from paddock.metadata.records import NewEvent, Row, SqlValue
from paddock.metadata.sqlite_errors import raise_known
from paddock.metadata.turnstile import POLL_S

_WRITE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
# FULL: WAL with NORMAL loses acknowledged commits at power loss. No automatic checkpoint: the writer
# does it when it has answered. Never mmap: it turns a damaged page into a crash.
_PRAGMAS = """
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = 1;
    PRAGMA foreign_keys = ON;
    PRAGMA recursive_triggers = ON;
    PRAGMA case_sensitive_like = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 0;
    PRAGMA wal_autocheckpoint = 0;
"""


def open_connection(
    path: Path, *, busy_timeout_s: float, is_writable: bool, is_immutable: bool = False
) -> apsw.Connection:
    """Open one connection; it belongs to one thread at a time and to the process that opened it.

    is_immutable: nobody writes the file meanwhile, so that it needs no lock, no WAL and no file beside it.
    """
    flags = _WRITE if is_writable else apsw.SQLITE_OPEN_READONLY
    name = f"{path.absolute().as_uri()}?immutable=1" if is_immutable else str(path)
    try:
        connection = apsw.Connection(name, flags | (apsw.SQLITE_OPEN_URI if is_immutable else 0))
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
        connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
        connection.set_busy_handler(_patience(busy_timeout_s))
        for _ in connection.execute(_PRAGMAS):
            pass  # a pragma that answers would keep those behind it from being run
    except apsw.Error as error:
        raise_known(error, path)
        raise
    return connection


class SqliteReader:
    """Runs portable SQL on a connection."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def fetch_all(self, sql: str, params: Mapping[str, SqlValue] = NO_PARAMS) -> list[Row]:
        try:
            cursor = self._connection.execute(sql, check_params(params))
            first = next(cursor, None)
            if first is None:
                return []
            names = [column[0] for column in cursor.get_description()]
            return [dict(zip(names, row, strict=True)) for row in (first, *cursor)]
        except apsw.Error as error:
            raise_known(error, self._path)
            raise

    def fetch_one(self, sql: str, params: Mapping[str, SqlValue] = NO_PARAMS) -> Row | None:
        rows = self.fetch_all(sql, params)
        return rows[0] if rows else None


class SqliteTransaction(SqliteReader):
    """One request's part of the writer's transaction. received_at: microseconds, for its events."""

    def __init__(self, connection: apsw.Connection, path: Path, received_at: int) -> None:
        super().__init__(connection, path)
        self._received_at = received_at

    def execute(self, sql: str, params: Mapping[str, SqlValue] = NO_PARAMS) -> int:
        try:
            for _ in self._connection.execute(sql, check_params(params)):
                pass  # rows of RETURNING
        except apsw.Error as error:
            raise_known(error, self._path)
            raise
        return self._connection.changes()

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, SqlValue]]) -> None:
        try:
            self._connection.executemany(sql, [check_params(row) for row in rows])
        except apsw.Error as error:
            raise_known(error, self._path)
            raise

    def append_event(self, event: NewEvent) -> None:
        # the head is read from the database each time: other processes write, and savepoints roll back
        link = seal(new_entry(event, self._received_at), statements.get_head(self))
        statements.insert_event(self, link.entry, link)
        statements.set_head(self, head_of(link))


def _patience(timeout_s: float) -> Callable[[int], bool]:
    """Return a busy handler that polls evenly; SQLite's own backs off to 100 ms and starves."""
    started = 0.0

    def wait(attempt: int) -> bool:
        nonlocal started
        if attempt == 0:
            started = monotonic()
        sleep(POLL_S)
        return monotonic() - started < timeout_s

    return wait
