"""From live rows to the evidence a stage is judged by, and to the verdict. Pure."""

from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from paddock.automation.live import column, labelled
from paddock.automation.records import Exposure, Rollout, StageVerdict
from paddock.automation.rules import CanaryEvidence, ShadowEvidence, judge_canary, judge_shadow
from paddock.evaluation import estimate_auc_difference
from paddock.kernel.clock import to_micros
from paddock.serving import RolloutSpec

FloatArray = npt.NDArray[np.float64]


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

    What the candidate answered in shadow counts as its answer too; those rows both have answered.
    """
    step = _in_step(rows, rollout)
    known = labelled(rows)
    found = estimate_auc_difference(column(known, "label"), *_answers(known, rollout))
    return CanaryEvidence(
        rows=int(step.sum()),
        candidate_rows=int((step & (column(rows, "version") == rollout.candidate)).sum()),
        elapsed=elapsed,
        candidate=found.first,
        champion=found.second,
        standard_error=found.standard_error,
    )


def measure_exposure(rows: pa.Table, candidate: int, at: datetime) -> Exposure:
    """Return what the candidate has answered of `rows`, seen at `at`."""
    answered = rows.filter(pc.equal(rows["version"], candidate))
    if not answered.num_rows:
        return Exposure(0, timedelta(0))
    first: datetime = pc.min(answered["event_time"]).as_py()
    return Exposure(answered.num_rows, at - first)


def _in_step(rows: pa.Table, rollout: Rollout) -> npt.NDArray[np.bool_]:
    """Tell which rows came since the canary step began; the others are those of the shadow."""
    micros = rows["event_time"].cast(pa.int64()).to_numpy()
    return np.asarray(micros >= to_micros(rollout.phase_started_at))


def _answers(rows: pa.Table, rollout: Rollout) -> tuple[FloatArray, FloatArray]:
    """Return what the candidate and the champion answered to each row, NaN where it has no answer."""
    step, version = _in_step(rows, rollout), column(rows, "version")
    given, unseen = column(rows, "prediction"), column(rows, "shadow_prediction")
    shadowed = ~step & (column(rows, "shadow_version") == rollout.candidate)
    own, others = step & (version == rollout.candidate), step & (version == rollout.champion)
    candidate = np.select([own & np.isfinite(given), shadowed & np.isfinite(unseen)], [given, unseen], np.nan)
    champion = np.where((others | shadowed) & np.isfinite(given), given, np.nan)
    return candidate, champion
