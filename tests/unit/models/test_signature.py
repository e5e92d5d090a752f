"""Signatures read off a table."""

import pyarrow as pa
import pytest

from paddock.kernel.errors import InvalidInput
from paddock.models import Column, Output, infer_signature

TABLE = pa.table(
    {
        "carrier": pa.array(["UA", None, "AA"]),
        "origin": pa.array(["JFK", "EWR", "JFK"]).dictionary_encode(),
        "hour": pa.array([7, 9, 8]),
        "wind": pa.array([1.5, float("nan"), -2.0]),
        "holiday": pa.array([True, False, True]),
    }
)


def test_columns_are_as_observed() -> None:
    """Types, sorted categories, ranges and missing values are those of the table, in its order."""
    signature = infer_signature(TABLE, output=Output("value", "value"))

    assert signature.columns == (
        Column("carrier", "category", missing_allowed=True, categories=("AA", "UA")),
        Column("origin", "category", categories=("EWR", "JFK")),
        Column("hour", "integer", minimum=7.0, maximum=9.0),
        Column("wind", "number", missing_allowed=True, minimum=-2.0, maximum=1.5),
        Column("holiday", "boolean"),
    )
    assert signature.output.kind == "value"


def test_missing_and_optional_are_widened_by_name() -> None:
    """A named column may be missing or left out although the sample has no such row."""
    signature = infer_signature(TABLE, allow_missing=["hour"], optional=["origin"])

    assert [column.missing_allowed for column in signature.columns] == [True, True, True, True, False]
    assert [column.name for column in signature.columns if not column.required] == ["origin"]


def test_every_unusable_column_is_named() -> None:
    """Columns with types that have no place in a matrix are reported together."""
    table = pa.table({"at": pa.array([1], pa.timestamp("us")), "list": pa.array([[1]]), "x": [1.0]})

    with pytest.raises(InvalidInput) as caught:
        infer_signature(table, optional=["y"])

    assert len(caught.value.problems) == 3
    assert "`at`" in caught.value.message
    assert "`list`" in caught.value.message
    assert "`y`" in caught.value.message
