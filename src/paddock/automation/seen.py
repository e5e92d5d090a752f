"""From live rows to the evidence a stage is judged by, and to the verdict. Pure."""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from paddock.automation.live import column, labelled
from paddock.automation.records import Exposure, Rollout, StageVerdict
from paddock.automation.rules import CanaryEvidence, ShadowEvidence, judge_canary, judge_shadow
from paddock.evaluation import AucEstimate, estimate_auc
from paddock.serving import RolloutSpec


def judge_stage(spec: RolloutSpec, rollout: Rollout, rows: pa.Table, at: datetime) -> StageVerdict:
    """Judge the stage a live rollout is in; rows: all since it began and before `at`, with `label`."""
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
    """Measure both versions on their own labelled rows of the step; rows: all since it began."""
    own = rows.filter(pc.equal(rows["version"], rollout.candidate))
    others = rows.filter(pc.equal(rows["version"], rollout.champion))
    return CanaryEvidence(
        rows=rows.num_rows,
        candidate_rows=own.num_rows,
        elapsed=elapsed,
        candidate=_quality(own),
        champion=_quality(others),
    )


def measure_exposure(rows: pa.Table, candidate: int, at: datetime) -> Exposure:
    """Return what the candidate has answered of `rows`, seen at `at`."""
    answered = rows.filter(pc.equal(rows["version"], candidate))
    if not answered.num_rows:
        return Exposure(0, timedelta(0))
    first: datetime = pc.min(answered["event_time"]).as_py()
    return Exposure(answered.num_rows, at - first)


def _quality(rows: pa.Table) -> AucEstimate:
    known = labelled(rows)
    return estimate_auc(column(known, "label"), column(known, "prediction"))
