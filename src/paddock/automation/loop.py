"""The loop of one endpoint: trigger, train, verify, gate, shadow, canary, then promote or go back.

`tick` does everything that is due and returns. All state is in the store: a process killed anywhere is
followed by one that calls `tick` again. What a phase does before it is left may therefore happen twice,
and is idempotent: training and reports are keyed by the rollout, and see the labels that were there when
it started. A decision is stored first and traffic follows it, at both ends of a tick.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
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
    score_rows,
    slice_table,
)
from paddock.kernel.clock import format_time
from paddock.kernel.digest import digest_bytes
from paddock.kernel.durations import parse_duration
from paddock.kernel.errors import (
    Conflict,
    Forbidden,
    IntegrityError,
    InvalidInput,
    NotFound,
    PromotionRefused,
    WorkerFailed,
)
from paddock.kernel.ids import RolloutId
from paddock.kernel.refs import ModelVersionRef, parse_ref
from paddock.models import WorkerPool, verify_worker
from paddock.monitoring import Monitoring
from paddock.registry import ModelVersion, Registry
from paddock.serving import EndpointSpec

_DEFAULT_GATE_WINDOW = "7d"
# a request that fails for one of these fails again; what is Unavailable is tried again by the next tick
_FAULTS = (InvalidInput, NotFound, Conflict, Forbidden)
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
    workers: WorkerPool


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
        found = self.settle()
        rollout = found or self._start()
        while rollout is not None and rollout.is_open:
            following = self._steps()[rollout.phase](rollout)
            if following is None:
                break
            rollout = following
        if rollout is not found:
            self._set_traffic(rollout)
        return rollout if rollout is not None and rollout.is_open else None

    def settle(self) -> Rollout | None:
        """Let traffic be what the store says; return the rollout in progress, or None.

        A rollout is ended first when its champion is champion no longer: a person has decided otherwise, or
        the process ended right after it had promoted the candidate.
        """
        rollout = self.rooms.automation.find_open(self.plan.endpoint)
        if rollout is not None and self._champion().version != rollout.champion:
            self._end_overtaken(rollout)
            rollout = None
        self._set_traffic(rollout)
        return rollout

    def exam(self) -> tuple[datetime, datetime]:
        """Return where the rows of a gate that was held now would begin and end, in event time.

        The champion has seen none of them; right after its release there may be none.
        """
        until = self._now() - self.plan.label_delay
        window = self.plan.retrain.gate_window if self.plan.retrain else _DEFAULT_GATE_WINDOW
        return min(until, max(until - parse_duration(window), self._champion_rows_end())), until

    def submit(self, candidate: ModelVersionRef, *, reason: str, key: str = "") -> Rollout:
        """Send a registered version through verification, gates, shadow and canary.

        Raises NotFound when there is no such version of the endpoint's model, Conflict while another
        rollout is open, or when the version is champion already.
        """
        self._version_of(candidate)
        fit_before, until = self.exam()
        draft = self._draft("submitted", self._champion().version, reason, fit_before, until)
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
            "shadow": self._watch,
            "canary": self._watch,
        }

    # --- trigger and training

    def _start(self) -> Rollout | None:
        spec = self.plan.retrain
        if spec is None:
            return None
        champion = self._champion().version
        fit_before, until = self.exam()
        trigger = rules.decide_trigger(spec, self._trigger_evidence(champion, until))
        if trigger is None:
            return None
        draft = self._draft("retrain", champion, trigger.words, fit_before, until)
        words = Words(
            f"Retraining {self.plan.model}. {trigger.words}.",
            {"reason": trigger.reason, "fit_before": fit_before.isoformat(), "gate_until": until.isoformat()},
        )
        return self.rooms.automation.open_rollout(draft, "retrain_started", words)

    def _trigger_evidence(self, champion: int, labelled_until: datetime) -> rules.TriggerEvidence:
        rollouts = self.rooms.automation.list_rollouts(self.plan.endpoint)
        starts = [rollout.started_at for rollout in rollouts if rollout.origin == "retrain"]
        last = max(starts, default=self.plan.opened_at)
        alarms = [
            alarm
            for alarm in self.rooms.monitoring.open_alarms()
            if alarm.endpoint == self.plan.endpoint
            and alarm.model_version == champion  # one about its predecessor was answered by replacing that
            and alarm.window.end > last - self.plan.label_delay
        ]
        return rules.TriggerEvidence(
            now=self._now(),
            last_started_at=last,
            labelled_until=labelled_until,
            champion_rows_end=self._champion_rows_end(),
            quality_alarms=[alarm.words for alarm in alarms if alarm.kind == "quality"],
            drift_alarms=[alarm.words for alarm in alarms if alarm.kind == "drift"],
        )

    def _champion_rows_end(self) -> datetime:
        champion = self._champion()
        rollouts = self.rooms.automation.list_rollouts(self.plan.endpoint)
        registered_at = max(self.plan.opened_at, champion.created_at)
        return rules.champion_rows_end(rollouts, champion.version, registered_at)

    def _train(self, rollout: Rollout) -> Rollout:
        try:
            trained = self._fit(rollout, rollout.fit_before, refit_of=0)
        except _FAULTS as error:
            return self._refuse(rollout, f"Training failed: {error.message}")
        return self.rooms.automation.move(rollout, "verifying", candidate=trained, gated=trained)

    def _fit(self, rollout: Rollout, fit_before: datetime, *, refit_of: int) -> int:
        """Return the version that the trainer makes of the labelled rows before `fit_before`."""
        trained = self.trainer.train(
            TrainingRequest(
                model=rollout.model,
                datasets=self.labelled.keep_until(rollout.gate_until, rollout.started_at),
                fit_before=fit_before,
                refit_of=refit_of,
                key=f"{rollout.rollout_id}-{'refit' if refit_of else 'fit'}",
            )
        )
        if trained.name != rollout.model or trained.version in (rollout.champion, refit_of):
            raise InvalidInput(f"it returned `{trained}`, which is no new version of `{rollout.model}`")
        return trained.version

    # --- verification and gate

    def _verify(self, rollout: Rollout) -> Rollout:
        cause = self._replay_golden(self._version(rollout.candidate))
        if not cause:
            return self.rooms.automation.move(rollout, "gating")
        words = (
            f"{_ref(rollout, rollout.candidate)} never got traffic: "
            f"it does not answer its golden requests as recorded ({cause})"
        )
        return self._refuse(rollout, words, {"cause": cause, "predictions_answered": 0})

    def _replay_golden(self, version: ModelVersion) -> str:
        """Return why the version does not answer as recorded, empty when it does. The last replay counts."""
        try:
            report = verify_worker(self.rooms.workers.restart(version.package_digest))
            cause, words = report.cause, f"{report.checked_rows} golden requests replayed"
        except (*_FAULTS, IntegrityError, WorkerFailed) as error:
            cause, words = error.message, "it could not be loaded"
        self.rooms.registry.record_verification(version.ref, passed=not cause, cause=cause, words=words)
        return cause

    def _gate(self, rollout: Rollout) -> Rollout:
        try:
            report = self._judge(rollout)
        except (*_FAULTS, WorkerFailed) as error:
            return self._refuse(rollout, f"The gate could not be held: {error.message}")
        candidate = _ref(rollout, rollout.candidate)
        self.rooms.registry.attach_report(candidate, report.report_id)
        evidence: dict[str, Json] = {
            "report_id": report.report_id,
            "rows": report.rows,
            "passed": report.passed,
        }
        if not report.passed:
            return self._refuse(rollout, report.words, evidence)
        if rollout.origin == "retrain":
            return self.rooms.automation.move(rollout, "refitting")
        return self._enter_shadow(rollout, rollout.candidate, _passed_words(report))

    def _judge(self, rollout: Rollout) -> GateReport:
        rows = labelled(self.live.between(rollout.fit_before, rollout.gate_until, rollout.started_at))
        if not rows.num_rows:
            raise InvalidInput(
                f"{_ref(rollout, rollout.champion)} has seen every labelled row before "
                f"{format_time(rollout.gate_until)}, or there is none"
            )
        features, labels = rows.select(feature_names(rows)), column(rows, "label")
        candidate, champion = self._version(rollout.candidate), self._version(rollout.champion)
        sliced = dict.fromkeys(
            spec.slice for spec in self.plan.gates if spec.slice in features.column_names
        )  # a gate on another column says that it was not sliced
        trial = Trial(
            model=rollout.model,
            candidate_digest=candidate.package_digest,
            labels=labels,
            candidate_scores=self._scores(candidate, features),
            champion_scores=self._scores(champion, features),
            champion_version=champion.version,
            slices=slice_table(features, [SliceSpec(name) for name in sliced]),
            datasets=self.labelled.keep_until(rollout.gate_until, rollout.started_at),
            seed=self.plan.seed,
        )
        seen = digest_bytes(labels.tobytes())[:16]  # a label that was sent late makes another exam
        return self.rooms.evaluation.judge(trial, self.plan.gates, key=f"{rollout.rollout_id}-gate-{seen}")

    def _scores(self, version: ModelVersion, features: pa.Table) -> npt.NDArray[np.float64]:
        return score_rows(self.rooms.workers.get(version.package_digest), features)

    def _refit(self, rollout: Rollout) -> Rollout:
        """Fit the gated recipe on all labelled rows; it is released as its parent was gated."""
        try:
            refit = self._version(self._fit(rollout, rollout.gate_until, refit_of=rollout.gated))
        except _FAULTS as error:
            return self._refuse(rollout, f"Fitting it again on all rows failed: {error.message}")
        parent, cause = self._version(rollout.gated), self._replay_golden(refit)
        parent_report = self.rooms.evaluation.get_report(parent.report_id)
        report = self.rooms.evaluation.judge_refit(
            parent_report,
            refit.package_digest,
            parent_version=parent.version,
            verified=not cause,
            verification_words=f"The golden requests are answered differently: {cause}" if cause else "",
            key=f"{rollout.rollout_id}-refit-gate-{digest_bytes(cause.encode())[:16]}",
        )
        self.rooms.registry.attach_report(refit.ref, report.report_id)
        if not report.passed:
            return self._refuse(rollout, report.words)
        return self._enter_shadow(rollout, refit.version, _passed_words(parent_report))

    def _refuse(self, rollout: Rollout, why: str, evidence: Mapping[str, Json] | None = None) -> Rollout:
        words = Words(f"Kept {_ref(rollout, rollout.champion)}. {why}.", evidence or {})
        return self.rooms.automation.move(rollout, "refused", kind="candidate_refused", words=words)

    # --- shadow and canary

    def _enter_shadow(self, rollout: Rollout, candidate: int, why: str) -> Rollout:
        words = Words(f"{_ref(rollout, candidate)} answers in shadow, unseen. {why}.")
        return self.rooms.automation.move(
            rollout, "shadow", candidate=candidate, kind="shadow_started", words=words
        )

    def _verdict(self, rollout: Rollout, at: datetime) -> StageVerdict:
        """Return what the stage has shown by `at`; the same again at any later time."""
        rows = self.live.since(rollout.phase_started_at, at)
        if rollout.phase == "shadow":
            seen = rows.filter(pc.equal(rows["shadow_version"], rollout.candidate))
            return rules.judge_shadow(self.plan.spec.rollout, shadow_evidence(seen))
        evidence = canary_evidence(rows, rollout, at - rollout.phase_started_at)
        return rules.judge_canary(self.plan.spec.rollout, rollout.step, evidence)

    def _watch(self, rollout: Rollout) -> Rollout | None:
        verdict = self._verdict(rollout, self._now())
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
        return self.rooms.automation.move(rollout, "canary", step=step, kind=kind, words=words)

    def _promote(self, rollout: Rollout, verdict: StageVerdict) -> Rollout:
        try:
            self.rooms.registry.promote(
                _ref(rollout, rollout.candidate),
                "champion",
                reason=f"{verdict.words}; {rollout.trigger}",
                expected_version=rollout.champion,
            )
        except PromotionRefused as error:  # something was found out about it meanwhile
            return self._take_back(rollout, StageVerdict("fail", error.message, verdict.evidence))
        return self._finish(rollout, verdict.words, verdict.evidence)

    def _finish(self, rollout: Rollout, why: str, evidence: Mapping[str, Json]) -> Rollout:
        words = Words(
            f"{_ref(rollout, rollout.candidate)} is champion now, in place of "
            f"{_ref(rollout, rollout.champion)}: {why}.",
            evidence,
        )
        return self.rooms.automation.move(
            rollout, "promoted", step=rollout.step, kind="champion_replaced", words=words
        )

    def _end_overtaken(self, rollout: Rollout) -> Rollout:
        """End a rollout whose champion is champion no longer."""
        change = self.rooms.registry.alias_history(rollout.model)[-1]
        is_live = rollout.phase in ("shadow", "canary")
        if change.to_version == rollout.candidate and is_live:
            verdict = self._verdict(rollout, change.at)
            by_hand = f"{change.principal} made it champion ({change.reason})"
            return self._finish(
                rollout, verdict.words if verdict.state == "pass" else by_hand, verdict.evidence
            )
        name = _ref(rollout, rollout.candidate) if rollout.candidate else "the candidate in training"
        answered, _ = self._exposure(rollout)
        words = Words(
            f"Stopped the rollout of {name}: {_ref(rollout, change.to_version)} became champion meanwhile, "
            f"in place of {_ref(rollout, rollout.champion)} ({change.principal}: {change.reason}).",
            {"champion": change.to_version, "predictions_answered": answered},
        )
        return self.rooms.automation.move(
            rollout,
            "rolled_back" if is_live else "refused",
            step=rollout.step,
            kind="candidate_rolled_back" if is_live else "candidate_refused",
            words=words,
        )

    def _take_back(self, rollout: Rollout, verdict: StageVerdict) -> Rollout:
        answered, took = self._exposure(rollout)
        words = Words(
            f"Took {_ref(rollout, rollout.candidate)} back; {_ref(rollout, rollout.champion)} answers "
            f"everything again. The reason: {verdict.words}. It had answered {answered:,} predictions in "
            f"{took.days} days.",
            {**verdict.evidence, "predictions_answered": answered, "hours": took // timedelta(hours=1)},
        )
        return self.rooms.automation.move(
            rollout, "rolled_back", step=rollout.step, kind="candidate_rolled_back", words=words
        )

    def _exposure(self, rollout: Rollout) -> tuple[int, timedelta]:
        """Return how many predictions the candidate has answered, and for how long."""
        rows = self.live.since(rollout.started_at, self._now())
        answered = rows.filter(pc.equal(rows["version"], rollout.candidate))
        if not answered.num_rows:
            return 0, timedelta(0)
        first: datetime = pc.min(answered["event_time"]).as_py()
        return answered.num_rows, self._now() - first

    # --- shared

    def _set_traffic(self, rollout: Rollout | None) -> None:
        """Let traffic be what the store says; `rollout` is the last one, open or ended."""
        if rollout is not None and rollout.phase in ("shadow", "canary"):
            traffic = self._traffic_of(rollout)
            reason = f"{_ref(rollout, rollout.candidate)} in {rollout.phase}: {rollout.trigger}"
        else:
            champion = self._champion()
            traffic, reason = Traffic(champion.version), f"{champion.ref} is champion"
        self.traffic.apply(self.plan.endpoint, self.plan.model, traffic, reason=reason)

    def _traffic_of(self, rollout: Rollout) -> Traffic:
        if rollout.phase == "shadow":
            return Traffic(rollout.champion, shadow=rollout.candidate)
        shares = self.plan.spec.rollout.canary
        share = shares[min(rollout.step, len(shares) - 1)] if shares else 0.0  # fewer may be declared by now
        return Traffic(rollout.champion, rollout.candidate, share)

    def _now(self) -> datetime:
        return self.rooms.automation.clock.now()

    def _version(self, version: int) -> ModelVersion:
        return self.rooms.registry.get(ModelVersionRef(self.plan.model, version))

    def _version_of(self, ref: ModelVersionRef) -> ModelVersion:
        if ref.name != self.plan.model:
            raise NotFound(f"endpoint `{self.plan.endpoint}` serves `{self.plan.model}`, not `{ref.name}`")
        return self._version(ref.version)

    def _champion(self) -> ModelVersion:
        return self.rooms.registry.get(f"{self.plan.model}@champion")

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


def _passed_words(report: GateReport) -> str:
    """Say that the gates were passed, and what came of the comparison with the champion."""
    compared = (result.words for result in report.results if result.spec is not None and result.spec.versus)
    return ". ".join((report.words, *compared))
