"""Measurements with intervals, and the paired comparison of two models.

Intervals are percentile bootstrap intervals (Efron & Tibshirani 1993, chapter 13). The comparison
resamples rows, not models: both models are weighed by the same draws, so what they share cancels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from paddock.evaluation.bootstrap import draw_metrics
from paddock.evaluation.metrics import (
    METRICS,
    FloatArray,
    LabelledScores,
    check_metric,
    check_scores,
    improvement,
    why_undefined,
)
from paddock.evaluation.records import (
    DEFAULT_CONFIDENCE,
    METRIC_TITLES,
    Comparison,
    Interval,
    Measured,
)
from paddock.kernel.errors import InvalidInput

DEFAULT_DRAWS = 1_000
DEFAULT_POWER = 0.8
MAX_DRAWS = 1_000_000
# an interval over fewer of the resamples would hide how little there is of one class
_MAX_UNDEFINED_RATIO = 0.05


@dataclass(frozen=True, slots=True)
class PairMeasured:
    """Each metric of candidate and champion, and their resamples, shape (draws, models)."""

    candidate: tuple[Measured, ...]
    champion: tuple[Measured, ...]
    resamples: Mapping[str, FloatArray]

    def compare(
        self, metric: str, *, confidence: float = DEFAULT_CONFIDENCE, power: float = DEFAULT_POWER
    ) -> Comparison | None:
        """Compare the two on `metric`, or return None when it was not measured on both."""
        pairs = zip(self.candidate, self.champion, strict=False)
        found = next(((one, other) for one, other in pairs if one.metric == metric), None)
        if found is None or metric not in self.resamples:
            return None
        return _compare(found[0], found[1], self.resamples[metric], confidence, power)


def measure(
    metric: str,
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = 0,
    confidence: float = DEFAULT_CONFIDENCE,
) -> Measured:
    """Measure one model with an interval; rows without meaning give a result that says so.

    No rows, or one class only where two are needed, is a normal answer (`value` is None). Raises
    InvalidInput for NaN, labels that are not 0 or 1, lengths that differ, an unknown metric.

    >>> measure("roc_auc", [1, 1], [0.2, 0.4]).reason
    'all 2 labels are 1, and AUC needs both classes'
    """
    return measure_pair(
        labels, scores, None, (metric,), draws=draws, seed=seed, confidence=confidence
    ).candidate[0]


def compare_paired(
    labels: npt.ArrayLike,
    champion_scores: npt.ArrayLike,
    candidate_scores: npt.ArrayLike,
    metric: str = "roc_auc",
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = 0,
    confidence: float = DEFAULT_CONFIDENCE,
    power: float = DEFAULT_POWER,
) -> Comparison:
    """Compare two models on the same rows; `delta` > 0 means the candidate is better.

    Raises InvalidInput where `measure` would, and when the metric has no meaning on these rows.

    >>> compare_paired([0, 1], [0.5, 0.5], [0.0, 1.0], "brier").delta
    0.25
    """
    pair = measure_pair(
        labels, candidate_scores, champion_scores, (metric,), draws=draws, seed=seed, confidence=confidence
    )
    comparison = pair.compare(metric, confidence=confidence, power=power)
    if comparison is None:
        reason = pair.candidate[0].reason or pair.champion[0].reason or _TOO_FEW
        raise InvalidInput(f"{METRIC_TITLES[metric]} cannot be compared: {reason}")
    return comparison


def measure_pair(
    labels: npt.ArrayLike,
    candidate_scores: npt.ArrayLike,
    champion_scores: npt.ArrayLike | None,
    metrics: Sequence[str] = tuple(METRICS),
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = 0,
    confidence: float = DEFAULT_CONFIDENCE,
) -> PairMeasured:
    """Measure one or two models in one pass; a missing champion leaves its part empty."""
    _check_options(draws, confidence)
    given = [candidate_scores] if champion_scores is None else [candidate_scores, champion_scores]
    if np.size(labels) == 0 and all(np.size(scores) == 0 for scores in given):
        empty = tuple(
            Measured(check_metric(metric), rows=0, reason="there are no rows") for metric in metrics
        )
        return PairMeasured(empty, empty if len(given) == 2 else (), {})
    models = _check_models(labels, given, metrics)
    defined = [metric for metric in metrics if not any(why_undefined(metric, model) for model in models)]
    resamples = draw_metrics(models, defined, draws=draws, seed=seed)
    measured = [
        tuple(_measured(metric, model, resamples, column, confidence) for metric in metrics)
        for column, model in enumerate(models)
    ]
    return PairMeasured(measured[0], measured[1] if len(measured) == 2 else (), resamples)


_TOO_FEW = "more than 5 % of the resamples hold one class only"


def _check_options(draws: int, confidence: float) -> None:
    if not 1 < draws <= MAX_DRAWS:
        raise InvalidInput(f"draws is {draws:,}, but must be 2 to {MAX_DRAWS:,}")
    if not 0 < confidence < 1:
        raise InvalidInput(f"confidence is {confidence}, but must lie between 0 and 1")


def _check_models(
    labels: npt.ArrayLike, given: Sequence[npt.ArrayLike], metrics: Sequence[str]
) -> list[LabelledScores]:
    """Check every model for every metric; what one metric accepts another may not."""
    models: list[LabelledScores] = []
    for scores in given:
        checked = [check_scores(check_metric(metric), labels, scores) for metric in metrics]
        models.extend(checked[:1])
    return models


def _measured(
    metric: str,
    rows: LabelledScores,
    resamples: Mapping[str, FloatArray],
    column: int,
    confidence: float,
) -> Measured:
    row_count = len(rows.positive)
    reason = why_undefined(metric, rows)
    if reason:
        return Measured(metric, row_count, reason=reason)
    value = METRICS[metric](rows.positive, rows.scores, None)
    if metric not in resamples:
        return Measured(metric, row_count, value)
    return Measured(metric, row_count, value, _interval(resamples[metric][:, column], confidence))


def _interval(resamples: FloatArray, confidence: float) -> Interval | None:
    known = resamples[np.isfinite(resamples)]
    if len(known) < (1.0 - _MAX_UNDEFINED_RATIO) * len(resamples):
        return None
    low, high = np.quantile(known, ((1.0 - confidence) / 2, (1.0 + confidence) / 2))
    return Interval(float(low), float(high), confidence)


def _compare(
    candidate: Measured, champion: Measured, resamples: FloatArray, confidence: float, power: float
) -> Comparison | None:
    metric = candidate.metric
    changes = improvement(metric, resamples[:, 0], resamples[:, 1])
    interval = _interval(changes, confidence)
    if candidate.value is None or champion.value is None or interval is None:
        return None
    changes = changes[np.isfinite(changes)]
    delta = improvement(metric, np.array([candidate.value]), np.array([champion.value]))
    error = float(changes.std(ddof=1))
    return Comparison(
        metric=metric,
        rows=candidate.rows,
        delta=float(delta[0]),
        interval=interval,
        standard_error=error,
        probability_better=float((changes > 0).mean() + (changes == 0).mean() / 2),
        minimum_detectable=_minimum_detectable(error, confidence, power),
        power=power,
    )


def _minimum_detectable(standard_error: float, confidence: float, power: float) -> float:
    """The improvement whose interval lies above zero with probability `power`."""
    normal = NormalDist()
    return (normal.inv_cdf((1.0 + confidence) / 2) + normal.inv_cdf(power)) * standard_error
