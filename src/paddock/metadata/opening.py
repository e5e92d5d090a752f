"""From an address to a store."""

from importlib import import_module
from pathlib import Path

from paddock.kernel.clock import Clock
from paddock.kernel.errors import InvalidSettings
from paddock.metadata.ports import Metadata
from paddock.metadata.sqlite_files import is_read_only, refuse_write

_POSTGRES = ("postgresql://", "postgres://")


def open_metadata(
    url: str, *, clock: Clock, write_queue_size: int = 10_000, busy_timeout_s: float = 30.0
) -> Metadata:
    """Open the store at `url`, bring its schema up to date, and return it.

    url: a folder (the store is its `metadata.db`), a path ending in `.db`, or `postgresql://...`.
    clock: gives received_at of events. write_queue_size: writes that may wait before QueueFull.
    busy_timeout_s: longest wait for another process, or for a free connection. A store in a folder that this
    process may not write is opened for reading: nothing is made or changed there, and writes are Forbidden.
    Raises StoreTooNew when a newer Paddock has written it.
    """
    if url.startswith(_POSTGRES):
        _require_psycopg()
        from paddock.metadata.postgres import PostgresMetadata

        return PostgresMetadata(url, clock=clock, busy_timeout_s=busy_timeout_s)
    path = store_file(url)
    if is_read_only(path):
        from paddock.metadata.sqlite_read_only import ReadOnlySqlite

        return ReadOnlySqlite(path, busy_timeout_s=busy_timeout_s)
    from paddock.metadata.sqlite import SqliteMetadata

    return SqliteMetadata(path, clock=clock, write_queue_size=write_queue_size, busy_timeout_s=busy_timeout_s)


def check_writable(url: str) -> None:
    """Raise Forbidden when there is a store at `url` that this process may only read.

    A database server is not asked: it answers by refusing the write.
    """
    path = store_file(url)
    if not url.startswith(_POSTGRES) and is_read_only(path):
        raise refuse_write(path)


def restore_metadata(source: Path, url: str) -> None:
    """Make the store at `url` from `source`, a file written by `Metadata.backup`.

    The target must not hold a store yet (AlreadyExists); the source must come from the same engine.
    """
    if url.startswith(_POSTGRES):
        _require_psycopg()
        from paddock.metadata.postgres_dump import restore_postgres

        restore_postgres(source, url)
    else:
        from paddock.metadata.sqlite_copy import restore_sqlite

        restore_sqlite(source, store_file(url))


def store_file(url: str) -> Path:
    """Return the database file that the folder or file `url` stands for.

    >>> store_file("/srv/paddock").as_posix()
    '/srv/paddock/metadata.db'
    >>> store_file("/srv/other.db").as_posix()
    '/srv/other.db'
    """
    path = Path(url)
    return path if path.suffix == ".db" else path / "metadata.db"


def _require_psycopg() -> None:
    try:
        import_module("psycopg")
    except ImportError as error:  # not there, or there without its C library
        raise InvalidSettings(
            f"a store at `postgresql://` needs psycopg, which cannot be imported: {error}",
            hint="pip install 'paddock[postgres]'",
        ) from error
