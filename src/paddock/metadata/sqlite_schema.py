"""Whose database a SQLite file is, and its way to the current schema."""

from pathlib import Path
from typing import cast

import apsw

from paddock.kernel.errors import UnreadableFile
from paddock.metadata.migrations import Migration, list_migrations, plan_migrations

# "PdkM", in the file's header
APPLICATION_ID = 0x50646B4D


def find_missing(connection: apsw.Connection, path: Path) -> tuple[Migration, ...]:
    """Return the migrations that the database still needs.

    UnreadableFile for the database of another program, StoreTooNew for one of a newer Paddock.
    """
    applied: tuple[int, ...] = ()
    tables = connection.execute("SELECT COUNT(*) FROM sqlite_schema").get
    if tables:
        if connection.pragma("application_id") != APPLICATION_ID:
            raise UnreadableFile(f"`{path}` is a database of another program")
        rows = connection.execute("SELECT number FROM schema_migrations").fetchall()
        applied = tuple(cast(int, row[0]) for row in rows)
    return plan_migrations(list_migrations("sqlite"), applied, str(path))


def migrate(connection: apsw.Connection, path: Path, *, now: int) -> None:
    """Apply what is missing in one transaction. now: microseconds.

    The caller keeps other processes from opening the store meanwhile; closing the connection after
    an error rolls back.
    """
    connection.execute("PRAGMA journal_mode = WAL")
    missing = find_missing(connection, path)
    if not missing:
        return
    connection.execute("BEGIN IMMEDIATE")
    for step in missing:
        connection.execute(step.script)
        connection.execute(
            "INSERT INTO schema_migrations (number, name, applied_at) VALUES (?, ?, ?)",
            (step.number, step.name, now),
        )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {list_migrations('sqlite')[-1].number}")
    connection.execute("COMMIT")
