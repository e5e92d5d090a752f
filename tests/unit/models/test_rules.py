"""Causes of a difference between the served and the recorded matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.models import Column, Signature
from paddock.models.rules import explain_answers, explain_matrix

SIGNATURE = Signature(
    (
        Column("carrier", "category", categories=("AA", "B6", "UA"), missing_allowed=True),
        Column("hour", "integer"),
        Column("month", "integer"),
        Column("wind", "number", missing_allowed=True),
    )
)
SERVED = np.array(
    [[0.0, 7.0, 1.0, 1.1], [1.0, 9.0, 2.0, np.nan], [2.0, 8.0, 3.0, 3.3], [1.0, 6.0, 3.0, -0.7]]
)


def changed(place: int, column: list[float]) -> np.ndarray:
    recorded = SERVED.copy()
    recorded[:, place] = column
    return recorded


@pytest.mark.parametrize(
    ("recorded", "cause"),
    [
        (SERVED[:, [0, 2, 1, 3]], "column order: `hour` and `month` are swapped"),
        (
            SERVED[:, [2, 3, 0, 1]],
            "column order: `carrier` and `month` are swapped, `hour` and `wind` are swapped",
        ),
        (
            SERVED[:, [1, 2, 0, 3]],
            "column order: `carrier` stands where training had `month`, "
            "`hour` stands where training had `carrier`, `month` stands where training had `hour`",
        ),
        (
            changed(0, [1.0, 0.0, 2.0, 0.0]),
            "category encoding of `carrier`: `AA` was 1 in training and is 0 in serving, "
            "and 1 more categories",
        ),
        (
            changed(0, [0.0, 5.0, 2.0, 5.0]),
            "category encoding of `carrier`: `B6` was 5 in training and is 1 in serving",
        ),
        (
            changed(3, [1.1, 0.0, 3.3, -0.7]),
            "missing values of `wind`: 0 in training and missing in serving in golden row 1 "
            "(1 of 4 rows differ)",
        ),
        (
            changed(3, [float(np.float32(value)) for value in SERVED[:, 3]]),
            "number type of `wind`: training used 32-bit floats and serving uses 64-bit ones",
        ),
        (
            changed(3, [1.0, np.nan, 3.0, 0.0]),
            "number type of `wind`: training used whole numbers and serving does not",
        ),
        (
            changed(1, [7.0, 9.0, 18.0, 6.0]),
            "values of `hour`: 18 in training and 8 in serving in golden row 2 (1 of 4 rows differ)",
        ),
    ],
)
def test_cause_is_named(recorded: np.ndarray, cause: str) -> None:
    """Each kind of difference is the one cause named, with its columns."""
    assert explain_matrix(SIGNATURE, SERVED, recorded) == (cause,)


def test_order_comes_before_encoding() -> None:
    """With several causes the column order stands first, then the category encoding."""
    recorded = changed(0, [2.0, 0.0, 1.0, 0.0])[:, [0, 2, 1, 3]]
    recorded[0, 3] = 4.0

    causes = explain_matrix(SIGNATURE, SERVED, recorded)

    kinds = [words.partition(" of ")[0].partition(":")[0] for words in causes]
    assert kinds == ["column order", "category encoding", "values"]


@given(st.permutations(range(4)))
def test_any_order_of_distinct_columns_is_found(order: list[int]) -> None:
    """Every permutation but the identity is explained as column order and as nothing else."""
    causes = explain_matrix(SIGNATURE, SERVED, SERVED[:, order])

    if order == sorted(order):
        assert causes == ()
    else:
        assert len(causes) == 1
        assert causes[0].startswith("column order: ")


def test_answers_within_the_tolerance_are_equal() -> None:
    """A relative difference below the tolerance is no finding; above it the count and size are told."""
    recorded = np.array([0.5, 1000.0])

    assert explain_answers(recorded * (1 + 1e-14), recorded, 1e-12)[0] == ""
    assert explain_answers(recorded + np.array([0.0, 0.13]), recorded, 1e-12)[0] == (
        "answers differ by up to 0.13 in 1 of 2 rows"
    )
