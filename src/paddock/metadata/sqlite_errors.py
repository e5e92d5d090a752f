"""SQLite's errors in our words."""

from pathlib import Path

import apsw

from paddock.kernel.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    IntegrityError,
    InvalidInput,
    PaddockError,
    StorageFull,
    Unavailable,
    UnreadableFile,
)

_UNIQUE = (
    apsw.SQLITE_CONSTRAINT_UNIQUE,
    apsw.SQLITE_CONSTRAINT_PRIMARYKEY,
    apsw.SQLITE_CONSTRAINT_ROWID,
)
_AGAINST_OTHERS = (apsw.SQLITE_CONSTRAINT_FOREIGNKEY, apsw.SQLITE_CONSTRAINT_TRIGGER)
# extending the shared-memory file fails with this code when the disk is full
_FULL = (apsw.SQLITE_FULL, apsw.SQLITE_IOERR_SHMSIZE)


def raise_known(error: apsw.Error, path: Path) -> None:
    """Raise the Paddock error that `error` stands for; return when it is a mistake in our SQL."""
    known = find_known(error, path)
    if known is not None:
        raise known from error


def find_known(error: apsw.Error, path: Path) -> PaddockError | None:
    """Return the Paddock error that `error` stands for, or None. path: the database, for the message."""
    if isinstance(error, apsw.ConstraintError):
        return _constraint(error)
    if _code(error) in _FULL or isinstance(error, apsw.FullError):
        return StorageFull(
            f"no space is left for the store `{path}`",
            hint="free some space; the store then goes on by itself",
        )
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return Unavailable(
            f"another process has been writing to `{path}` for longer than the busy timeout",
            hint="look for a stopped process that uses this store",
        )
    return _file_error(error, path)


def _constraint(error: apsw.ConstraintError) -> PaddockError:
    what = str(error).removeprefix("ConstraintError: ")
    if _code(error) in _UNIQUE:
        return AlreadyExists(f"there is such a row already: {what}")
    if _code(error) in _AGAINST_OTHERS:
        return Conflict(f"the change does not fit what is stored: {what}")
    return InvalidInput(f"the store refuses a value: {what}")


def _file_error(error: apsw.Error, path: Path) -> PaddockError | None:
    if isinstance(error, apsw.CorruptError):
        return IntegrityError(f"the store `{path}` is damaged: {error}", hint="paddock restore")
    if isinstance(error, apsw.NotADBError):
        return UnreadableFile(f"`{path}` is not a database")
    if isinstance(error, apsw.ReadOnlyError | apsw.PermissionsError):
        return Forbidden(f"the store `{path}` cannot be written: {error}")
    if isinstance(error, apsw.CantOpenError | apsw.IOError | apsw.ConnectionClosedError):
        return Unavailable(f"the store `{path}` cannot be reached: {error}")
    return None


def _code(error: apsw.Error) -> int:
    # apsw's own errors, such as ConnectionClosedError, have no code of SQLite
    return int(getattr(error, "extendedresult", 0))
