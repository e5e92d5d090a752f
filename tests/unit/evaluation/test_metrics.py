"""Metrics beside scikit-learn, and the laws they obey."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from paddock.evaluation import METRICS, accuracy, brier, f1, log_loss, measure, roc_auc
from paddock.kernel.errors import InvalidInput


def simulate(seed, rows=400, steps=12):
    """Labels, scores on a coarse grid (many ties) and weights."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.3).astype(float)
    scores = np.round(np.clip(rng.normal(0.4 + 0.2 * labels, 0.25), 0, 1) * steps) / steps
    return labels, scores, rng.integers(0, 4, rows).astype(float)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("is_weighted", [False, True])
def test_metrics_equal_scikit_learn(seed, is_weighted):
    """Every metric gives scikit-learn's number, with ties and with weights."""
    labels, scores, loads = simulate(seed)
    weights = loads if is_weighted else None
    called = scores >= 0.5

    assert roc_auc(labels, scores, weights) == pytest.approx(
        oracle.roc_auc_score(labels, scores, sample_weight=weights), abs=1e-12
    )
    assert log_loss(labels, scores, weights) == pytest.approx(
        oracle.log_loss(labels, scores, sample_weight=weights), rel=1e-12
    )
    assert brier(labels, scores, weights) == pytest.approx(
        oracle.brier_score_loss(labels, scores, sample_weight=weights), rel=1e-12
    )
    assert accuracy(labels, scores, weights) == pytest.approx(
        oracle.accuracy_score(labels, called, sample_weight=weights), rel=1e-12
    )
    assert f1(labels, scores, weights) == pytest.approx(
        oracle.f1_score(labels, called, sample_weight=weights), rel=1e-12
    )


scored_rows = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=60)


def split(rows):
    labels = np.array([label for label, _ in rows])
    assume(0 < labels.sum() < len(labels))
    return labels, np.array([step / 8 for _, step in rows])


@given(scored_rows)
@settings(deadline=None)
def test_auc_ignores_monotone_transforms(rows):
    """The AUC depends on the order of scores only."""
    labels, scores = split(rows)

    assert roc_auc(labels, np.exp(3 * scores) - 5) == roc_auc(labels, scores)


@given(scored_rows)
@settings(deadline=None)
def test_auc_of_swapped_labels_is_the_rest(rows):
    """Calling every positive negative turns an AUC of a into 1 - a."""
    labels, scores = split(rows)

    assert roc_auc(~labels, scores) == pytest.approx(1 - roc_auc(labels, scores), abs=1e-12)


@given(scored_rows, st.integers(0, 2**32))
@settings(deadline=None)
def test_whole_weights_are_repeated_rows(rows, seed):
    """A row of weight k counts like k rows, and weights of one like none."""
    labels, scores = split(rows)
    weights = np.random.default_rng(seed).integers(1, 4, len(rows))
    repeated = np.repeat(labels, weights), np.repeat(scores, weights)

    for name, metric in METRICS.items():
        if name == "f1" and not (labels.any() or (scores >= 0.5).any()):
            continue
        assert metric(labels, scores, weights) == pytest.approx(metric(*repeated, None), abs=1e-12)
        assert metric(labels, scores, np.ones(len(rows))) == pytest.approx(metric(labels, scores, None))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("labels", "scores", "told"),
    [
        ([0, 1, 1], [0.1, float("nan"), 0.3], "1 of 3 scores are NaN or infinite, the first in row 1"),
        ([0, 1, 1], [0.1, 0.2, float("inf")], "1 of 3 scores are NaN or infinite, the first in row 2"),
        ([0, float("nan"), 1], [0.1, 0.2, 0.3], "1 of 3 labels are not 0 or 1, the first in row 1"),
        ([0, 2, 1], [0.1, 0.2, 0.3], "1 of 3 labels are not 0 or 1, the first in row 1"),
        ([0, 1], [0.1, 0.2, 0.3], "2 labels, 3 scores"),
        ([], [], "there are no rows"),
        ([[0, 1]], [0.1, 0.2], "one dimension"),
        (["late", "late"], [0.1, 0.2], "labels must be numbers"),
    ],
)
def test_unfit_input_is_an_error(name, labels, scores, told):
    """Input that cannot be measured is refused with its fault and its place."""
    with pytest.raises(InvalidInput, match=told):
        METRICS[name](labels, scores, None)


def test_faults_are_reported_together():
    """Two faults of one input are both in the error."""
    with pytest.raises(InvalidInput) as caught:
        brier([0, 3], [0.5, 1.5])

    assert len(caught.value.problems) == 2


def test_auc_of_one_class_is_refused():
    """There is no AUC of rows that are all of one class."""
    with pytest.raises(InvalidInput, match="all 3 labels are 0"):
        roc_auc([0, 0, 0], [0.1, 0.2, 0.3])


def test_auc_counts_weighted_rows_only():
    """A class whose rows all weigh nothing is not there."""
    with pytest.raises(InvalidInput, match="AUC needs both classes"):
        roc_auc([0, 1], [0.1, 0.2], [1, 0])


def test_f1_without_any_positive_is_refused():
    """F1 is not silently 0 when nothing is positive and nothing is called so."""
    with pytest.raises(InvalidInput, match="none of 2 rows"):
        f1([0, 0], [0.1, 0.2])


@pytest.mark.parametrize("weights", [[-1, 1], [float("nan"), 1], [0, 0]])
def test_impossible_weights_are_refused(weights):
    """Weights are finite, not negative, and not all nothing."""
    with pytest.raises(InvalidInput, match="weights are"):
        brier([0, 1], [0.5, 0.5], weights)


def test_scores_that_are_no_probabilities_are_refused_where_it_matters():
    """Margins can be ranked, but have no log loss."""
    labels, margins = [0, 1], [-3.0, 2.0]

    assert roc_auc(labels, margins) == 1.0
    with pytest.raises(InvalidInput, match="outside 0 to 1"):
        log_loss(labels, margins)


def test_sure_but_wrong_answer_has_finite_loss():
    """A probability of exactly 0 for what happened costs much, but not infinitely."""
    assert 30 < log_loss([1], [0.0]) < 40


@pytest.mark.parametrize(
    ("labels", "scores", "told"),
    [
        ([], [], "no rows"),
        ([1, 1], [0.2, 0.4], "needs both classes"),
        ([0, 0], [0.2, 0.4], "all 2 labels are 0"),
    ],
)
def test_measure_says_when_there_is_nothing_to_measure(labels, scores, told):
    """No rows, or one class, is an answer without a number."""
    measured = measure("roc_auc", labels, scores)

    assert measured.value is None
    assert measured.interval is None
    assert told in measured.reason


def test_measure_refuses_unknown_metric():
    """A metric that does not exist is named, with the nearest one."""
    with pytest.raises(InvalidInput, match="`roc_acu` is not a metric") as caught:
        measure("roc_acu", [0, 1], [0.1, 0.9])

    assert "roc_auc" in caught.value.hint
