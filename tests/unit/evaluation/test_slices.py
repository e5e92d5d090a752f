"""Which rows belong to which slice, and what is measured on them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.evaluation import SliceSpec, measure_slices, roc_auc, slice_by_quantile, slice_table
from paddock.kernel.errors import InvalidInput, LimitExceeded


def simulate(rows=600):
    rng = np.random.default_rng(11)
    labels = (rng.random(rows) < 0.4).astype(float)
    scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1)
    return labels, scores, rng.choice(["AA", "UA", "HA"], p=[0.55, 0.43, 0.02], size=rows).tolist()


def test_each_slice_is_measured_on_its_own_rows():
    """The value of a slice is the metric of its rows alone, for both models, largest slice first."""
    labels, scores, names = simulate()
    chosen = np.array(names) == "UA"

    slices = measure_slices("roc_auc", labels, scores, 1 - scores, names, SliceSpec("carrier", 100), draws=50)

    assert [piece.value for piece in slices] == ["AA", "UA", "HA"]
    assert slices[1].rows == chosen.sum()
    assert slices[1].candidate.value == roc_auc(labels[chosen], scores[chosen])
    assert slices[1].champion.value == pytest.approx(1 - slices[1].candidate.value)


def test_small_slice_is_reported_without_a_number():
    """A slice with too few rows is in the answer, as not measured."""
    labels, scores, names = simulate()

    small = measure_slices("roc_auc", labels, scores, None, names, SliceSpec("carrier", 100), draws=50)[-1]

    assert (small.value, small.candidate.value, small.champion) == ("HA", None, None)
    assert small.candidate.reason == f"{small.rows} rows, 100 are needed"


def test_slice_of_one_class_is_reported_without_a_number():
    """A large slice in which nothing is positive has no AUC, and says so."""
    labels, scores, names = np.zeros(200), np.linspace(0, 1, 200), ["AA"] * 200

    (piece,) = measure_slices("roc_auc", labels, scores, None, names, SliceSpec("carrier", 100), draws=50)

    assert piece.candidate.value is None
    assert "all 200 labels are 0" in piece.candidate.reason


def test_too_many_values_are_refused():
    """A column of identifiers is no column to slice by."""
    labels, scores = np.tile([0.0, 1.0], 600), np.linspace(0, 1, 1200)
    names = [str(number) for number in range(1200)]

    with pytest.raises(LimitExceeded, match="`tail` has 1,200 values"):
        measure_slices("roc_auc", labels, scores, None, names, SliceSpec("tail"))


def test_table_is_sliced_by_value_and_by_quantile():
    """Text columns give their values, numeric ones their quarters, missing values their own slice."""
    table = pa.table({"carrier": ["AA", None, "UA", "UA"], "distance": [100.0, 200.0, None, 400.0]})

    slices = slice_table(table, [SliceSpec("carrier"), SliceSpec("distance", quantiles=2)])

    assert slices["carrier"] == ("AA", "(missing)", "UA", "UA")
    assert slices["distance"] == ("[100, 200)", "[200, 400]", "(missing)", "[200, 400]")


def test_unknown_column_is_named_with_the_nearest():
    """A column that is not in the table is an error that suggests one."""
    with pytest.raises(InvalidInput, match="no column `carier`") as caught:
        slice_table(pa.table({"carrier": ["AA"]}), [SliceSpec("carier")])

    assert "carrier" in caught.value.hint


@given(st.lists(st.floats(allow_nan=True, width=32), max_size=60), st.integers(2, 6))
def test_every_row_lies_in_one_part(values, parts):
    """Each row gets one of at most `parts` ranges, and only NaN is missing."""
    names = slice_by_quantile(values, parts)

    assert len(names) == len(values)
    ranges = {name for name, value in zip(names, values, strict=True) if np.isfinite(value)}
    assert len(ranges) <= parts
    for name, value in zip(names, values, strict=True):
        assert (name == "(missing)") == bool(np.isnan(value))


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=60), st.integers(2, 6))
def test_parts_keep_the_order_of_values(values, parts):
    """Rows of one part lie together: sorted by value, each part is one stretch."""
    names = slice_by_quantile(values, parts)
    in_order = [name for _, name in sorted(zip(values, names, strict=True))]
    stretches = [name for place, name in enumerate(in_order) if place == 0 or in_order[place - 1] != name]

    assert len(stretches) == len(set(stretches))


def test_range_is_not_cut_into_one_part():
    """One part is no slicing."""
    with pytest.raises(InvalidInput, match="at least 2"):
        slice_by_quantile([1.0, 2.0], 1)
