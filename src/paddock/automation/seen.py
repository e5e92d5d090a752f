"""From live rows to the evidence a stage is judged by, and to the verdict. Pure."""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from paddock.automation.live import column, labelled
from paddock.automation.records import Exposure, Rollout, StageVerdict
from paddock.automation.rules import CanaryEvidence, ShadowEvidence, judge_canary, judge_shadow
from paddock.evaluation import AucEstimate, estimate_auc
from paddock.kernel.clock import to_micros
from paddock.serving import RolloutSpec


def evidence_since(rollout: Rollout) -> datetime:
    """Return from when on rows say something about the stage a live rollout is in.

    The first canary step is judged by the labels of the shadow's answers as well, which come during it.
    """
    is_first_canary = rollout.phase == "canary" and rollout.step == 0
    return rollout.started_at if is_first_canary else rollout.phase_started_at


def judge_stage(spec: RolloutSpec, rollout: Rollout, rows: pa.Table, at: datetime) -> StageVerdict:
    """Judge the stage a live rollout is in; rows: all from `evidence_since` and before `at`, with `label`."""
    elapsed = at - rollout.phase_started_at
    if rollout.phase == "shadow":
        shadowed = rows.filter(pc.equal(rows["shadow_version"], rollout.candidate))
        return judge_shadow(spec, shadow_evidence(shadowed, elapsed))
    return judge_canary(spec, rollout.step, canary_evidence(rows, rollout, elapsed))


def shadow_evidence(rows: pa.Table, elapsed: timedelta) -> ShadowEvidence:
    """Compare shadow answers with the answers given; rows: those a shadow was asked for."""
    shadow, given = column(rows, "shadow_prediction"), column(rows, "prediction")
    answered = np.isfinite(shadow)
    return ShadowEvidence(
        rows=rows.num_rows,
        answered=int(answered.sum()),
        mean_candidate=float(shadow[answered].mean()) if answered.any() else float("nan"),
        mean_champion=float(given[answered].mean()) if answered.any() else float("nan"),
        elapsed=elapsed,
    )


def canary_evidence(rows: pa.Table, rollout: Rollout, elapsed: timedelta) -> CanaryEvidence:
    """Measure both versions on the labelled rows they have answered; rows: all from `evidence_since`.

    What the candidate answered in shadow counts as its answer too; see `CanaryEvidence.standard_error` for
    what follows from both having answered those rows.
    """
    began = pc.greater_equal(rows["event_time"].cast(pa.int64()), to_micros(rollout.phase_started_at))
    step, before = rows.filter(began), rows.filter(pc.invert(began))
    shadowed = before.filter(pc.equal(before["shadow_version"], rollout.candidate))
    own = step.filter(pc.equal(step["version"], rollout.candidate))
    others = step.filter(pc.equal(step["version"], rollout.champion))
    return CanaryEvidence(
        rows=step.num_rows,
        candidate_rows=own.num_rows,
        elapsed=elapsed,
        candidate=_quality((own, "prediction"), (shadowed, "shadow_prediction")),
        champion=_quality((others, "prediction"), (shadowed, "prediction")),
    )


def measure_exposure(rows: pa.Table, candidate: int, at: datetime) -> Exposure:
    """Return what the candidate has answered of `rows`, seen at `at`."""
    answered = rows.filter(pc.equal(rows["version"], candidate))
    if not answered.num_rows:
        return Exposure(0, timedelta(0))
    first: datetime = pc.min(answered["event_time"]).as_py()
    return Exposure(answered.num_rows, at - first)


def _quality(*answers: tuple[pa.Table, str]) -> AucEstimate:
    """Estimate the AUC of labelled answers; answers: tables, each with the column its scores are in."""
    known = [(labelled(rows), name) for rows, name in answers]
    labels = np.concatenate([column(rows, "label") for rows, _ in known])
    scores = np.concatenate([column(rows, name) for rows, name in known])
    is_answered = np.isfinite(scores)
    return estimate_auc(labels[is_answered], scores[is_answered])
