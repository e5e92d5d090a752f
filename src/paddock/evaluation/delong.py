"""The AUC, and the difference of two, with a standard error but without resampling.

For whoever looks again and again. Source: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44.
"""

from dataclasses import dataclass

import numpy as np

from paddock.evaluation.metrics import FloatArray, check_scores


@dataclass(frozen=True, slots=True)
class AucEstimate:
    """`value` and `standard_error` are NaN while a class has fewer than two rows."""

    value: float
    standard_error: float
    positives: int
    negatives: int

    @property
    def rows(self) -> int:
        return self.positives + self.negatives


@dataclass(frozen=True, slots=True)
class AucDifference:
    """`first` minus `second`; `value` and `standard_error` are NaN while one of them is."""

    first: AucEstimate
    second: AucEstimate
    standard_error: float

    @property
    def value(self) -> float:
        return self.first.value - self.second.value


def estimate_auc(labels: FloatArray, scores: FloatArray) -> AucEstimate:
    """Return the AUC and its standard error; ties count half.

    labels: 0.0 or 1.0, scores: any order-preserving score, both shape (rows,); may be empty. Raises
    InvalidInput for other labels, for NaN or infinite scores, and for lengths that differ.
    Source: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, through mid-ranks in O(n log n).

    >>> estimate_auc(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8])).value
    0.75
    """
    return _measure(labels, scores)[0]


def estimate_auc_difference(labels: FloatArray, first: FloatArray, second: FloatArray) -> AucDifference:
    """Return how far two AUCs lie apart, over rows that both, one, or none of two models have scored.

    labels: 0.0 or 1.0; first, second: scores, NaN for a row that this model has not scored; all of shape
    (rows,). Each AUC is that of all rows its model has scored. Raises InvalidInput as `estimate_auc`.
    Source: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44. Their covariance is that of the two
    models' placements of one row; between different rows there is none, so that only the rows scored by both
    add to it. With no row in common the variances add; with all in common it is the paired test.

    >>> labels, none = np.tile([0.0, 0.0, 0.0, 1.0, 1.0, 1.0], 2), np.full(6, np.nan)
    >>> some = np.array([0.1, 0.4, 0.2, 0.35, 0.8, 0.6])
    >>> others = np.array([0.2, 0.5, 0.1, 0.3, 0.7, 0.6])  # they err on the same two rows
    >>> shared = estimate_auc_difference(labels[:6], some, others)
    >>> apart = estimate_auc_difference(labels, np.append(some, none), np.append(none, others))
    >>> shared.value, round(shared.standard_error, 3), round(apart.standard_error, 3)
    (0.0, 0.0, 0.222)
    """
    one, one_influence = _measure_scored(labels, first)
    other, other_influence = _measure_scored(labels, second)
    if np.isnan(one.value) or np.isnan(other.value):
        return AucDifference(one, other, float("nan"))
    return AucDifference(one, other, _root_of_squares(one_influence - other_influence))


def _measure_scored(labels: FloatArray, scores: FloatArray) -> tuple[AucEstimate, FloatArray]:
    """Measure the rows with a score; the others have no influence."""
    if labels.shape != scores.shape:
        check_scores("roc_auc", labels, scores)
    is_scored = ~np.isnan(scores)
    estimate, influence = _measure(labels[is_scored], scores[is_scored])
    of_all = np.zeros(len(labels))
    of_all[is_scored] = influence
    return estimate, of_all


def _measure(labels: FloatArray, scores: FloatArray) -> tuple[AucEstimate, FloatArray]:
    """Return the AUC, and for each row how far it alone moves it: the squares add up to the variance."""
    if len(labels) or len(scores):
        check_scores("roc_auc", labels, scores)
    is_positive = labels == 1.0
    positive, negative = scores[is_positive], scores[~is_positive]
    counts = len(positive), len(negative)
    if min(counts) < 2:
        return AucEstimate(float("nan"), float("nan"), *counts), np.zeros(len(labels))
    # placements: the share of the other class that a positive row stands above, a negative one below
    above = _mid_ranks(np.sort(negative), positive) / len(negative)
    below = 1.0 - _mid_ranks(np.sort(positive), negative) / len(positive)
    influence = np.empty(len(labels))
    influence[is_positive] = _shares_of_variance(above)
    influence[~is_positive] = _shares_of_variance(below)
    return AucEstimate(float(above.mean()), _root_of_squares(influence), *counts), influence


def _shares_of_variance(placements: FloatArray) -> FloatArray:
    """Return the deviations, scaled so that their squares add up to the variance of the mean."""
    count = len(placements)
    return np.asarray((placements - placements.mean()) / np.sqrt(count * (count - 1)))


def _root_of_squares(influence: FloatArray) -> float:
    return float(np.sqrt(influence @ influence))


def _mid_ranks(ordered: FloatArray, values: FloatArray) -> FloatArray:
    """Return how many of `ordered` lie below each value, equal ones counting half."""
    left = np.searchsorted(ordered, values, side="left")
    right = np.searchsorted(ordered, values, side="right")
    return (left + right) / 2.0
