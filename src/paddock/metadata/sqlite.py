"""The metadata store in one SQLite file, for one machine."""

import os
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import apsw

from paddock.kernel.clock import Clock, to_micros
from paddock.kernel.errors import Unavailable
from paddock.metadata import sql as statements
from paddock.metadata.ports import Reader, Transaction
from paddock.metadata.records import Event, LedgerVerdict, Once, StoreLoad
from paddock.metadata.requests import purge_keys
from paddock.metadata.sqlite_connection import SqliteReader, open_connection
from paddock.metadata.sqlite_copy import copy_database
from paddock.metadata.sqlite_errors import raise_known
from paddock.metadata.sqlite_files import prepare_file
from paddock.metadata.sqlite_schema import migrate
from paddock.metadata.turnstile import Turnstile
from paddock.metadata.verification import verify_chain
from paddock.metadata.writer import Writer, WriteRequest

T = TypeVar("T")


class SqliteMetadata:
    """Metadata in `path`. Several threads and several processes of one machine may use one file at once.

    Reads go to the WAL beside the writer and never wait for it.
    """

    def __init__(self, path: Path, *, clock: Clock, write_queue_size: int, busy_timeout_s: float) -> None:
        self._path = path
        self._clock = clock
        self._busy_timeout_s = busy_timeout_s
        self._process_id = os.getpid()
        self._idle: queue.SimpleQueue[apsw.Connection] = queue.SimpleQueue()
        self._is_closed = False
        prepare_file(path)
        self._turnstile = Turnstile(path.with_name(path.name + "-turn"), busy_timeout_s)
        try:
            self._migrate()
            self._writer = Writer(
                path, self._turnstile, queue_size=write_queue_size, busy_timeout_s=busy_timeout_s
            )
        except BaseException:
            self._turnstile.close()
            raise

    def write(self, change: Callable[[Transaction], T], *, once: Once[T] | None = None) -> T:
        self._check_process()
        return self._writer.submit(WriteRequest(change, once, to_micros(self._clock.now())))

    def read(self, query: Callable[[Reader], T]) -> T:
        self._check_process()
        with self._snapshot() as connection:
            return query(SqliteReader(connection, self._path))

    def events(
        self, project_id: str, *, after: int = 0, kind: str = "", subject: str = "", limit: int = 1000
    ) -> tuple[Event, ...]:
        def query(reader: Reader) -> tuple[Event, ...]:
            return statements.list_events(reader, project_id, after, kind, subject, limit)

        return self.read(query)

    def latest_events(
        self, project_id: str, *, kind: str = "", subject: str = "", limit: int = 100
    ) -> tuple[Event, ...]:
        def query(reader: Reader) -> tuple[Event, ...]:
            return statements.list_latest_events(reader, project_id, kind, subject, limit)

        return self.read(query)

    def verify_ledger(self) -> LedgerVerdict:
        return self.read(verify_chain)

    def backup(self, target: Path) -> None:
        self._check_process()
        copy_database(self._path, target)

    def size_bytes(self) -> int:
        files = (self._path, self._path.with_name(self._path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def purge_idempotency_keys(self, before: datetime) -> int:
        return purge_keys(self, before)

    def load(self) -> StoreLoad:
        return self._writer.load()

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._writer.close()
        while not self._idle.empty():
            self._idle.get().close()
        self._turnstile.close()

    def _migrate(self) -> None:
        """Bring the schema up to date in one transaction, one process after the other."""
        connection = open_connection(self._path, busy_timeout_s=self._busy_timeout_s, is_writable=True)
        try:
            with self._turnstile.turn():
                migrate(connection, self._path, now=to_micros(self._clock.now()))
        except apsw.Error as error:
            raise_known(error, self._path)
            raise
        finally:
            connection.close(True)

    @contextmanager
    def _snapshot(self) -> Iterator[apsw.Connection]:
        """Lend a reading connection inside a transaction; it sees the state of its first statement."""
        if self._is_closed:
            raise Unavailable(f"the store `{self._path}` has been closed")
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = open_connection(self._path, busy_timeout_s=self._busy_timeout_s, is_writable=False)
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._give_back(connection)

    def _give_back(self, connection: apsw.Connection) -> None:
        if self._is_closed:
            connection.close()
        else:
            self._idle.put(connection)

    def _check_process(self) -> None:
        # the child of a fork has no writer thread, and SQLite's locks do not cross a fork
        if os.getpid() != self._process_id:
            raise Unavailable(
                f"the store `{self._path}` was opened before this process was forked",
                hint="open the store again in the child",
            )
