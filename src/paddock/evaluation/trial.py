"""One candidate before its gates: the rows, the scores, and the evidence they give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paddock.evaluation.compare import DEFAULT_DRAWS, PairMeasured, measure_pair
from paddock.evaluation.metrics import METRICS, FloatArray
from paddock.evaluation.records import (
    DEFAULT_CONFIDENCE,
    Comparison,
    Evidence,
    GateSpec,
    SliceMeasured,
    SliceSpec,
)
from paddock.evaluation.slices import measure_slices
from paddock.evaluation.specs import check_spec, confidence_of, min_rows_of
from paddock.kernel.digest import Digest
from paddock.kernel.errors import InvalidInput
from paddock.kernel.names import check_name
from paddock.kernel.refs import DatasetRef

DEFAULT_SLICE_METRIC = "roc_auc"


@dataclass(frozen=True, slots=True)
class Trial:
    """The labelled rows of a gate and what both models say about them.

    labels: 0 or 1, shape (rows,); scores: probability of 1, same rows in the same order.
    champion_version: 0 on a first release; champion_scores None with a version set means that the
    champion could not be scored, and then no gate against it passes.
    slices: column -> the slice of each row (`slice_table`); datasets: where the rows come from.
    latency_p99_ms: as measured over latency_requests in the server, None when it was not.
    """

    model: str
    candidate_digest: Digest
    labels: FloatArray
    candidate_scores: FloatArray
    champion_scores: FloatArray | None = None
    champion_version: int = 0
    slices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    datasets: tuple[DatasetRef, ...] = ()
    latency_p99_ms: float | None = None
    latency_requests: int = 0
    seed: int = 0
    draws: int = DEFAULT_DRAWS


def check_trial(trial: Trial, gates: Sequence[GateSpec]) -> None:
    """Raise InvalidInput with every fault of the trial and of its gates."""
    check_name("model", trial.model)
    rows = len(trial.labels)
    problems = [
        f"gate {number}: {fault}" for number, spec in enumerate(gates, start=1) for fault in check_spec(spec)
    ]
    problems += [
        f"slices by `{column}` name {len(names):,} rows, but there are {rows:,}"
        for column, names in trial.slices.items()
        if len(names) != rows
    ]
    if trial.champion_scores is not None and not trial.champion_version:
        problems.append("there are scores of a champion, but no champion version")
    if problems:
        raise InvalidInput("; ".join(problems), problems=tuple(problems))


def measure_trial(trial: Trial, gates: Sequence[GateSpec]) -> Evidence:
    """Measure everything the gates ask for, and every metric of both models besides.

    Pure: same trial, same evidence, bit for bit. Raises InvalidInput for labels or scores that
    cannot be measured at all (NaN, outside 0 to 1, other lengths).
    """
    pair = measure_pair(
        trial.labels,
        trial.candidate_scores,
        trial.champion_scores,
        draws=trial.draws,
        seed=trial.seed,
    )
    return Evidence(
        rows=len(trial.labels),
        candidate=pair.candidate,
        champion=pair.champion,
        comparisons=_compare_all(pair, gates),
        slices=_measure_slices(trial, gates),
        champion_version=trial.champion_version,
        latency_p99_ms=trial.latency_p99_ms,
    )


def _compare_all(pair: PairMeasured, gates: Sequence[GateSpec]) -> tuple[Comparison, ...]:
    wanted = [(metric, DEFAULT_CONFIDENCE) for metric in METRICS]
    wanted += [(spec.metric, confidence_of(spec)) for spec in gates if spec.versus]
    found = (pair.compare(metric, confidence=confidence) for metric, confidence in dict.fromkeys(wanted))
    return tuple(comparison for comparison in found if comparison is not None)


def _measure_slices(trial: Trial, gates: Sequence[GateSpec]) -> tuple[SliceMeasured, ...]:
    """Measure each column by the metrics its gates name, or by the AUC when none does."""
    pieces: list[SliceMeasured] = []
    for column, names in trial.slices.items():
        asking = [spec for spec in gates if spec.slice == column]
        least = min((min_rows_of(spec) for spec in asking), default=SliceSpec(column).min_rows)
        for metric in dict.fromkeys(spec.metric for spec in asking) or (DEFAULT_SLICE_METRIC,):
            pieces += measure_slices(
                metric,
                trial.labels,
                trial.candidate_scores,
                trial.champion_scores,
                names,
                SliceSpec(column, least),
                draws=trial.draws,
                seed=trial.seed,
            )
    return tuple(pieces)
