"""The metadata store in a PostgreSQL database, for several machines."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from time import sleep
from typing import TypeVar, cast

import psycopg

from paddock.kernel.clock import Clock, to_micros
from paddock.kernel.errors import Unavailable
from paddock.metadata import sql as statements
from paddock.metadata.ports import Reader, Transaction
from paddock.metadata.postgres_connection import Connection, PostgresPool, PostgresReader, PostgresTransaction
from paddock.metadata.postgres_dump import dump_database
from paddock.metadata.postgres_errors import is_lost, is_serial, is_taken, raise_known
from paddock.metadata.postgres_schema import migrate
from paddock.metadata.postgres_sealer import Sealer, seal_tail
from paddock.metadata.records import Event, LedgerVerdict, Once, StoreLoad
from paddock.metadata.requests import purge_keys, run_change
from paddock.metadata.verification import verify_chain

T = TypeVar("T")

_ATTEMPTS = 5
_PAUSE_S = 0.05


class _AgainError(Exception):
    """This attempt left nothing behind and another one may succeed; the cause says why."""


class PostgresMetadata:
    """Metadata in the database at `url`; any number of processes and machines may use it at once.

    A change that met another one runs again, alone: it waits for the changes under way, and new ones
    wait for it. So no change fails because others were faster.
    """

    def __init__(self, url: str, *, clock: Clock, busy_timeout_s: float) -> None:
        self._clock = clock
        self._process_id = os.getpid()
        self._pool = PostgresPool(url, busy_timeout_s=busy_timeout_s)
        try:
            self._repeat(lambda connection, _: migrate(connection, now=to_micros(clock.now())))
        except BaseException:
            self._pool.close()
            raise
        self._sealer = Sealer(self._pool)

    def write(self, change: Callable[[Transaction], T], *, once: Once[T] | None = None) -> T:
        received_at = to_micros(self._clock.now())

        def attempt(connection: Connection, number: int) -> T:
            tx = PostgresTransaction(connection, received_at)
            result = _commit(connection, tx, change, once, received_at, is_alone=number > 0)
            if tx.has_events:
                self._sealer.wake()
            return result

        return self._repeat(attempt)

    def read(self, query: Callable[[Reader], T]) -> T:
        def attempt(connection: Connection, _number: int) -> T:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                return query(PostgresReader(connection))
            finally:
                _roll_back(connection)

        return self._repeat(attempt)

    def events(
        self, project_id: str, *, after: int = 0, kind: str = "", subject: str = "", limit: int = 1000
    ) -> tuple[Event, ...]:
        def query(reader: Reader) -> tuple[Event, ...]:
            return statements.list_events(reader, project_id, after, kind, subject, limit)

        self._seal()
        return self.read(query)

    def latest_events(
        self, project_id: str, *, kind: str = "", subject: str = "", limit: int = 100
    ) -> tuple[Event, ...]:
        def query(reader: Reader) -> tuple[Event, ...]:
            return statements.list_latest_events(reader, project_id, kind, subject, limit)

        self._seal()
        return self.read(query)

    def verify_ledger(self) -> LedgerVerdict:
        self._seal()
        return self.read(verify_chain)

    def backup(self, target: Path) -> None:
        self._repeat(lambda connection, _: dump_database(connection, target))

    def size_bytes(self) -> int:
        sql = "SELECT pg_database_size(current_database()) AS size_bytes"
        row = self.read(lambda reader: reader.fetch_one(sql))
        return cast(int, row["size_bytes"]) if row else 0

    def purge_idempotency_keys(self, before: datetime) -> int:
        return purge_keys(self, before)

    def load(self) -> StoreLoad:
        return self._pool.load()

    def close(self) -> None:
        self._sealer.close()
        self._pool.close()

    def _seal(self) -> None:
        self._repeat(lambda connection, _: seal_tail(connection))

    def _repeat(self, attempt: Callable[[Connection, int], T]) -> T:
        """Run `attempt` with a connection and its number, up to five times."""
        if os.getpid() != self._process_id:
            raise Unavailable(
                "the store was opened before this process was forked", hint="open it again in the child"
            )
        cause: BaseException | None = None
        for number in range(_ATTEMPTS):
            try:
                with self._pool.lend() as connection:
                    return attempt(connection, number)
            except _AgainError as again:
                cause = again.__cause__
            except psycopg.Error as error:
                if not is_lost(error):
                    raise_known(error)
                    raise
                cause = error
            if isinstance(cause, psycopg.Error) and is_lost(cause):
                self._pool.forget_idle()
                sleep(_PAUSE_S * 2**number)  # the server may be on its way back
        raise Unavailable(f"the database did not do it in {_ATTEMPTS} attempts: {cause}") from cause


def _commit(
    connection: Connection,
    tx: PostgresTransaction,
    change: Callable[[Transaction], T],
    once: Once[T] | None,
    received_at: int,
    *,
    is_alone: bool,
) -> T:
    # serializable, as SQLite's writes are; LOCK comes first because it takes no snapshot
    mode = b"EXCLUSIVE" if is_alone else b"SHARE"
    connection.execute(b"BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE write_turn IN %b MODE" % mode)
    try:
        result = run_change(tx, change, once, received_at)
        if tx.failure is not None:  # the change caught an error, but its transaction is lost
            raise_known(tx.failure)
            raise tx.failure
    except BaseException:
        _roll_back(connection)
        if tx.failure is not None and _may_repeat(tx.failure, is_alone=is_alone):
            raise _AgainError from tx.failure
        raise
    _finish(connection, is_repeatable=once is not None)
    return result


def _finish(connection: Connection, *, is_repeatable: bool) -> None:
    """COMMIT. When the connection breaks meanwhile nobody knows whether it happened."""
    try:
        connection.execute("COMMIT")
    except psycopg.Error as error:
        if is_serial(error) or (is_lost(error) and is_repeatable):
            raise _AgainError from error
        if is_lost(error):
            raise Unavailable(
                "the connection broke during COMMIT; the change may have been stored or not",
                hint="look before you repeat it, or use an idempotency key",
            ) from error
        raise


def _may_repeat(error: psycopg.Error, *, is_alone: bool) -> bool:
    # alone, a refused row is no race: it really is there
    return is_serial(error) or is_lost(error) or (is_taken(error) and not is_alone)


def _roll_back(connection: Connection) -> None:
    """Leave the transaction; a connection that cannot is closed when it is given back."""
    try:
        connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()
