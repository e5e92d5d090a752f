"""From portable SQL to what psycopg takes."""

import re
from functools import lru_cache

_ROW = re.compile(r"\bVALUES\s*\(([^()]*)\)")
_TOKEN = re.compile(
    r"""
    (?P<literal>'(?:[^']|'')*' | "(?:[^"]|"")*")   # left as it is
    | (?P<cast>::)
    | :(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    """,
    re.VERBOSE,
)


@lru_cache(maxsize=2048)
def to_psycopg(sql: str) -> bytes:
    """Return `sql` with its `:name` parameters in psycopg's form.

    >>> to_psycopg("SELECT ':a', 5 % 2 FROM t WHERE b = :b")
    b"SELECT ':a', 5 %% 2 FROM t WHERE b = %(b)s"
    """
    return _TOKEN.sub(_replace, sql.replace("%", "%%")).encode()


@lru_cache(maxsize=2048)
def many_to_psycopg(sql: str, columns: tuple[tuple[str, str], ...]) -> bytes:
    """Return an INSERT of one row as an INSERT of many, whose parameters are arrays.

    columns: name and type of each parameter that has a value in some row; others are NULL.

    >>> many_to_psycopg("INSERT INTO t (a, b, c) VALUES (:a, 'x', :c)", (("a", "bigint"),))
    b"INSERT INTO t (a, b, c) SELECT sent.a, 'x', NULL FROM unnest(%(a)s::bigint[]) AS sent (a)"
    """
    match = _ROW.search(sql)
    if match is None:
        raise ValueError(f"a statement for many rows is an INSERT with VALUES: {sql}")
    names = [name for name, _ in columns]

    def from_array(token: re.Match[str]) -> str:
        name = token["name"]
        return token[0] if not name else f"sent.{name}" if name in names else "NULL"

    row = _TOKEN.sub(from_array, match[1])
    arrays = ", ".join(f":{name}::{kind}[]" for name, kind in columns)
    source = f"SELECT {row} FROM unnest({arrays}) AS sent ({', '.join(names)})"  # noqa: S608 - names of our own parameters
    return to_psycopg(f"{sql[: match.start()]}{source}{sql[match.end() :]}")


def _replace(match: re.Match[str]) -> str:
    name = match["name"]
    return f"%({name})s" if name else match[0]
