"""Which migrations there are, and which a database still needs."""

import re

import pytest

from paddock.kernel.errors import StoreTooNew
from paddock.metadata.migrations import Migration, list_migrations, plan_migrations, to_postgres_schema

_KNOWN = tuple(Migration(number, f"room{number}", "") for number in (1, 2, 3))


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_numbers_rise_and_are_unique(engine: str) -> None:
    """Every number is used once, starting with the ledger."""
    steps = list_migrations(engine)
    numbers = [step.number for step in steps]

    assert (steps[0].number, steps[0].name) == (1, "ledger")
    assert numbers == sorted(set(numbers))


def test_scripts_are_in_the_dialect_of_their_engine() -> None:
    """SQLite's types and STRICT do not reach PostgreSQL, nor one engine's triggers the other."""
    postgres = "".join(step.script for step in list_migrations("postgres"))
    sqlite = "".join(step.script for step in list_migrations("sqlite"))

    assert not re.search(r"\b(?:STRICT|BLOB|REAL|INTEGER|RAISE\(ABORT)\b", postgres)
    assert "plpgsql" not in sqlite


def test_every_table_is_strict() -> None:
    """SQLite checks the types of every table, as PostgreSQL does."""
    for step in list_migrations("sqlite"):
        tables = re.findall(r"^CREATE TABLE \w+ \(.*?^\)([^;]*);", step.script, re.MULTILINE | re.DOTALL)
        assert len(tables) == len(re.findall(r"^CREATE TABLE", step.script, re.MULTILINE)), step.name
        assert all("STRICT" in options for options in tables), step.name


def test_missing_steps_are_planned_in_order() -> None:
    """What is not applied is planned, also a number that another room was faster than."""
    assert [step.number for step in plan_migrations(_KNOWN, [], "s")] == [1, 2, 3]
    assert [step.number for step in plan_migrations(_KNOWN, [1, 3], "s")] == [2]
    assert plan_migrations(_KNOWN, [3, 2, 1], "s") == ()


def test_unknown_step_is_a_newer_store() -> None:
    """A step nobody here knows means that a newer Paddock was at work."""
    with pytest.raises(StoreTooNew, match="has schema 4, this Paddock knows schemas up to 3"):
        plan_migrations(_KNOWN, [1, 2, 3, 4], "s")


def test_types_are_translated_as_words() -> None:
    """Only whole words are types; table options are dropped in both orders."""
    script = "CREATE TABLE integers (real_part REAL, n INTEGER) WITHOUT ROWID, STRICT;"

    assert to_postgres_schema(script) == "CREATE TABLE integers (real_part DOUBLE PRECISION, n BIGINT);"
