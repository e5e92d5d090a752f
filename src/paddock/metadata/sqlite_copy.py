"""Copies of a SQLite store: backup and restore."""

from pathlib import Path

import apsw

from paddock.kernel.errors import AlreadyExists, IntegrityError, NotFound, UnreadableFile
from paddock.metadata.sqlite_connection import open_connection
from paddock.metadata.sqlite_errors import raise_known
from paddock.metadata.sqlite_files import prepare_file, publish_file
from paddock.metadata.sqlite_schema import find_missing

_BUSY_TIMEOUT_S = 30.0
_MAGIC = b"SQLite format 3\0"


def copy_database(source: Path, target: Path) -> None:
    """Write one snapshot of the store `source` to the new file `target`, which appears when it is whole.

    Writers go on meanwhile. IntegrityError when the copy turns out damaged.
    """
    connection = open_connection(source, busy_timeout_s=_BUSY_TIMEOUT_S, is_writable=False)
    try:
        copy_from(connection, source, target)
    finally:
        connection.close(True)


def copy_from(connection: apsw.Connection, source: Path, target: Path) -> None:
    """Do as `copy_database`, through a connection to `source` that is open already."""
    if target.exists():
        raise AlreadyExists(f"there is a file `{target}` already")
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    prepare_file(partial)
    try:
        _copy_snapshot(connection, source, partial)
        publish_file(partial, target)
    finally:
        partial.unlink(missing_ok=True)
        partial.with_name(f"{partial.name}-journal").unlink(missing_ok=True)  # SQLite's, after an error


def restore_sqlite(source: Path, target: Path) -> None:
    """Make the store `target` from a backup; StoreTooNew when a newer Paddock has written it."""
    if not source.is_file():
        raise NotFound(f"there is no backup `{source}`")
    with source.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise UnreadableFile(f"`{source}` is not a backup of a SQLite store")
    copy_database(source, target)


def _copy_snapshot(connection: apsw.Connection, source: Path, target: Path) -> None:
    try:
        find_missing(connection, source)
        connection.execute("VACUUM INTO ?", (str(target),))
    except apsw.Error as error:
        raise_known(error, source)
        raise
    copy = open_connection(target, busy_timeout_s=_BUSY_TIMEOUT_S, is_writable=False)
    try:
        verdict = str(copy.pragma("integrity_check"))
    finally:
        copy.close(True)
    if verdict != "ok":
        raise IntegrityError(f"the copy of `{source}` is damaged: {verdict}")
