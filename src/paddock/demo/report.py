"""What came of the year, computed from what was served and what was true."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from paddock.app import App
from paddock.automation import Decision, Rollout
from paddock.demo.calendar import Schedule
from paddock.demo.flights import FEATURES, LABEL
from paddock.demo.release import MODEL, Release
from paddock.evaluation import estimate_auc, score_package
from paddock.kernel.clock import to_micros
from paddock.kernel.errors import IntegrityError
from paddock.kernel.refs import ModelVersionRef
from paddock.prediction_log import read_predictions

Floats = npt.NDArray[np.float64]

_OUTCOMES = ("champion_replaced", "candidate_refused", "candidate_rolled_back")


class MonthLine(msgspec.Struct, frozen=True):
    """One month. auc_live: pooled as served; auc_static: the first champion on the same flights."""

    month: str
    rows: int
    late_rate: float
    auc_static: float
    auc_live: float
    psi_max: float
    champion: str
    decision: str
    reason: str


class DecisionLine(msgspec.Struct, frozen=True):
    at: str
    kind: str
    candidate: str
    champion: str
    words: str


class IncidentLine(msgspec.Struct, frozen=True):
    """A candidate somebody handed in. planted: its fault, which the loop was not told.

    predictions_answered: all that the version ever answered; hours: how long a candidate that was taken
    back had answered.
    """

    planted: str
    candidate: str
    outcome: str
    words: str
    predictions_answered: int
    hours: int


class DemoReport(msgspec.Struct, frozen=True):
    """gain_live: mean of auc_live - auc_static over the months; gain_immediate: the same if every version
    that passed its gate had replaced the champion at once."""

    months: tuple[MonthLine, ...]
    decisions: tuple[DecisionLine, ...]
    incidents: tuple[IncidentLine, ...]
    gain_live: float
    gain_immediate: float
    predictions: int
    seconds: float
    peak_rss_mb: float


@dataclass(frozen=True, slots=True)
class Scored:
    """The labelled flights of the replay with three scores each, shape (rows,)."""

    month: Floats
    labels: Floats
    live: Floats
    static: Floats
    immediate: Floats


def build_report(
    app: App,
    release: Release,
    schedule: Schedule,
    predictions: Path,
    *,
    months: Iterable[int],
    planted: Sequence[str],
    handed_in: Sequence[Rollout],
    seconds: float,
    peak_rss_mb: float,
) -> DemoReport:
    """Compute the report. Raises IntegrityError when a flight was not answered exactly once."""
    flights = schedule.all_rows()
    served = _served_scores(flights, predictions)
    scored = _score(app, release, flights, served)
    answered = _count_answers(predictions)
    decisions = tuple(reversed(app.automation.list_decisions(endpoint=MODEL, limit=1000)))
    lines = tuple(_month_line(app, flights, scored, decisions, month) for month in months)
    immediate = [
        _auc(scored, scored.immediate, month) - _auc(scored, scored.static, month) for month in months
    ]
    return DemoReport(
        months=lines,
        decisions=tuple(_decision_line(decision) for decision in decisions),
        incidents=tuple(
            _incident_line(fault, rollout, decisions, answered.get(rollout.candidate, 0))
            for fault, rollout in zip(planted, handed_in, strict=False)
        ),
        gain_live=_mean([line.auc_live - line.auc_static for line in lines]),
        gain_immediate=_mean(immediate),
        predictions=len(served),
        seconds=round(seconds, 1),
        peak_rss_mb=round(peak_rss_mb, 1),
    )


def _served_scores(flights: pa.Table, predictions: Path) -> Floats:
    """Return what each flight was answered, in the order of `flights`."""
    log = read_predictions(predictions, columns=["idempotency_key", "prediction"])
    places = pc.index_in(flights["key"], value_set=log["idempotency_key"].combine_chunks())
    if log.num_rows != flights.num_rows or places.null_count:
        raise IntegrityError(
            f"{flights.num_rows:,} flights were sent, but the log holds {log.num_rows:,} answers, "
            f"and none to {places.null_count:,} flights"
        )
    return np.asarray(log["prediction"].take(places).to_numpy(), dtype=np.float64)


def _score(app: App, release: Release, flights: pa.Table, served: Floats) -> Scored:
    known = np.asarray(flights[LABEL].is_valid().to_numpy(zero_copy_only=False))
    rows = flights.filter(pa.array(known))
    features = rows.select(list(FEATURES))
    static = score_package(app.objects, release.champion.package_digest, features)
    return Scored(
        month=np.asarray(rows["month"].to_numpy(), dtype=np.float64),
        labels=np.asarray(rows[LABEL].to_numpy(), dtype=np.float64),
        live=served[known],
        static=static,
        immediate=_score_immediately(app, rows, static),
    )


def _score_immediately(app: App, rows: pa.Table, static: Floats) -> Floats:
    """Return the scores if each refit had answered everything from the moment its gate was passed."""
    scores = static.copy()
    micros = np.asarray(rows["event_time"].cast(pa.int64()).to_numpy())
    rollouts = [
        each for each in reversed(app.automation.list_rollouts(MODEL, limit=1000)) if _was_released(each)
    ]
    starts = [to_micros(each.started_at) for each in rollouts]
    for rollout, start, end in zip(rollouts, starts, [*starts[1:], np.iinfo(np.int64).max], strict=True):
        first, last = np.searchsorted(micros, [start, end])
        part = rows.slice(int(first), int(last - first)).select(list(FEATURES))
        version = app.registry.get(ModelVersionRef(MODEL, rollout.candidate))
        scores[first:last] = score_package(app.objects, version.package_digest, part)
    return scores


def _was_released(rollout: Rollout) -> bool:
    """Tell whether a retrained candidate passed its gate; candidates handed in by people do not count."""
    return rollout.origin == "retrain" and rollout.candidate != rollout.gated


def _month_line(
    app: App, flights: pa.Table, scored: Scored, decisions: Sequence[Decision], month: int
) -> MonthLine:
    here = scored.month == month
    name = f"2013-{month:02d}"
    ended = [each for each in decisions if each.at.month == month and each.kind in _OUTCOMES]
    last = ended[-1] if ended else None
    return MonthLine(
        month=name,
        rows=int(pc.sum(pc.equal(flights["month"], month)).as_py()),
        late_rate=round(float(scored.labels[here].mean()), 4),
        auc_static=round(_auc(scored, scored.static, month), 4),
        auc_live=round(_auc(scored, scored.live, month), 4),
        psi_max=round(_largest_psi(app, month), 3),
        champion=_champion_after(decisions, month),
        decision=last.kind if last else "none",
        reason=last.words if last else "No candidate was decided on in this month.",
    )


def _largest_psi(app: App, month: int) -> float:
    for window in app.monitoring.list_windows("delay-monthly", limit=24):
        if window.start.month == month:
            return max((feature.psi for feature in window.facts.features), default=0.0)
    return 0.0


def _champion_after(decisions: Sequence[Decision], month: int) -> str:
    replaced = [each for each in decisions if each.kind == "champion_replaced" and each.at.month <= month]
    return f"{MODEL}@{replaced[-1].candidate if replaced else 2}"


def _decision_line(decision: Decision) -> DecisionLine:
    return DecisionLine(
        at=decision.at.isoformat(),
        kind=decision.kind,
        candidate=f"{decision.model}@{decision.candidate}" if decision.candidate else "",
        champion=f"{decision.model}@{decision.champion}",
        words=decision.words,
    )


def _count_answers(predictions: Path) -> dict[int, int]:
    """Return how many predictions each version has answered."""
    counted = pc.value_counts(read_predictions(predictions, columns=["version"])["version"])
    return {pair["values"]: pair["counts"] for pair in counted.to_pylist()}


def _incident_line(
    planted: str, rollout: Rollout, decisions: Sequence[Decision], answered: int
) -> IncidentLine:
    last = [each for each in decisions if each.rollout_id == rollout.rollout_id][-1]
    return IncidentLine(
        planted=planted,
        candidate=f"{rollout.model}@{rollout.candidate}",
        outcome=rollout.phase,
        words=last.words,
        predictions_answered=answered,
        hours=_whole(last.evidence.get("hours")),
    )


def _auc(scored: Scored, scores: Floats, month: int) -> float:
    here = scored.month == month
    return estimate_auc(scored.labels[here], scores[here]).value


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4) if values else 0.0


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
