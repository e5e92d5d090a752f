"""PostgreSQL's errors in our words, and which of them a second attempt can mend."""

import psycopg

from paddock.kernel.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    IntegrityError,
    InvalidInput,
    PaddockError,
    StorageFull,
    Unavailable,
)

_UNIQUE = "23505"
# serialization failure, deadlock
_SERIAL = ("40001", "40P01")


def find_known(error: psycopg.Error) -> PaddockError | None:
    """Return the Paddock error that `error` stands for, or None when it is a mistake in our SQL."""
    code = error.sqlstate or ""
    words = str(error).splitlines()[0] if str(error) else type(error).__name__
    if code == _UNIQUE:
        return AlreadyExists(f"there is such a row already: {words}")
    if code in ("23503", "23001"):
        return Conflict(f"the change does not fit what is stored: {words}")
    if code.startswith(("22", "23")):
        return InvalidInput(f"the store refuses a value: {words}")
    if code == "53100":
        return StorageFull(
            "no space is left for the database", hint="free some space; the store then goes on by itself"
        )
    if code == "42501":
        return Forbidden(f"the database does not allow it: {words}")
    if code.startswith("XX00"):
        return IntegrityError(f"the database is damaged: {words}", hint="paddock restore")
    if is_lost(error) or is_serial(error) or code.startswith("53") or code in ("55P03", "57014"):
        return Unavailable(f"the database cannot do it now: {words}")
    return None


def raise_known(error: psycopg.Error) -> None:
    """Raise the Paddock error that `error` stands for; return when it is a mistake in our SQL."""
    known = find_known(error)
    if known is not None:
        raise known from error


def is_lost(error: psycopg.Error) -> bool:
    """Return whether the connection is gone or could not be made."""
    code = error.sqlstate
    if code is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return code.startswith("08") or code in ("57P01", "57P02", "57P03", "25P03")


def is_serial(error: psycopg.Error) -> bool:
    """Return whether the change ran beside another one and must run again."""
    return error.sqlstate in _SERIAL


def is_taken(error: psycopg.Error) -> bool:
    """Return whether a unique constraint refused a row, perhaps one that a parallel change just wrote."""
    return error.sqlstate == _UNIQUE
