"""What a profile counts, for every type and every odd value."""

import datetime as dt
import math
import sys
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.datasets import ColumnProfile, merge_profiles, profile_like, profile_table
from paddock.datasets.profiling import quantile_edges
from paddock.kernel.errors import InvalidInput, InvalidRows

NUMBERS = st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=60)
WORDS = st.lists(st.none() | st.sampled_from(["", "AA", "B6", "DL", "ü"]), max_size=60)


def profile_of(values: object, kind: pa.DataType | None = None) -> ColumnProfile:
    return profile_table(pa.table({"x": pa.array(values, kind)})).column("x")


def in_one_place(column: ColumnProfile) -> int:
    counted = sum(column.counts) + sum(column.category_counts)
    return counted + column.missing + column.nan + column.infinite + column.empty + column.other


@given(NUMBERS, WORDS)
def test_every_row_is_counted_once(numbers: list[float | None], words: list[str | None]):
    """Counts of a column add up to its rows, whatever the values are."""
    for column in (profile_of(numbers, pa.float64()), profile_of(words, pa.string())):
        assert in_one_place(column) == column.row_count


@given(NUMBERS, st.integers(0, 60))
def test_halves_of_a_number_column_merge_to_the_whole(values: list[float | None], cut: int):
    """Profiles of two halves over the bins of the whole add up to the profile of the whole."""
    table = pa.table({"x": pa.array(values, pa.float64())})
    whole = profile_table(table)

    merged = merge_profiles(profile_like(table[:cut], whole), profile_like(table[cut:], whole))

    assert without_moments(merged.column("x")) == without_moments(whole.column("x"))
    assert merged.row_count == whole.row_count
    assert merged.column("x").mean == pytest.approx(whole.column("x").mean, rel=1e-9, abs=1e-6)
    assert merged.column("x").standard_deviation == pytest.approx(
        whole.column("x").standard_deviation, rel=1e-6, abs=1e-3
    )


@given(WORDS, st.integers(0, 60))
def test_halves_of_a_category_column_merge_to_the_whole(values: list[str | None], cut: int):
    """Category counts, missing and empty add up exactly."""
    table = pa.table({"x": pa.array(values, pa.string())})
    whole = profile_table(table)

    assert merge_profiles(profile_like(table[:cut], whole), profile_like(table[cut:], whole)) == whole


@given(NUMBERS)
def test_a_table_profiled_like_itself_is_the_same(values: list[float | None]):
    """The bins that a column makes for itself give the same counts when they are given to it."""
    table = pa.table({"x": pa.array(values, pa.float64())})
    whole = profile_table(table)

    assert profile_like(table, whole) == whole


@given(NUMBERS, NUMBERS)
def test_counts_at_the_edges_match_a_plain_count(reference: list[float | None], current: list[float | None]):
    """Each bin holds exactly the finite values above its lower and up to its upper edge."""
    bins = profile_table(pa.table({"x": pa.array(reference, pa.float64())}))
    column = profile_like(pa.table({"x": pa.array(current, pa.float64())}), bins).column("x")
    finite = [value for value in current if value is not None and math.isfinite(value)]
    bounds = [-math.inf, *column.edges, math.inf]

    expected = [sum(low < value <= high for value in finite) for low, high in pairwise(bounds)]
    assert list(column.counts) == expected


def test_no_reference_value_lies_outside_its_own_bins():
    """The first and the last count of a reference are 0: only later values can be outside."""
    column = profile_of(np.random.default_rng(1).normal(size=5000))

    assert len(column.edges) == 257
    assert column.counts[0] == column.counts[-1] == 0
    assert max(column.counts) <= math.ceil(5000 / 256)


def test_values_outside_the_reference_are_counted_apart():
    """A live value below the smallest or above the largest known one is in the outer counts."""
    reference = profile_table(pa.table({"x": [1.0, 2.0, 3.0]}))

    column = profile_like(pa.table({"x": [0.5, 1.0, 3.0, 3.5, 9.0]}), reference).column("x")

    assert column.counts == (1, 1, 0, 1, 2)


def test_few_different_values_get_a_bin_each():
    """A rare value of a column with few values is not lost between two quantiles."""
    column = profile_of([0] * 100_000 + [1])

    assert column.edges[1:] == (0.0, 1.0)
    assert column.counts == (0, 100_000, 1, 0)


def test_edges_rise_strictly_where_one_value_dominates():
    """Quantiles that fall on the same value make one edge."""
    ordered = np.sort(np.concatenate([np.zeros(9000), np.linspace(1, 2, 1000)]))

    edges = quantile_edges(ordered)

    assert np.all(np.diff(edges) > 0)
    assert 2 < len(edges) < 257


def test_missing_nan_and_infinite_are_three_things():
    """None of the three is dropped, and none is taken for another."""
    column = profile_of([1.0, None, math.nan, math.inf, -math.inf, None])

    assert (column.missing, column.nan, column.infinite, column.value_count) == (2, 1, 2, 1)
    assert (column.minimum, column.maximum, column.mean) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("kind", [pa.float64(), pa.string(), pa.bool_(), pa.timestamp("us"), pa.int8()])
def test_a_table_without_rows_has_a_profile(kind: pa.DataType):
    """0 rows give counts of 0, and rows can be profiled like it."""
    empty = profile_table(pa.table({"x": pa.array([], kind)}))

    assert empty.row_count == 0
    assert profile_like(pa.table({"x": pa.array([None], kind)}), empty).column("x").missing == 1


@pytest.mark.parametrize(
    "column",
    [
        pa.array([True]),
        pa.array([2.5], pa.float16()),
        pa.array([7]).cast(pa.decimal128(30, 2)),
        pa.array([2**64 - 1], pa.uint64()),
        pa.array([dt.datetime(2013, 1, 1)], pa.timestamp("ns", tz="America/New_York")),
        pa.array([dt.date(2013, 1, 1)]),
        pa.array([dt.date(2013, 1, 1)], pa.date64()),
        pa.array([dt.time(6)], pa.time32("s")),
        pa.array([dt.timedelta(1)]),
        pa.array(["AA"], pa.string_view()),
        pa.array(["AA"]).dictionary_encode(),
        pa.array([3]).dictionary_encode(),
        pa.array([[1, 2]]),
        pa.array([{"a": 1}]),
        pa.array([b"\xff"]),
        pa.array([b"\xff"]).dictionary_encode(),
        pa.nulls(1),
    ],
    ids=lambda column: str(column.type)[:30],
)
def test_one_row_of_any_type_is_profiled(column: pa.Array):
    """No Arrow type is an error, and a column profiled like itself is the same."""
    table = pa.table({"x": column})
    profile = profile_table(table)

    assert in_one_place(profile.column("x")) == 1
    assert profile_like(table, profile) == profile


@pytest.mark.parametrize("kind", [pa.float64(), pa.string(), pa.bool_(), pa.date32(), pa.null()])
def test_a_column_that_is_all_missing_is_profiled(kind: pa.DataType):
    """All rows are missing, and there is nothing else."""
    column = profile_of([None, None, None], kind)

    assert (column.missing, in_one_place(column)) == (3, 3)


def test_times_are_microseconds_whatever_their_unit():
    """The same moment in seconds, nanoseconds or as a date has the same edge."""
    moment = dt.datetime(2013, 1, 2)
    columns = [profile_of([moment], pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")]
    columns += [profile_of([moment.date()], kind) for kind in (pa.date32(), pa.date64())]

    assert {column.maximum for column in columns} == {1_357_084_800_000_000.0}
    assert {column.kind for column in columns} == {"time"}


def test_booleans_always_have_both_categories():
    """A column that was only ever true still knows false, so false is not a new category."""
    column = profile_of([True, None, True])

    assert (column.kind, column.categories, column.category_counts) == ("boolean", ("false", "true"), (0, 2))


@pytest.mark.parametrize(
    "values", [[0, 1, 1, None], [0.0, 1.0, 1.0, math.nan], ["false", "true", "true", None]]
)
def test_booleans_logged_as_numbers_or_texts_are_booleans(values: list[object]):
    """0, 1 and their names count as false and true of a boolean reference."""
    reference = profile_table(pa.table({"x": [True, False]}))

    column = profile_like(pa.table({"x": values}), reference).column("x")

    assert (column.category_counts, column.missing, column.other) == ((1, 2), 1, 0)


def test_new_and_vanished_categories_are_named():
    """A category the reference does not know is named with its count, and so is one that is gone."""
    reference = profile_table(pa.table({"x": ["AA", "AA", "B6"]}))

    column = profile_like(pa.table({"x": ["AA", "XX", "XX", "YY", ""]}), reference).column("x")

    assert column.categories == ("AA", "B6")
    assert column.new_categories == (("XX", 2), ("YY", 1))
    assert (column.other, column.empty, column.vanished_categories) == (3, 1, ("B6",))


def test_at_most_twenty_new_categories_are_named():
    """All new ones are counted, the most frequent twenty are named."""
    reference = profile_table(pa.table({"x": ["known"]}))

    column = profile_like(pa.table({"x": [f"new {at:02}" for at in range(30)]}), reference).column("x")

    assert column.other == 30
    assert [name for name, _ in column.new_categories] == [f"new {at:02}" for at in range(20)]


def test_the_thousand_most_frequent_categories_are_kept():
    """What is rarer is counted together, and then no value is called new that may be old."""
    values = [f"v{at:04}" for at in range(1100) for _ in range(2 if at < 900 else 3)]
    table = pa.table({"x": pa.array(values)})

    profile = profile_table(table)

    column = profile.column("x")
    assert (column.kind, len(column.categories), column.categories[0]) == ("category", 1000, "v0900")
    assert column.other == 200
    assert profile_like(pa.table({"x": ["v0899", "never seen"]}), profile).column("x").new_categories == ()


def test_the_order_of_rows_and_codes_does_not_matter():
    """Chunks with dictionaries of their own count like one plain column."""
    chunks = [pa.array(["b", "a", None]).dictionary_encode(), pa.array(["a", "c", "a"]).dictionary_encode()]
    plain = pa.array(["c", "a", "a", "b", None, "a"])

    assert profile_table(pa.table({"x": pa.chunked_array(chunks)})) == profile_table(pa.table({"x": plain}))


def test_a_dictionary_with_null_twice_and_unused_values_is_counted_right():
    """Entries of a foreign dictionary are merged by name; one that no row has is no category."""
    codes = pa.array([0, 1, 2, 2, None])
    column = pa.DictionaryArray.from_arrays(codes, pa.array(["q", "q", None, "unused"]))

    profile = profile_table(pa.table({"x": column})).column("x")

    assert (profile.categories, profile.category_counts, profile.missing) == (("q",), (2,), 3)


def test_ids_and_free_text_are_profiled_by_length():
    """A text column in which most values are different has no categories but lengths."""
    values = [f"{at:x}" for at in range(3000)] + ["", None]

    column = profile_of(values)

    assert (column.kind, column.empty, column.missing, column.value_count) == ("text", 1, 1, 3000)
    assert (column.minimum, column.maximum, column.categories) == (1.0, 3.0, ())
    assert profile_like(pa.table({"x": values}), profile_table(pa.table({"x": values}))).column("x") == column


def test_mean_and_deviation_are_those_of_the_finite_values():
    """Moments leave NaN, infinite and missing values out."""
    column = profile_of([1.0, 3.0, None, math.nan, math.inf])

    assert (column.mean, column.standard_deviation) == (2.0, 1.0)


def test_huge_values_are_no_error():
    """Where a square is beyond floating point, m2 is infinite and the counts still stand."""
    column = profile_of([1e308, -sys.float_info.max, 1.0])

    assert column.m2 == math.inf
    assert column.value_count == 3


def test_all_faults_of_a_window_are_reported_together():
    """Missing columns and columns of another kind are named in one error."""
    reference = profile_table(pa.table({"hour": [1], "carrier": ["AA"], "day": [dt.date(2013, 1, 1)]}))

    with pytest.raises(InvalidRows) as caught:
        profile_like(pa.table({"hour": ["six"], "day": [1.5]}), reference)

    assert caught.value.problems == (
        "column `hour` is of type string, but was number in the reference",
        "column `carrier` is missing",
        "column `day` is of type double, but was time in the reference",
    )


def test_columns_the_reference_does_not_know_are_left_out():
    """A prediction id beside the features is no fault."""
    reference = profile_table(pa.table({"hour": [1]}))

    assert len(profile_like(pa.table({"hour": [1], "prediction_id": ["p"]}), reference).columns) == 1


def test_profiles_over_different_bins_are_not_merged():
    """Merging needs the same reference; the error names the column."""
    first, second = profile_table(pa.table({"x": [1.0]})), profile_table(pa.table({"x": [2.0]}))

    with pytest.raises(InvalidInput, match="column `x` was counted over different bins"):
        merge_profiles(first, second)
    with pytest.raises(InvalidInput, match="different columns"):
        merge_profiles(first, profile_table(pa.table({"y": [1.0]})))


def without_moments(column: ColumnProfile) -> tuple[object, ...]:
    named = {name: getattr(column, name) for name in column.__struct_fields__ if name not in ("mean", "m2")}
    return tuple(named.items())
