"""Distances between histograms: what they are, and what they must never miss."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.datasets import ColumnProfile, profile_like, profile_table
from paddock.kernel.errors import InvalidInput
from paddock.monitoring import jensen_shannon, population_stability, psi, psi_threshold
from paddock.monitoring.drift import coarse_counts

BINS = st.integers(1, 12)
VALUES = st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=80)
WORDS = st.lists(st.none() | st.sampled_from(["", "AA", "B6", "DL"]), min_size=1, max_size=80)


@st.composite
def histogram_pairs(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    bins = draw(BINS)
    counts = st.lists(st.integers(0, 10_000), min_size=bins, max_size=bins).filter(any)
    return draw(counts), draw(counts)


def columns(reference: list[object], current: list[object]) -> tuple[ColumnProfile, ColumnProfile]:
    kind = pa.string() if any(isinstance(value, str) for value in reference + current) else pa.float64()
    known = profile_table(pa.table({"x": pa.array(reference, kind)}))
    return known.column("x"), profile_like(pa.table({"x": pa.array(current, kind)}), known).column("x")


@given(histogram_pairs())
def test_psi_is_symmetric_and_never_negative(pair: tuple[list[int], list[int]]):
    """Swapping the histograms changes nothing, and no two are closer than equal ones."""
    first, second = pair

    assert population_stability(first, second) >= 0
    assert population_stability(first, second) == pytest.approx(population_stability(second, first))


@given(histogram_pairs(), st.integers(1, 50))
def test_equal_proportions_have_no_distance(pair: tuple[list[int], list[int]], factor: int):
    """PSI and Jensen-Shannon are 0 for the same shares, however many rows there are."""
    counts, _ = pair
    many = [count * factor for count in counts]

    assert population_stability(counts, many) == pytest.approx(0, abs=1e-12)
    assert jensen_shannon(counts, many) == pytest.approx(0, abs=1e-7)


@given(histogram_pairs())
def test_jensen_shannon_lies_between_0_and_1(pair: tuple[list[int], list[int]]):
    """It is a symmetric distance with an upper end."""
    first, second = pair

    assert -1e-12 <= jensen_shannon(first, second) <= 1 + 1e-12
    assert jensen_shannon(first, second) == pytest.approx(jensen_shannon(second, first))


def test_distances_equal_those_worked_out_by_hand():
    """PSI by its formula in nats; Jensen-Shannon in base 2 by the mean of two divergences."""
    expected_psi = 0.3 * math.log(0.5 / 0.2) + 0.3 * math.log(0.8 / 0.5)
    left = 0.5 * math.log2(0.5 / 0.65) + 0.5 * math.log2(0.5 / 0.35)
    right = 0.8 * math.log2(0.8 / 0.65) + 0.2 * math.log2(0.2 / 0.35)

    assert population_stability([50, 50], [8, 2]) == pytest.approx(expected_psi)
    assert jensen_shannon([50, 50], [8, 2]) == pytest.approx(math.sqrt((left + right) / 2))


@given(VALUES)
def test_a_number_column_has_not_moved_from_itself(values: list[object]):
    """PSI of a column against itself is 0, with NaN, infinite and missing values in it."""
    reference, current = columns(values, values)

    assert psi(reference, current) == pytest.approx(0, abs=1e-12)


@given(WORDS)
def test_a_category_column_has_not_moved_from_itself(values: list[object]):
    """PSI of a column of categories against itself is 0."""
    reference, current = columns(values, values)

    assert psi(reference, current) == pytest.approx(0, abs=1e-12)


@given(VALUES, VALUES)
def test_coarse_bins_lose_no_row(reference: list[object], current: list[object]):
    """Every row of both profiles is in one coarse bin."""
    known, live = columns(reference, current)

    first, second = coarse_counts(known, live)

    assert (int(first.sum()), int(second.sum())) == (len(reference), len(current))
    assert len(first) == len(second) <= 17


def test_coarse_bins_hold_a_tenth_of_the_reference_each():
    """256 fine bins become ten of equal share, and one on each side for what is beyond."""
    known, _ = columns(list(np.random.default_rng(3).normal(size=25_600)), [0.0])

    first, _ = coarse_counts(known, known)

    assert first[0] == first[11] == 0
    assert np.abs(first[1:11] - 2560).max() <= 100


@pytest.mark.parametrize(
    ("reference", "current"),
    [
        ([1.0, 2.0], [1.0, 2.0, None]),
        ([1.0, 2.0], [1.0, 2.0, math.nan]),
        ([1.0, 2.0], [1.0, 2.0, -math.inf]),
        ([5.0, 5.0], [5.0, 5.0, 7.0]),
        ([5.0, 5.0], [5.0, 5.0, 3.0]),
        (["AA", "B6"], ["AA", "B6", "new"]),
        (["AA", "B6"], ["AA", "B6", ""]),
        (["AA", "B6"], ["AA", "B6", None]),
        ([None, None], [None, None, 1.0]),
    ],
)
def test_a_third_of_odd_values_is_never_hidden(reference: list[object], current: list[object]):
    """Missing, NaN, infinite, outlying, empty and new values have bins of their own."""
    known, live = columns(reference, current)

    assert psi(known, live) > 1


def test_a_summer_after_a_winter_is_far_away():
    """Values shifted by three deviations have a PSI of several nats."""
    random = np.random.default_rng(5)
    known, live = columns(list(random.normal(size=5000)), list(random.normal(3, 1, size=5000)))

    assert psi(known, live) > 3


def test_many_rare_categories_do_not_look_like_drift():
    """A thousand categories are compared as one rare rest, so chance stays small."""
    random = np.random.default_rng(7)
    names = [f"c{code}" for code in random.integers(0, 1000, 20_000)]
    known, live = columns(names[:19_000], names[19_000:])

    assert psi(known, live) < 0.1


@pytest.mark.parametrize(("known_rows", "rows"), [(5000, 200), (5000, 3000), (500, 2000)])
def test_the_threshold_is_passed_by_chance_about_once_in_200(known_rows: int, rows: int):
    """Windows without drift exceed it rarely, also where the reference is small; a real shift does."""
    random = np.random.default_rng(11)
    passed = 0
    for _ in range(100):
        reference = profile_table(pa.table({"x": random.normal(size=known_rows)}))
        threshold = psi_threshold(reference.column("x"), rows)
        for _ in range(6):
            live = profile_like(pa.table({"x": random.normal(size=rows)}), reference)
            passed += psi(reference.column("x"), live.column("x")) > threshold
        moved = profile_like(pa.table({"x": random.normal(1.0, 1, size=rows)}), reference)
        assert psi(reference.column("x"), moved.column("x")) > threshold

    assert passed <= 12  # 3 of 600 expected; 13 or more come once in 50,000 times


def test_the_threshold_is_passed_as_often_as_its_quantile_says():
    """1 in 20 windows without drift exceed the 95 % quantile; a higher quantile is never lower."""
    random = np.random.default_rng(19)
    reference = profile_table(pa.table({"x": random.normal(size=20_000)}))
    known = reference.column("x")
    distances = []
    for _ in range(400):
        live = profile_like(pa.table({"x": random.normal(size=1000)}), reference)
        distances.append(psi(known, live.column("x")))

    thresholds = [psi_threshold(known, 1000, quantile) for quantile in (0.5, 0.95, 0.995, 0.9999)]

    assert thresholds == sorted(thresholds)
    assert thresholds[2] == psi_threshold(known, 1000)
    assert 7 <= sum(distance > thresholds[1] for distance in distances) <= 37  # 20 expected


@pytest.mark.parametrize("quantile", [0.0, 1.0, 0.99999, math.nan])
def test_quantile_that_cannot_be_simulated_is_refused(quantile: float):
    """What a few thousand windows cannot tell is an error, not a guess."""
    known, _ = columns([1.0, 2.0], [1.0])

    with pytest.raises(InvalidInput, match="`quantile` is"):
        psi_threshold(known, 10, quantile)


def test_the_threshold_falls_with_rows_and_repeats_itself():
    """Small windows scatter more; the same question has the same answer."""
    known, _ = columns(list(np.random.default_rng(13).normal(size=5000)), [0.0])

    thresholds = [psi_threshold(known, rows) for rows in (100, 1000, 10_000)]

    assert thresholds == sorted(thresholds, reverse=True)
    assert psi_threshold(known, 1000) == thresholds[1]


def test_no_rows_and_other_bins_are_errors():
    """A distance from nothing is not 0, and bins that differ are not compared."""
    known, nothing = columns([1.0], [])
    other, _ = columns([2.0], [2.0])

    with pytest.raises(InvalidInput, match="`x` has no rows"):
        psi(known, nothing)
    with pytest.raises(InvalidInput, match="`x` has no rows"):
        psi_threshold(known, 0)
    with pytest.raises(InvalidInput, match="different bins"):
        psi(known, other)
