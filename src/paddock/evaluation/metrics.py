"""Metrics of a binary classifier: labels 0 or 1, scores the probability of 1.

Every function takes labels, scores and optional non-negative weights of shape (rows,) and returns
a float, or raises InvalidInput; none returns a number for rows on which it has no meaning.
`why_undefined` tells beforehand whether a metric has a meaning on given labels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paddock.evaluation.records import LOWER_IS_BETTER, METRIC_TITLES
from paddock.kernel.errors import InvalidInput
from paddock.kernel.names import nearest

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Metric = Callable[[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike | None], float]

THRESHOLD = 0.5
_NEEDS_PROBABILITIES = frozenset({"log_loss", "brier", "accuracy", "f1"})
# the distance from 0 and 1 at which a sure but wrong answer stops costing more
_CLIP = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class LabelledScores:
    """Checked input of a metric: positive[i] says whether the label of row i is 1."""

    positive: BoolArray
    scores: FloatArray
    weights: FloatArray


def roc_auc(labels: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """Area under the ROC curve: the chance that a positive row scores above a negative one.

    A tie counts half (Mann-Whitney). Scores may be any finite numbers. Raises InvalidInput when
    one class is missing.

    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    rows = check_scores("roc_auc", labels, scores, weights)
    _raise_undefined("roc_auc", rows)
    negative = ~rows.positive
    order = np.argsort(rows.scores[negative], kind="stable")
    ladder = rows.scores[negative][order]
    below = np.concatenate(([0.0], np.cumsum(rows.weights[negative][order])))
    positives = rows.scores[rows.positive]
    # weight of the negatives strictly below, plus weight of those not above: twice the half ties
    doubled = (
        below[np.searchsorted(ladder, positives, "left")] + below[np.searchsorted(ladder, positives, "right")]
    )
    positive_weights = rows.weights[rows.positive]
    return float(positive_weights @ doubled / (2.0 * positive_weights.sum() * below[-1]))


def log_loss(labels: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """Mean negative log likelihood in nats; scores are kept 2.2e-16 away from 0 and 1.

    >>> round(log_loss([1, 0], [0.5, 0.5]), 4)
    0.6931
    """
    rows = check_scores("log_loss", labels, scores, weights)
    return _weighted_mean(log_losses(rows), rows.weights)


def brier(labels: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """Mean squared distance of probability and outcome, 0 to 1.

    >>> brier([1, 0], [0.5, 0.5])
    0.25
    """
    rows = check_scores("brier", labels, scores, weights)
    return _weighted_mean((rows.scores - rows.positive) ** 2, rows.weights)


def accuracy(labels: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """Share of rows on the right side of 0.5; a score of exactly 0.5 says 1.

    >>> accuracy([1, 0, 0, 0], [0.9, 0.2, 0.1, 0.6])
    0.75
    """
    rows = check_scores("accuracy", labels, scores, weights)
    return _weighted_mean(((rows.scores >= THRESHOLD) == rows.positive) * 1.0, rows.weights)


def f1(labels: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """Harmonic mean of precision and recall of label 1 at 0.5; a score of exactly 0.5 says 1.

    Raises InvalidInput when no row is positive and none is called so.

    >>> f1([1, 1, 0, 0], [0.9, 0.2, 0.1, 0.6])
    0.5
    """
    rows = check_scores("f1", labels, scores, weights)
    _raise_undefined("f1", rows)
    called = rows.scores >= THRESHOLD
    hits = float(rows.weights[called & rows.positive].sum())
    either = float(rows.weights[called].sum() + rows.weights[rows.positive].sum())
    return 2.0 * hits / either


METRICS: Mapping[str, Metric] = {
    "roc_auc": roc_auc,
    "log_loss": log_loss,
    "brier": brier,
    "accuracy": accuracy,
    "f1": f1,
}


def check_metric(metric: str) -> str:
    """Return `metric` if it is known, else raise InvalidInput with the nearest known name."""
    if metric in METRICS:
        return metric
    match = nearest(metric, METRICS)
    hint = f"did you mean `{match}`" if match else ""
    raise InvalidInput(f"`{metric}` is not a metric; there are {', '.join(METRICS)}", hint=hint)


def check_scores(
    metric: str, labels: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> LabelledScores:
    """Return the input as arrays, or raise InvalidInput with every fault it has.

    Labels must be 0 or 1 (or booleans), scores finite and, except for `roc_auc`, between 0 and 1.
    """
    values, answers = _as_floats("labels", labels), _as_floats("scores", scores)
    loads = np.ones(values.shape) if weights is None else _as_floats("weights", weights)
    problems = _length_problems(values, answers, loads)
    if not problems:
        problems = _value_problems(metric, values, answers, loads)
    if problems:
        raise InvalidInput(
            f"{METRIC_TITLES[metric]} cannot be measured: {'; '.join(problems)}", problems=tuple(problems)
        )
    return LabelledScores(values == 1.0, answers, loads)


def why_undefined(metric: str, rows: LabelledScores) -> str:
    """Return why `metric` has no meaning on these rows, or an empty string.

    >>> why_undefined("roc_auc", check_scores("roc_auc", [1, 1], [0.2, 0.4]))
    'all 2 labels are 1, and AUC needs both classes'
    """
    counted = rows.weights > 0
    total, positives = int(counted.sum()), int((counted & rows.positive).sum())
    if total == 0:
        return "there are no rows"
    if metric == "roc_auc" and positives in (0, total):
        return f"all {total:,} labels are {int(positives > 0)}, and AUC needs both classes"
    if metric == "f1" and positives == 0 and not (counted & (rows.scores >= THRESHOLD)).any():
        return f"none of {total:,} rows is positive or called positive, and F1 needs one"
    return ""


def log_losses(rows: LabelledScores) -> FloatArray:
    """Return the loss of each row in nats, shape (rows,)."""
    clipped = np.clip(rows.scores, _CLIP, 1.0 - _CLIP)
    losses: FloatArray = -np.log(np.where(rows.positive, clipped, 1.0 - clipped))
    return losses


def improvement(metric: str, candidate: FloatArray, champion: FloatArray) -> FloatArray:
    """Return by how much the candidate is better, positive for better whatever the metric.

    >>> improvement("brier", np.array([0.1]), np.array([0.3])).round(2).tolist()
    [0.2]
    """
    return champion - candidate if metric in LOWER_IS_BETTER else candidate - champion


def _raise_undefined(metric: str, rows: LabelledScores) -> None:
    reason = why_undefined(metric, rows)
    if reason:
        raise InvalidInput(f"{METRIC_TITLES[metric]} cannot be measured: {reason}")


def _weighted_mean(values: FloatArray, weights: FloatArray) -> float:
    return float(values @ weights / weights.sum())


def _as_floats(what: str, values: npt.ArrayLike) -> FloatArray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{what} must be numbers, but {error}") from error
    if array.ndim != 1:
        raise InvalidInput(f"{what} must have one dimension, but have shape {array.shape}")
    return array


def _length_problems(labels: FloatArray, scores: FloatArray, weights: FloatArray) -> list[str]:
    if not len(labels) == len(scores) == len(weights):
        return [f"{len(labels):,} labels, {len(scores):,} scores and {len(weights):,} weights do not match"]
    if len(labels) == 0:
        return ["there are no rows"]
    return []


def _value_problems(metric: str, labels: FloatArray, scores: FloatArray, weights: FloatArray) -> list[str]:
    checks = [
        (~np.isin(labels, (0.0, 1.0)), "labels are not 0 or 1"),
        (~np.isfinite(scores), "scores are NaN or infinite"),
        (~np.isfinite(weights) | (weights < 0), "weights are negative, NaN or infinite"),
    ]
    if metric in _NEEDS_PROBABILITIES:
        checks.append(((scores < 0) | (scores > 1), "scores are outside 0 to 1"))
    problems = [
        f"{int(wrong.sum()):,} of {len(labels):,} {what}, the first in row {int(wrong.argmax())}"
        for wrong, what in checks
        if wrong.any()
    ]
    if not problems and weights.sum() == 0:
        return ["all weights are 0"]
    return problems
