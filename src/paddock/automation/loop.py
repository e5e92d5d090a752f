"""The loop of one endpoint: trigger, train, verify, gate, shadow, canary, then promote or go back.

`tick` does everything that is due and returns. All state is in the store: a process killed anywhere is
followed by one that calls `tick` again. What a phase does before it is left may therefore happen twice,
and is idempotent: training and reports are keyed by the rollout, traffic is set, not changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import pyarrow.compute as pc

from paddock.automation import rules
from paddock.automation.labelled import LabelledRows
from paddock.automation.live import LiveRows, column, feature_names, labelled
from paddock.automation.ports import Traffic, TrafficControl, Trainer, TrainingRequest
from paddock.automation.records import DecisionKind, Json, Phase, Rollout, StageVerdict
from paddock.automation.seen import canary_evidence, shadow_evidence
from paddock.automation.service import Automation, Words
from paddock.automation.specs import RetrainSpec
from paddock.evaluation import (
    Evaluation,
    GateReport,
    GateSpec,
    SliceSpec,
    Trial,
    score_package,
    slice_table,
)
from paddock.kernel.durations import parse_duration
from paddock.kernel.ids import RolloutId
from paddock.kernel.refs import ModelVersionRef, parse_ref
from paddock.models import verify_stored_package
from paddock.monitoring import Monitoring
from paddock.objects import ObjectStore
from paddock.registry import ModelVersion, Registry
from paddock.serving import EndpointSpec

_DEFAULT_GATE_WINDOW = "7d"
_NO_TIME = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class LoopPlan:
    """What is declared for one endpoint.

    retrain None: candidates are only submitted by people. opened_at: event time of its first request.
    label_delay: after it every row that will ever have a label has one.
    """

    endpoint: str
    spec: EndpointSpec
    gates: tuple[GateSpec, ...]
    opened_at: datetime
    label_delay: timedelta
    retrain: RetrainSpec | None = None
    seed: int = 0

    @property
    def model(self) -> str:
        return parse_ref("model", self.spec.model)[0]


@dataclass(frozen=True, slots=True)
class Rooms:
    """The services the loop acts through."""

    automation: Automation
    evaluation: Evaluation
    monitoring: Monitoring
    registry: Registry
    objects: ObjectStore


@dataclass(frozen=True, slots=True)
class Loop:
    plan: LoopPlan
    rooms: Rooms
    trainer: Trainer
    traffic: TrafficControl
    live: LiveRows
    labelled: LabelledRows

    def tick(self) -> Rollout | None:
        """Do everything that is due now; return the rollout in progress, or None.

        Raises what a step raises: the store is then as before that step, and the next tick repeats it.
        """
        rollout = self.rooms.automation.find_open(self.plan.endpoint) or self._start()
        if rollout is None:
            return None
        while rollout.is_open:
            following = self._steps()[rollout.phase](rollout)
            if following is None:
                return rollout
            rollout = following
        return None

    def settle(self) -> None:
        """Let traffic be what the store says; called when a process takes the loop over."""
        rollout = self.rooms.automation.find_open(self.plan.endpoint)
        if rollout is None:
            champion = self.rooms.registry.get(f"{self.plan.model}@champion").version
            self._apply(Traffic(champion), "the champion answers")
        elif rollout.phase in ("shadow", "canary"):
            self._apply(self._traffic_of(rollout), f"rollout in phase {rollout.phase}")

    def exam(self) -> tuple[datetime, datetime]:
        """Return where the rows of a gate that was held now would begin and end, in event time."""
        until = self._labelled_until()
        window = self.plan.retrain.gate_window if self.plan.retrain else _DEFAULT_GATE_WINDOW
        return until - parse_duration(window), until

    def submit(self, candidate: ModelVersionRef, *, reason: str, key: str = "") -> Rollout:
        """Send a registered version through verification, gates, shadow and canary.

        Raises Conflict while another rollout is open, or when the version is champion already.
        """
        champion = self.rooms.registry.get(f"{self.plan.model}@champion")
        fit_before, until = self.exam()
        draft = self._draft("submitted", champion.version, reason, fit_before, until)
        words = Words(f"{candidate} was submitted: {reason}", {"candidate": candidate.version})
        return self.rooms.automation.open_rollout(
            msgspec.structs.replace(draft, candidate=candidate.version, gated=candidate.version),
            "candidate_submitted",
            words,
            key=key,
        )

    def _steps(self) -> dict[Phase, Callable[[Rollout], Rollout | None]]:
        return {
            "training": self._train,
            "verifying": self._verify,
            "gating": self._gate,
            "refitting": self._refit,
            "shadow": self._watch_shadow,
            "canary": self._watch_canary,
        }

    # --- trigger and training

    def _start(self) -> Rollout | None:
        spec = self.plan.retrain
        if spec is None:
            return None
        champion = self.rooms.registry.get(f"{self.plan.model}@champion")
        fit_before, until = self.exam()
        trigger = rules.decide_trigger(spec, self._trigger_evidence(until))
        if trigger is None:
            return None
        draft = self._draft("retrain", champion.version, trigger.words, fit_before, until)
        words = Words(
            f"Retraining {self.plan.model}. {trigger.words}.",
            {"reason": trigger.reason, "fit_before": fit_before.isoformat(), "gate_until": until.isoformat()},
        )
        return self.rooms.automation.open_rollout(draft, "retrain_started", words)

    def _trigger_evidence(self, labelled_until: datetime) -> rules.TriggerEvidence:
        rollouts = self.rooms.automation.list_rollouts(self.plan.endpoint)
        starts = [rollout.started_at for rollout in rollouts if rollout.origin == "retrain"]
        last = max(starts, default=self.plan.opened_at)
        alarms = [
            alarm
            for alarm in self.rooms.monitoring.open_alarms()
            if alarm.endpoint == self.plan.endpoint and alarm.window.end > last - self.plan.label_delay
        ]
        return rules.TriggerEvidence(
            now=self._now(),
            last_started_at=last,
            labelled_until=labelled_until,
            champion_rows_end=rules.champion_rows_end(rollouts, self.plan.opened_at),
            quality_alarms=[alarm.words for alarm in alarms if alarm.kind == "quality"],
            drift_alarms=[alarm.words for alarm in alarms if alarm.kind == "drift"],
        )

    def _train(self, rollout: Rollout) -> Rollout:
        trained = self.trainer.train(
            TrainingRequest(
                model=rollout.model,
                datasets=self.labelled.keep_until(rollout.gate_until, self._now()),
                fit_before=rollout.fit_before,
                refit_of=0,
                key=f"{rollout.rollout_id}-fit",
            )
        )
        return self.rooms.automation.move(
            rollout, "verifying", candidate=trained.version, gated=trained.version
        )

    # --- verification and gate

    def _verify(self, rollout: Rollout) -> Rollout:
        candidate = self._version(rollout.candidate)
        if self._replay_golden(candidate, rollout):
            return self.rooms.automation.move(rollout, "gating")
        cause = self._version(rollout.candidate).verification
        reason = cause.cause if cause else ""
        words = Words(
            f"Kept {_ref(rollout, rollout.champion)}. {_ref(rollout, rollout.candidate)} never got traffic: "
            f"it does not answer its golden requests as recorded ({reason}).",
            {"cause": reason, "predictions_answered": 0},
        )
        return self.rooms.automation.move(rollout, "refused", kind="candidate_refused", words=words)

    def _replay_golden(self, version: ModelVersion, rollout: Rollout) -> bool:
        report = verify_stored_package(self.rooms.objects, version.package_digest)
        self.rooms.registry.record_verification(
            version.ref,
            passed=report.passed,
            cause=report.cause,
            words=f"{report.checked_rows} golden requests replayed",
            key=f"{rollout.rollout_id}-verify-{version.version}",
        )
        return report.passed

    def _gate(self, rollout: Rollout) -> Rollout:
        report = self._judge(rollout)
        candidate = _ref(rollout, rollout.candidate)
        self.rooms.registry.attach_report(candidate, report.report_id)
        evidence: dict[str, Json] = {
            "report_id": report.report_id,
            "rows": report.rows,
            "passed": report.passed,
        }
        if not report.passed:
            words = Words(f"Kept {_ref(rollout, rollout.champion)}. {report.words}.", evidence)
            return self.rooms.automation.move(rollout, "refused", kind="candidate_refused", words=words)
        if rollout.origin == "retrain":
            return self.rooms.automation.move(rollout, "refitting")
        return self._enter_shadow(rollout, rollout.candidate, report.words)

    def _judge(self, rollout: Rollout) -> GateReport:
        rows = labelled(self.live.between(rollout.fit_before, rollout.gate_until, self._now()))
        features = rows.select(feature_names(rows))
        candidate, champion = self._version(rollout.candidate), self._version(rollout.champion)
        sliced = dict.fromkeys(spec.slice for spec in self.plan.gates if spec.slice)
        trial = Trial(
            model=rollout.model,
            candidate_digest=candidate.package_digest,
            labels=column(rows, "label"),
            candidate_scores=score_package(self.rooms.objects, candidate.package_digest, features),
            champion_scores=score_package(self.rooms.objects, champion.package_digest, features),
            champion_version=champion.version,
            slices=slice_table(features, [SliceSpec(name) for name in sliced]),
            seed=self.plan.seed,
        )
        return self.rooms.evaluation.judge(trial, self.plan.gates, key=f"{rollout.rollout_id}-gate")

    def _refit(self, rollout: Rollout) -> Rollout:
        """Fit the gated recipe on all labelled rows; it is released as its parent was gated."""
        ref = self.trainer.train(
            TrainingRequest(
                model=rollout.model,
                datasets=self.labelled.keep_until(rollout.gate_until, self._now()),
                fit_before=rollout.gate_until,
                refit_of=rollout.gated,
                key=f"{rollout.rollout_id}-refit",
            )
        )
        refit, parent = self._version(ref.version), self._version(rollout.gated)
        verified = self._replay_golden(refit, rollout)
        parent_report = self.rooms.evaluation.get_report(parent.report_id)
        report = self.rooms.evaluation.judge_refit(
            parent_report,
            refit.package_digest,
            parent_version=parent.version,
            verified=verified,
            key=f"{rollout.rollout_id}-refit-gate",
        )
        self.rooms.registry.attach_report(refit.ref, report.report_id)
        if not report.passed:
            words = Words(f"Kept {_ref(rollout, rollout.champion)}. {report.words}.")
            return self.rooms.automation.move(rollout, "refused", kind="candidate_refused", words=words)
        return self._enter_shadow(rollout, refit.version, parent_report.words)

    # --- shadow and canary

    def _enter_shadow(self, rollout: Rollout, candidate: int, why: str) -> Rollout:
        words = Words(f"{_ref(rollout, candidate)} answers in shadow, unseen. {why}.")
        moved = self.rooms.automation.move(
            rollout, "shadow", candidate=candidate, kind="shadow_started", words=words
        )
        self._apply(self._traffic_of(moved), words.text)
        return moved

    def _watch_shadow(self, rollout: Rollout) -> Rollout | None:
        rows = self.live.since(rollout.phase_started_at, self._now())
        seen = rows.filter(pc.equal(rows["shadow_version"], rollout.candidate))
        verdict = rules.judge_shadow(self.plan.spec.rollout, shadow_evidence(seen))
        return self._follow(rollout, verdict)

    def _watch_canary(self, rollout: Rollout) -> Rollout | None:
        rows = self.live.since(rollout.phase_started_at, self._now())
        elapsed = self._now() - rollout.phase_started_at
        evidence = canary_evidence(rows, rollout, elapsed)
        verdict = rules.judge_canary(self.plan.spec.rollout, rollout.step, evidence)
        return self._follow(rollout, verdict)

    def _follow(self, rollout: Rollout, verdict: StageVerdict) -> Rollout | None:
        if verdict.state == "wait":
            return None
        if verdict.state == "fail":
            return self._take_back(rollout, verdict)
        step = rules.next_canary(rollout, self.plan.spec.rollout)
        return self._promote(rollout, verdict) if step is None else self._widen(rollout, step, verdict)

    def _widen(self, rollout: Rollout, step: int, verdict: StageVerdict) -> Rollout:
        share = self.plan.spec.rollout.canary[step]
        words = Words(
            f"{_ref(rollout, rollout.candidate)} answers {share:.0%} of the requests: {verdict.words}.",
            verdict.evidence,
        )
        kind: DecisionKind = "canary_started" if step == 0 else "canary_widened"
        moved = self.rooms.automation.move(rollout, "canary", step=step, kind=kind, words=words)
        self._apply(self._traffic_of(moved), words.text)
        return moved

    def _promote(self, rollout: Rollout, verdict: StageVerdict) -> Rollout:
        reason = f"{verdict.words}; {rollout.trigger}"
        self.rooms.registry.promote(
            _ref(rollout, rollout.candidate), "champion", reason=reason, key=f"{rollout.rollout_id}-promote"
        )
        self._apply(Traffic(rollout.candidate), reason)
        words = Words(
            f"{_ref(rollout, rollout.candidate)} is champion now, in place of "
            f"{_ref(rollout, rollout.champion)}: {verdict.words}.",
            verdict.evidence,
        )
        return self.rooms.automation.move(rollout, "promoted", kind="champion_replaced", words=words)

    def _take_back(self, rollout: Rollout, verdict: StageVerdict) -> Rollout:
        self._apply(Traffic(rollout.champion), verdict.words)
        answered, took = self._exposure(rollout)
        words = Words(
            f"Took {_ref(rollout, rollout.candidate)} back; {_ref(rollout, rollout.champion)} answers "
            f"everything again. It was {verdict.words}. It had answered {answered:,} predictions in "
            f"{took.days} days.",
            {**verdict.evidence, "predictions_answered": answered, "hours": took // timedelta(hours=1)},
        )
        return self.rooms.automation.move(rollout, "rolled_back", kind="candidate_rolled_back", words=words)

    def _exposure(self, rollout: Rollout) -> tuple[int, timedelta]:
        """Return how many predictions the candidate has answered, and for how long."""
        rows = self.live.since(rollout.started_at, self._now())
        answered = rows.filter(pc.equal(rows["version"], rollout.candidate))
        if not answered.num_rows:
            return 0, timedelta(0)
        first: datetime = pc.min(answered["event_time"]).as_py()
        return answered.num_rows, self._now() - first

    # --- shared

    def _traffic_of(self, rollout: Rollout) -> Traffic:
        if rollout.phase == "shadow":
            return Traffic(rollout.champion, shadow=rollout.candidate)
        return Traffic(rollout.champion, rollout.candidate, self.plan.spec.rollout.canary[rollout.step])

    def _apply(self, traffic: Traffic, reason: str) -> None:
        self.traffic.apply(self.plan.endpoint, self.plan.model, traffic, reason=reason)

    def _now(self) -> datetime:
        return self.rooms.automation.clock.now()

    def _version(self, version: int) -> ModelVersion:
        return self.rooms.registry.get(ModelVersionRef(self.plan.model, version))

    def _labelled_until(self) -> datetime:
        return self._now() - self.plan.label_delay

    def _draft(
        self, origin: str, champion: int, trigger: str, fit_before: datetime, gate_until: datetime
    ) -> Rollout:
        return Rollout(
            rollout_id=RolloutId(""),
            endpoint=self.plan.endpoint,
            model=self.plan.model,
            origin="retrain" if origin == "retrain" else "submitted",
            trigger=trigger,
            champion=champion,
            candidate=0,
            gated=0,
            phase="training" if origin == "retrain" else "verifying",
            step=0,
            fit_before=fit_before,
            gate_until=gate_until,
            started_at=_NO_TIME,
            phase_started_at=_NO_TIME,
        )


def _ref(rollout: Rollout, version: int) -> str:
    return f"{rollout.model}@{version}"
