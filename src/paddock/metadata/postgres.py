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
from paddock.metadata.postgres_connection import Connection, PostgresPool, PostgresReader
from paddock.metadata.postgres_dump import dump_database
from paddock.metadata.postgres_errors import is_lost, raise_known
from paddock.metadata.postgres_groups import (
    AgainError,
    Group,
    WriteGroups,
    WriteRequest,
    commit_group,
    roll_back,
)
from paddock.metadata.postgres_schema import migrate
from paddock.metadata.postgres_sealer import Sealer, seal_tail
from paddock.metadata.records import Event, LedgerVerdict, Once, StoreLoad
from paddock.metadata.requests import purge_keys
from paddock.metadata.verification import verify_chain

T = TypeVar("T")

_ATTEMPTS = 5
_PAUSE_S = 0.05


class PostgresMetadata:
    """Metadata in the database at `url`; any number of processes and machines may use it at once.

    Writes of a process that wait for each other are committed together. A group that met the writes of
    another process runs again, alone: it waits for those under way, and new ones wait for it. So no change
    fails because others were faster.
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
        self._groups = WriteGroups()

    def write(self, change: Callable[[Transaction], T], *, once: Once[T] | None = None) -> T:
        request = WriteRequest(change, once, to_micros(self._clock.now()))
        return self._groups.submit(request, self._commit_group)

    def read(self, query: Callable[[Reader], T]) -> T:
        def attempt(connection: Connection, _number: int) -> T:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                return query(PostgresReader(connection))
            finally:
                roll_back(connection)

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
        lent = self._pool.load()
        return StoreLoad(lent.waiting_count + self._groups.waiting_count, lent.refused_count)

    def close(self) -> None:
        self._sealer.close()
        self._pool.close()

    def _commit_group(self, group: Group) -> None:
        def attempt(connection: Connection, number: int) -> None:
            open_requests = [request for request in group if not request.is_done]
            if open_requests and commit_group(connection, open_requests, is_alone=number > 0):
                self._sealer.wake()

        self._repeat(attempt)

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
            except AgainError as again:
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
