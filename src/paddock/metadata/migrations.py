"""The numbered steps by which the schema grows, and which of them a database still needs.

A step is `migrations/NNNN_<room>.sql`, written in SQLite's dialect; `NNNN_<room>.sqlite.sql` and
`NNNN_<room>.postgres.sql` beside it run right after it, on that engine only.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from paddock.kernel.errors import StoreTooNew

_FILE = re.compile(r"(\d{4})_([a-z_]+)(?:\.(sqlite|postgres))?\.sql")
_POSTGRES_WORDS = (
    # the C collation compares bytes, as SQLite does
    (re.compile(r"\bTEXT\b"), 'TEXT COLLATE "C"'),
    (re.compile(r"\bINTEGER\b"), "BIGINT"),
    (re.compile(r"\bREAL\b"), "DOUBLE PRECISION"),
    (re.compile(r"\bBLOB\b"), "BYTEA"),
    (re.compile(r"\)\s*(?:STRICT|WITHOUT ROWID)(?:\s*,\s*(?:STRICT|WITHOUT ROWID))?\s*;"), ");"),
)


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    script: str


@cache
def list_migrations(engine: str) -> tuple[Migration, ...]:
    """Return the steps for `engine` ("sqlite" or "postgres"), in order."""
    found = (
        (int(match[1]), match[2], match[3] or "", file)
        for file in files(__package__).joinpath("migrations").iterdir()
        if (match := _FILE.fullmatch(file.name))
    )
    scripts: dict[tuple[int, str], str] = {}
    for number, name, only, file in sorted(found, key=lambda step: step[:3]):
        if only in ("", engine):
            script = file.read_text(encoding="utf-8")
            is_foreign = engine == "postgres" and not only
            scripts[number, name] = scripts.get((number, name), "") + (
                to_postgres_schema(script) if is_foreign else script
            )
    return tuple(Migration(number, name, script) for (number, name), script in sorted(scripts.items()))


def plan_migrations(known: Iterable[Migration], applied: Iterable[int], store: str) -> tuple[Migration, ...]:
    """Return the steps of `known` that are not among `applied`; an unknown applied one is StoreTooNew.

    store: how the store is named in the message.

    >>> [step.number for step in plan_migrations([Migration(1, "a", ""), Migration(2, "b", "")], [1], "x")]
    [2]
    """
    steps, done = tuple(known), frozenset(applied)
    unknown = done - {step.number for step in steps}
    if unknown:
        newest = max((step.number for step in steps), default=0)
        raise StoreTooNew(
            f"store `{store}` has schema {max(unknown)}, this Paddock knows schemas up to {newest}",
            hint="pip install --upgrade paddock",
        )
    return tuple(step for step in steps if step.number not in done)


def to_postgres_schema(script: str) -> str:
    """Return a script in SQLite's dialect with PostgreSQL's types.

    >>> to_postgres_schema("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB) STRICT;")
    'CREATE TABLE t (id BIGINT PRIMARY KEY, body BYTEA);'
    """
    for pattern, replacement in _POSTGRES_WORDS:
        script = pattern.sub(replacement, script)
    return script
