"""The AUC with its standard error, without resampling: for monitors that look again and again."""

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


def estimate_auc(labels: FloatArray, scores: FloatArray) -> AucEstimate:
    """Return the AUC and its standard error; ties count half.

    labels: 0.0 or 1.0, scores: any order-preserving score, both shape (rows,); may be empty. Raises
    InvalidInput for other labels, for NaN or infinite scores, and for lengths that differ.
    Source: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, through mid-ranks in O(n log n).

    >>> estimate_auc(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8])).value
    0.75
    """
    if len(labels) or len(scores):
        check_scores("roc_auc", labels, scores)
    positive = scores[labels == 1.0]
    negative = scores[labels == 0.0]
    if min(len(positive), len(negative)) < 2:
        return AucEstimate(float("nan"), float("nan"), len(positive), len(negative))
    # share of the other class that each row stands above, the row itself not counted
    above = (_mid_ranks(np.sort(negative), positive)) / len(negative)
    below = 1.0 - _mid_ranks(np.sort(positive), negative) / len(positive)
    variance = above.var(ddof=1) / len(positive) + below.var(ddof=1) / len(negative)
    return AucEstimate(float(above.mean()), float(variance**0.5), len(positive), len(negative))


def _mid_ranks(ordered: FloatArray, values: FloatArray) -> FloatArray:
    """Return how many of `ordered` lie below each value, equal ones counting half."""
    left = np.searchsorted(ordered, values, side="left")
    right = np.searchsorted(ordered, values, side="right")
    return (left + right) / 2.0
