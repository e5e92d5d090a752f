"""Rows into a matrix: every fault is named, and the ways of one row and of many agree."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.errors import InvalidRows
from paddock.models import Column, Encoder, Signature, check_rows, encode_rows

SIGNATURE = Signature(
    (
        Column("carrier", "category", missing_allowed=True, categories=("AA", "B6", "UA")),
        Column("origin", "category", categories=("EWR", "JFK"), unknown_category="missing"),
        Column("hour", "integer"),
        Column("wind", "number", missing_allowed=True),
        Column("holiday", "boolean"),
        Column("gust", "number", required=False, missing_allowed=True),
    )
)
ROW = {"carrier": ["UA"], "origin": ["JFK"], "hour": [7], "wind": [2.5], "holiday": [True], "gust": [1]}

rows = st.lists(
    st.fixed_dictionaries(
        {
            "carrier": st.sampled_from(["AA", "B6", "UA", None]),
            "origin": st.sampled_from(["EWR", "JFK", "XXX"]),
            "hour": st.integers(-(2**53), 2**53),
            "wind": st.one_of(st.none(), st.floats(allow_infinity=False), st.integers(-1000, 1000)),
            "holiday": st.booleans(),
            "gust": st.one_of(st.none(), st.floats(allow_infinity=False)),
        }
    ),
    min_size=1,
    max_size=20,
)


@given(rows)
def test_many_rows_are_the_single_rows_stacked(given_rows: list[dict[str, object]]) -> None:
    """Encoding n rows at once gives the same matrix as encoding each alone."""
    columns = {name: [row[name] for row in given_rows] for name in SIGNATURE.names}

    together = encode_rows(SIGNATURE, columns)

    alone = [encode_rows(SIGNATURE, {name: [row[name]] for name in row}) for row in given_rows]
    assert np.array_equal(together, np.vstack(alone), equal_nan=True)


@given(rows)
def test_arrow_and_lists_give_the_same_matrix(given_rows: list[dict[str, object]]) -> None:
    """An Arrow column is encoded like the list of its values."""
    columns = {name: [row[name] for row in given_rows] for name in SIGNATURE.names}
    types = {"carrier": pa.string(), "origin": pa.string(), "hour": pa.int64(), "holiday": pa.bool_()}
    arrow = {name: pa.array(values, types.get(name, pa.float64())) for name, values in columns.items()}
    halves = {name: pa.chunked_array([array[:1], array[1:]]) for name, array in arrow.items()}

    expected = encode_rows(SIGNATURE, columns)

    assert np.array_equal(encode_rows(SIGNATURE, arrow), expected, equal_nan=True)
    assert np.array_equal(encode_rows(SIGNATURE, halves), expected, equal_nan=True)


def test_order_is_the_signatures_not_the_requests() -> None:
    """The matrix has the order of the signature however a request orders its columns."""
    expected = [[2.0, 1.0, 7.0, 2.5, 1.0, 1.0]]

    assert encode_rows(SIGNATURE, dict(reversed(ROW.items()))).tolist() == expected
    assert encode_rows(SIGNATURE, ROW).tolist() == expected


def test_absent_optional_column_is_missing() -> None:
    """A column that is not required and not given is NaN."""
    given_row = {name: values for name, values in ROW.items() if name != "gust"}

    assert np.isnan(encode_rows(SIGNATURE, given_row)[0, 5])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"carrier": ["ZZ"]}, "column `carrier` has no category `ZZ` (row 0)"),
        ({"carrier": [3]}, "column `carrier` must hold texts, but row 0 holds the number 3"),
        ({"origin": [None]}, "column `origin` may not be missing (row 0)"),
        ({"hour": ["7"]}, "column `hour` must hold whole numbers, but row 0 holds the text `7`"),
        ({"hour": [7.5]}, "column `hour` must hold whole numbers, but row 0 holds 7.5"),
        ({"hour": [True]}, "column `hour` must hold whole numbers, but row 0 holds the boolean True"),
        ({"hour": [None]}, "column `hour` may not be missing (row 0)"),
        ({"hour": [float("nan")]}, "column `hour` may not be missing (row 0)"),
        ({"hour": [2**53 + 2]}, "column `hour` must hold whole numbers, but row 0 holds 9007199254740994.0"),
        ({"hour": [10**400]}, "column `hour` holds a number too large for a float64"),
        ({"wind": [float("-inf")]}, "column `wind` is infinite (row 0)"),
        ({"wind": [[1.0]]}, "column `wind` must hold numbers, but row 0 holds a list"),
        ({"holiday": [1]}, "column `holiday` must hold booleans, but row 0 holds the number 1"),
        ({"wind": np.ones((1, 1))}, "column `wind` must be one-dimensional, but has 2 dimensions"),
        ({"wind": np.array([True])}, "column `wind` must hold numbers, but holds booleans"),
        ({"hour": [7, 8]}, "column `hour` has 2 rows, others have 1"),
        ({"huor": [1]}, "column `huor` is not one of the model's columns; the nearest is `hour`"),
    ],
)
def test_fault_names_its_column(change: dict[str, object], words: str) -> None:
    """Each kind of bad value gives one fault that names the column and what it holds."""
    faults = check_rows(SIGNATURE, ROW | change)

    assert [fault.words for fault in faults] == [words]
    with pytest.raises(InvalidRows) as caught:
        encode_rows(SIGNATURE, ROW | change)
    assert caught.value.problems == (words,)


def test_all_faults_are_reported_together() -> None:
    """A request with several faults is told all of them, and the first column is a detail."""
    bad = {"carrier": ["ZZ", "ZZ"], "hour": [1, None], "wind": [0.0, float("inf")], "origin": ["EWR", "JFK"]}

    with pytest.raises(InvalidRows) as caught:
        encode_rows(SIGNATURE, bad)

    assert caught.value.problems == (
        "column `carrier` has no category `ZZ` (row 0 and 1 more)",
        "column `hour` may not be missing (row 1)",
        "column `wind` is infinite (row 1)",
        "column `holiday` is missing",
    )
    assert caught.value.details["column"] == "carrier"


def test_no_rows_make_an_empty_matrix() -> None:
    """A request without rows is no fault here; its matrix has no rows."""
    matrix = Encoder(SIGNATURE).encode({name: [] for name in ROW})

    assert matrix.shape == (0, 6)
