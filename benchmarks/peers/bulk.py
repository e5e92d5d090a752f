"""Rows in bulk into a database, SQLite or PostgreSQL, with whatever driver there is.

Standard library only: this runs in the other tool's environment too.
"""

import sqlite3
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from typing import Protocol

Cell = str | int | float | bool | bytes | None
Cells = Sequence[Cell]


class Target(Protocol):
    """A connection that takes rows; they are there when it is closed."""

    def add(self, table: str, columns: str, rows: Sequence[Cells]) -> None: ...

    def ask(self, sql: str) -> int:
        """Return the one number that a statement gives."""
        ...

    def close(self) -> None: ...


def connect(address: str) -> Target:
    """address: a file, `sqlite:///FILE`, `postgresql://...` or `postgresql+DRIVER://...`."""
    scheme, separator, rest = address.partition("://")
    if scheme.startswith("postgresql"):
        return Postgres(f"postgresql://{rest}")
    return Sqlite(rest.removeprefix("/") if separator else address)


class Sqlite:
    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path)
        self._connection.execute("PRAGMA synchronous = OFF")  # of this connection only
        self._connection.execute("PRAGMA cache_size = -400000")

    def add(self, table: str, columns: str, rows: Sequence[Cells]) -> None:
        marks = ", ".join("?" * len(rows[0]))
        self._connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608

    def ask(self, sql: str) -> int:
        return int(self._connection.execute(sql).fetchone()[0])

    def close(self) -> None:
        self._connection.commit()
        self._connection.close()


class Postgres:
    def __init__(self, url: str) -> None:
        self._is_old = find_spec("psycopg2") is not None
        self._connection = import_module("psycopg2" if self._is_old else "psycopg").connect(url)
        self._cursor = self._connection.cursor()
        self._cursor.execute("SET session_replication_role = replica")  # no look-up for each foreign key

    def add(self, table: str, columns: str, rows: Sequence[Cells]) -> None:
        text = "".join("\t".join(map(_copied, row)) + "\n" for row in rows)
        command = f"COPY {table} ({columns}) FROM STDIN"
        if self._is_old:
            self._cursor.copy_expert(command, StringIO(text))
        else:
            with self._cursor.copy(command) as copy:
                copy.write(text)

    def ask(self, sql: str) -> int:
        self._cursor.execute(sql)
        return int(self._cursor.fetchone()[0])

    def close(self) -> None:
        self._connection.commit()
        self._connection.autocommit = True
        self._cursor.execute("VACUUM ANALYZE")  # what autovacuum does within minutes
        self._connection.close()


def _copied(cell: Cell) -> str:
    if isinstance(cell, bytes):
        return "\\\\x" + cell.hex()
    if isinstance(cell, str):
        return cell.replace("\\", "\\\\")  # tabs and new lines are in none of our texts
    return "\\N" if cell is None else str(cell)
