"""A SQLite store that this process may read and not write: a snapshot, or the folder of somebody else."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import apsw

from paddock.kernel.errors import Forbidden, Unavailable
from paddock.metadata import sql as statements
from paddock.metadata.ports import Reader, Transaction
from paddock.metadata.records import Event, LedgerVerdict, Once, StoreLoad
from paddock.metadata.sqlite_connection import SqliteReader, open_connection
from paddock.metadata.sqlite_copy import copy_from
from paddock.metadata.sqlite_files import refuse_write, wal_bytes
from paddock.metadata.sqlite_schema import find_missing
from paddock.metadata.verification import verify_chain

T = TypeVar("T")


class ReadOnlySqlite:
    """Metadata in `path`, which is only read: nothing is made beside it, and every write is Forbidden."""

    def __init__(self, path: Path, *, busy_timeout_s: float) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        if not os.access(path, os.R_OK):
            raise Forbidden(f"the store `{path}` may not be read by this process", hint="ls -l shows who may")
        with lend_read_only(path, busy_timeout_s) as connection:
            if find_missing(connection, path):
                raise Forbidden(
                    f"the store `{path}` has an older schema, and it is read-only",
                    hint="open it once where it can be written",
                )

    def write(self, change: Callable[[Transaction], T], *, once: Once[T] | None = None) -> T:  # noqa: ARG002
        raise refuse_write(self._path)

    def read(self, query: Callable[[Reader], T]) -> T:
        with lend_read_only(self._path, self._busy_timeout_s) as connection:
            connection.execute("BEGIN")
            return query(SqliteReader(connection, self._path))

    def events(
        self, project_id: str, *, after: int = 0, kind: str = "", subject: str = "", limit: int = 1000
    ) -> tuple[Event, ...]:
        return self.read(
            lambda reader: statements.list_events(reader, project_id, after, kind, subject, limit)
        )

    def latest_events(
        self, project_id: str, *, kind: str = "", subject: str = "", limit: int = 100
    ) -> tuple[Event, ...]:
        return self.read(
            lambda reader: statements.list_latest_events(reader, project_id, kind, subject, limit)
        )

    def verify_ledger(self) -> LedgerVerdict:
        return self.read(verify_chain)

    def backup(self, target: Path) -> None:
        with lend_read_only(self._path, self._busy_timeout_s) as connection:
            copy_from(connection, self._path, target)

    def size_bytes(self) -> int:
        return self._path.stat().st_size + wal_bytes(self._path)

    def purge_idempotency_keys(self, before: datetime) -> int:  # noqa: ARG002
        raise refuse_write(self._path)

    def load(self) -> StoreLoad:
        return StoreLoad(0, 0)

    def close(self) -> None:
        """Do nothing: each read has closed its connection."""


@contextmanager
def lend_read_only(path: Path, busy_timeout_s: float) -> Iterator[apsw.Connection]:
    """Lend a connection that makes no file.

    Where writes wait in a WAL, SQLite needs the shared memory beside it. Without a WAL nobody has the file
    open, and SQLite is told that it does not change; Unavailable when it has all the same.
    """
    has_wal = wal_bytes(path) > 0
    if has_wal and not path.with_name(path.name + "-shm").exists():
        raise Forbidden(
            f"the store `{path}` is read-only, and its newest writes stand in `{path.name}-wal` alone",
            hint="open it once where it can be written",
        )
    before = _stamp(path)
    connection = open_connection(
        path, busy_timeout_s=busy_timeout_s, is_writable=False, is_immutable=not has_wal
    )
    try:
        yield connection
    finally:
        connection.close(True)
    if not has_wal and _stamp(path) != before:
        raise Unavailable(f"the store `{path}` was written while it was read", hint="try again")


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
