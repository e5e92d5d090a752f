"""What a measurement, a comparison, a gate and a gate report are; values only."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from paddock.kernel.digest import Digest
from paddock.kernel.ids import ReportId
from paddock.kernel.refs import DatasetRef

REPORT_FORMAT = "paddock.gate-report/1"
METRIC_TITLES: Mapping[str, str] = {
    "roc_auc": "AUC",
    "log_loss": "log loss",
    "brier": "Brier score",
    "accuracy": "accuracy",
    "f1": "F1",
}
LOWER_IS_BETTER = frozenset({"log_loss", "brier"})
DEFAULT_CONFIDENCE = 0.95
DEFAULT_MIN_ROWS = 100

GateState = Literal["passed", "failed", "not_applicable", "not_measured"]


class Interval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds that cover the true value with probability `confidence`."""

    low: float
    high: float
    confidence: float


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One metric of one model on `rows` rows.

    `value` is None exactly when the metric could not be measured; `reason` then says why.
    `interval` is None when the value stands but too few resamples did (one class is nearly empty).
    """

    metric: str
    rows: int
    value: float | None = None
    interval: Interval | None = None
    reason: str = ""


class Comparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Candidate beside champion on the same rows, under the same resamples.

    `delta` is the improvement: positive means the candidate is better, also where lower values
    are better. `interval` is two-sided. `probability_better`: share of resamples in which the
    candidate is better, ties counting half. `minimum_detectable`: the true improvement that a
    comparison on these rows finds with probability `power`, so smaller ones are likely missed.
    """

    metric: str
    rows: int
    delta: float
    interval: Interval
    standard_error: float
    probability_better: float
    minimum_detectable: float
    power: float


class SliceSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rows belong together: those with one value of `column`.

    quantiles: 0 takes the values as they are, k > 1 first cuts a numeric column into k parts.
    A value with fewer than `min_rows` rows is reported, but not measured.
    """

    column: str
    min_rows: int = DEFAULT_MIN_ROWS
    quantiles: int = 0


class SliceMeasured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One metric on the rows with `value` in `column`; `champion` is None when none was scored."""

    column: str
    value: str
    rows: int
    candidate: Measured
    champion: Measured | None = None


class GateSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One gate as it stands in paddock.toml; None means the key was not given.

    Exactly one kind: `metric` with `at_least` or `at_most`; `metric` with `versus = "champion"`;
    `metric` with `slice` and a bound; `latency_p99_ms` alone.
    """

    metric: str = ""
    at_least: float | None = None
    at_most: float | None = None
    versus: str = ""
    margin: float | None = None
    confidence: float | None = None
    slice: str = ""
    min_rows: int | None = None
    latency_p99_ms: float | None = None


class GateResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of one gate. Only `passed` and `not_applicable` let a model through.

    gate: the requirement in words; words: what was found, in a sentence without a period.
    value, interval: what was measured, None when nothing was; threshold: what was asked.
    """

    gate: str
    state: GateState
    words: str
    spec: GateSpec | None = None
    value: float | None = None
    interval: Interval | None = None
    threshold: float | None = None


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that was measured for one decision; the gates look at nothing else."""

    rows: int
    candidate: tuple[Measured, ...] = ()
    champion: tuple[Measured, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    slices: tuple[SliceMeasured, ...] = ()
    champion_version: int = 0
    latency_p99_ms: float | None = None


class GateReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One decision about one model package, with all of its evidence.

    candidate_version: 0 until the package is registered with this report. champion_version: 0
    when there was none. gated_as: the report this one stands on (a refit), or empty.
    seed, draws: with the same rows and scores they give the same numbers again.
    """

    format: str
    report_id: ReportId
    model: str
    candidate_digest: Digest
    candidate_version: int
    champion_version: int
    evidence: Evidence
    results: tuple[GateResult, ...]
    passed: bool
    words: str
    gated_as: str
    datasets: tuple[DatasetRef, ...]
    seed: int
    draws: int
    principal: str
    created_at: datetime

    @property
    def rows(self) -> int:
        return self.evidence.rows


class ReportSummary(msgspec.Struct, frozen=True):
    """What a list, or a promotion rule, needs of a gate report."""

    report_id: ReportId
    model: str
    candidate_digest: Digest
    candidate_version: int
    champion_version: int
    passed: bool
    gated_as: str
    rows: int
    words: str
    principal: str
    created_at: datetime
