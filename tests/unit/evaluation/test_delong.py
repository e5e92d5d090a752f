"""The AUC with a standard error, against its definition, scikit-learn and simulated rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from paddock.evaluation import estimate_auc
from paddock.kernel.errors import InvalidInput


def by_pairs(labels, scores):
    """AUC and its standard error by comparing every positive row with every negative one."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    difference = positive[:, None] - negative[None, :]
    wins = (difference > 0) + 0.5 * (difference == 0)
    variance = wins.mean(axis=1).var(ddof=1) / len(positive) + wins.mean(axis=0).var(ddof=1) / len(negative)
    return wins.mean(), np.sqrt(variance)


@given(
    st.lists(st.integers(0, 5), min_size=2, max_size=20), st.lists(st.integers(0, 5), min_size=2, max_size=20)
)
def test_estimate_is_that_of_all_pairs(positive, negative):
    """Value and standard error equal DeLong's definition over all pairs, ties counting half."""
    labels = np.array([1.0] * len(positive) + [0.0] * len(negative))
    scores = np.array([*positive, *negative], dtype=float)

    found = estimate_auc(labels, scores)

    assert (found.value, found.standard_error) == pytest.approx(by_pairs(labels, scores), abs=1e-12)
    assert (found.positives, found.negatives, found.rows) == (len(positive), len(negative), len(labels))
    assert found.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_order_of_rows_does_not_count():
    """The same rows in another order give the same estimate, to rounding."""
    rng = np.random.default_rng(3)
    labels, scores = (rng.random(500) < 0.3) * 1.0, rng.random(500)
    order = rng.permutation(500)

    one, other = estimate_auc(labels, scores), estimate_auc(labels[order], scores[order])

    assert one.value == pytest.approx(other.value, abs=1e-14)
    assert one.standard_error == pytest.approx(other.standard_error, abs=1e-14)


def test_all_scores_equal_are_a_guess_without_error():
    """When every score ties, the AUC is a half, and no resample would differ."""
    found = estimate_auc(np.array([0.0, 1.0, 0.0, 1.0]), np.full(4, 0.3))

    assert (found.value, found.standard_error) == (0.5, 0.0)


@pytest.mark.parametrize("labels", [[], [1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
def test_class_with_fewer_than_two_rows_is_not_measured(labels):
    """No rows, or one row of a class, give NaN and the counts, and no warning."""
    found = estimate_auc(np.array(labels, dtype=float), np.linspace(0.1, 0.9, len(labels)))

    assert np.isnan(found.value)
    assert np.isnan(found.standard_error)
    assert (found.positives, found.negatives) == (labels.count(1.0), labels.count(0.0))


@pytest.mark.parametrize(
    ("labels", "scores", "words"),
    [
        ([0, 1, 0, 1], [0.1, np.nan, 0.2, 0.3], "1 of 4 scores are NaN or infinite, the first in row 1"),
        ([0, 1, 0, 1], [0.1, 0.2, 0.3, np.inf], "scores are NaN or infinite"),
        ([0, 1, np.nan, 1], [0.1, 0.2, 0.3, 0.4], "labels are not 0 or 1"),
        ([0, 1, 2, 1], [0.1, 0.2, 0.3, 0.4], "labels are not 0 or 1"),
        ([0, 1, 0], [0.1, 0.2, 0.3, 0.4], "do not match"),
        ([], [0.1], "do not match"),
    ],
)
def test_what_cannot_be_ranked_is_refused(labels, scores, words):
    """NaN would be sorted as the largest score and quietly change the AUC, so it is an error."""
    with pytest.raises(InvalidInput, match=words):
        estimate_auc(np.array(labels, dtype=float), np.array(scores, dtype=float))


def test_interval_covers_the_truth_as_often_as_it_says():
    """Over 1,000 samples of 200 rows the 95 % interval holds the true AUC 93 % to 97 % of the time."""
    rng = np.random.default_rng(11)
    labels = np.repeat([0.0, 1.0], (140, 60))
    truth = 0.76025  # P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt 2)

    found = [estimate_auc(labels, rng.normal(size=200) + labels) for _ in range(1000)]

    covered = np.mean([abs(each.value - truth) < 1.96 * each.standard_error for each in found])
    assert 0.93 < covered < 0.97
    spread = np.std([each.value for each in found])
    assert np.mean([each.standard_error for each in found]) == pytest.approx(spread, rel=0.08)
