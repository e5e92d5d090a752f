"""Filters as SQL over tables that are not those of runs."""

import pytest

from paddock.metadata import Metadata
from paddock.tracking.search import MODEL_VERSIONS, Comparison, Target, parse_filter
from paddock.tracking.sql.search import ColumnSql, LookupSql, Parameters, Targets, compile_condition

TARGETS = Targets(
    {
        ("attribute", "name"): ColumnSql("v.name"),
        ("attribute", "version_number"): ColumnSql("v.version"),
        ("attribute", "run_id"): ColumnSql("NULLIF(v.run_id, '')", is_nullable=True),
        ("attribute", "source_path"): ColumnSql("v.source", fold="upper"),
        ("tag", "own"): ColumnSql("v.name"),
    },
    {
        "tag": LookupSql(
            "EXISTS (SELECT 1 FROM marks t WHERE t.version = v.version AND t.key = {key} AND {test})",
            "t.value",
        )
    },
)
ROWS = (("delay", 1, "r1", "S3://A"), ("delay", 2, "", "S3://B"), ("churn", 3, "r1", "FILE"))
MARKS = ((1, "stage", "old"), (2, "stage", "new"))


@pytest.fixture
def shelf(metadata: Metadata) -> Metadata:
    """Three versions of models and two marks on them, in tables of this test."""
    metadata.write(
        lambda tx: tx.execute("CREATE TABLE versions (name TEXT, version INTEGER, run_id TEXT, source TEXT)")
    )
    metadata.write(lambda tx: tx.execute("CREATE TABLE marks (version INTEGER, key TEXT, value TEXT)"))
    names = ("name", "version", "run_id", "source")
    metadata.write(
        lambda tx: tx.execute_many(
            "INSERT INTO versions VALUES (:name, :version, :run_id, :source)",
            [dict(zip(names, row, strict=True)) for row in ROWS],
        )
    )
    metadata.write(
        lambda tx: tx.execute_many(
            "INSERT INTO marks VALUES (:version, :key, :value)",
            [dict(zip(("version", "key", "value"), mark, strict=True)) for mark in MARKS],
        )
    )
    return metadata


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = 'delay' AND version_number > 1", [2]),
        ("version_number != 2.0 OR name IN ('x')", [1, 3]),
        ("run_id = 'r1'", [1, 3]),
        ("NOT run_id = 'r1'", [2]),
        ("run_id IS NULL", [2]),
        ("source_path LIKE 's3://%'", [1, 2]),
        ("source_path IN ('file', 's3://b')", [2, 3]),
        ("tags.stage = 'new'", [2]),
        ("tags.stage != 'new'", [1]),
        ("NOT tags.stage = 'new'", [1, 3]),
        ("tags.stage IS NULL OR tags.stage ILIKE 'O%'", [1, 3]),
        ("tags.own = 'churn'", [3]),
    ],
)
def test_caller_says_where_targets_are(shelf, text, expected):
    """A filter is tested on columns and tables that the caller names, alike on both engines."""
    expression, parameters = parse_filter(text, MODEL_VERSIONS), Parameters()
    assert expression is not None
    condition = compile_condition(expression, TARGETS, parameters)

    rows = shelf.read(
        lambda reader: reader.fetch_all(
            f"SELECT v.version FROM versions v WHERE {condition} ORDER BY v.version", parameters.values
        )
    )

    assert [row["version"] for row in rows] == expected


def test_text_of_a_statement_holds_no_values():
    """Keys and values are parameters: the text is the same for all of them."""
    written = {
        compile_condition(Comparison(Target("tag", key), "=", value), TARGETS, Parameters())
        for key, value in (("a", "b"), ("'", "''"), ("{test}", "{key}"))
    }

    assert len(written) == 1


def test_target_without_a_place_is_a_fault_of_the_program():
    """A name that a table of targets allows and no column answers is seen in tests, not by users."""
    with pytest.raises(KeyError):
        TARGETS.find(Target("metric", "auc"))
