"""From portable SQL to what psycopg takes."""

import re
from functools import lru_cache

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


def _replace(match: re.Match[str]) -> str:
    name = match["name"]
    return f"%({name})s" if name else match[0]
