"""Holding the gate of a rollout: the rows of its exam, both models' answers, and how fast they come."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from paddock.automation.labelled import LabelledRows
from paddock.automation.live import LiveRows, column, feature_names, labelled
from paddock.automation.plan import LoopPlan, Rooms
from paddock.automation.records import Rollout
from paddock.automation.rehearsal import Rehearsal, rehearse
from paddock.automation.words import name_version
from paddock.evaluation import GateReport, SliceSpec, Trial, score_rows, slice_table
from paddock.kernel.clock import format_time
from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import InvalidInput, Unavailable, WorkerFailed
from paddock.kernel.refs import ModelVersionRef
from paddock.registry import ModelVersion


@dataclass(frozen=True, slots=True)
class Gate:
    """Judges candidates on labelled live rows that their champion has not seen."""

    plan: LoopPlan
    rooms: Rooms
    live: LiveRows
    labelled: LabelledRows

    def hold(self, rollout: Rollout) -> GateReport:
        """Return the report about the rollout's candidate; held again on the same labels, the same report.

        Raises InvalidInput when there is no row to judge on, WorkerFailed when the candidate's latency could
        not be measured, and what scoring or the rehearsal raises.
        """
        rows = labelled(self.live.between(rollout.fit_before, rollout.gate_until, rollout.started_at))
        if not rows.num_rows:
            raise InvalidInput(
                f"{name_version(rollout, rollout.champion)} has seen every labelled row before "
                f"{format_time(rollout.gate_until)}, or there is none"
            )
        features, labels = rows.select(feature_names(rows)), column(rows, "label")
        candidate, champion = self._version(rollout.candidate), self._version(rollout.champion)
        scores = self._scores(candidate, features), self._scores(champion, features)
        rehearsal = self._rehearse(candidate, features)
        sliced = dict.fromkeys(
            spec.slice for spec in self.plan.gates if spec.slice in features.column_names
        )  # a gate on another column says that it was not sliced
        trial = Trial(
            model=rollout.model,
            candidate_digest=candidate.package_digest,
            labels=labels,
            candidate_scores=scores[0],
            champion_scores=scores[1],
            champion_version=champion.version,
            slices=slice_table(features, [SliceSpec(name) for name in sliced]),
            datasets=self.labelled.keep_until(rollout.gate_until, rollout.started_at),
            latency_p99_ms=rehearsal.latency_p99_ms if rehearsal else None,
            latency_requests=rehearsal.requests if rehearsal else 0,
            seed=self.plan.seed,
        )
        seen = digest_bytes(labels.tobytes())[:16]  # a label that was sent late makes another exam
        return self.rooms.evaluation.judge(trial, self.plan.gates, key=f"{rollout.rollout_id}-gate-{seen}")

    def _rehearse(self, candidate: ModelVersion, rows: pa.Table) -> Rehearsal | None:
        """Measure the candidate in a gateway of its own, if a gate asks how fast it answers."""
        if all(spec.latency_p99_ms is None for spec in self.plan.gates):
            return None
        try:
            return rehearse(candidate, rows, self.rooms.evaluation.objects, options=self.plan.gateway)
        except Unavailable as error:  # waited for long enough already: each try keeps the loop for a minute
            raise WorkerFailed(f"the latency could not be measured: {error.message}") from error

    def _scores(self, version: ModelVersion, features: pa.Table) -> npt.NDArray[np.float64]:
        return score_rows(self.rooms.workers.get(version.package_digest), features)

    def _version(self, version: int) -> ModelVersion:
        return self.rooms.registry.get(ModelVersionRef(self.plan.model, version))
