"""The way of a PostgreSQL database to the current schema."""

from collections.abc import Iterable
from typing import cast

import psycopg

from paddock.kernel.errors import Conflict
from paddock.metadata.migrations import Migration, list_migrations, plan_migrations
from paddock.metadata.postgres_connection import Connection

# two numbers of our own, so that no other program's advisory lock is meant
LOCK_SPACE = 0x50646B4D
_MIGRATE_LOCK = 1


def migrate(connection: Connection, *, now: int) -> None:
    """Apply what is missing in one transaction, one process after the other. now: microseconds."""
    if not _find_missing(connection):
        return
    with connection.transaction():
        lock_schema(connection)
        missing = _find_missing(connection)  # another process may have been faster
        apply_steps(connection, missing)
        for step in missing:
            connection.execute(
                "INSERT INTO schema_migrations (number, name, applied_at) VALUES (%s, %s, %s)",
                (step.number, step.name, now),
            )


def lock_schema(connection: Connection) -> None:
    """Keep other processes from migrating or restoring until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCK_SPACE, _MIGRATE_LOCK))


def has_store(connection: Connection) -> bool:
    """Return whether the database holds a Paddock store."""
    row = connection.execute("SELECT to_regclass('schema_migrations') IS NOT NULL AS found").fetchone()
    return bool(row and row["found"])


def apply_steps(connection: Connection, steps: Iterable[Migration]) -> None:
    """Run the scripts; Conflict when tables of another program are in the way."""
    for step in steps:
        try:
            connection.execute(step.script.encode())
        except psycopg.errors.DuplicateTable as error:
            raise Conflict(
                f"the database holds tables of another program: {str(error).splitlines()[0]}",
                hint="CREATE DATABASE paddock",
            ) from error


def _find_missing(connection: Connection) -> tuple[Migration, ...]:
    applied: tuple[int, ...] = ()
    if has_store(connection):
        rows = connection.execute("SELECT number FROM schema_migrations").fetchall()
        applied = tuple(cast(int, row["number"]) for row in rows)
    return plan_migrations(list_migrations("postgres"), applied, connection.info.dbname)
