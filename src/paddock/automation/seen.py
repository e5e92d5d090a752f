"""From live rows to the evidence a stage is judged by. Pure."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from paddock.automation.live import column, labelled
from paddock.automation.records import Rollout
from paddock.automation.rules import CanaryEvidence, ShadowEvidence
from paddock.evaluation import AucEstimate, estimate_auc


def shadow_evidence(rows: pa.Table) -> ShadowEvidence:
    """Compare shadow answers with the answers given; rows: those a shadow was asked for."""
    shadow, given = column(rows, "shadow_prediction"), column(rows, "prediction")
    answered = np.isfinite(shadow)
    return ShadowEvidence(
        rows=rows.num_rows,
        answered=int(answered.sum()),
        mean_candidate=float(shadow[answered].mean()) if answered.any() else float("nan"),
        mean_champion=float(given[answered].mean()) if answered.any() else float("nan"),
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


def _quality(rows: pa.Table) -> AucEstimate:
    known = labelled(rows)
    return estimate_auc(column(known, "label"), column(known, "prediction"))
