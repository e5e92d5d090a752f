"""The loop of one endpoint: trigger, train, verify, gate, shadow, canary, then promote or go back.

`tick` does everything that is due and returns. All state is in the store: a process killed anywhere is
followed by one that calls `tick` again. What a phase does before it is left may therefore happen twice,
and is idempotent: training and reports are keyed by the rollout, and see the labels that were there when
it started. A decision is stored first and traffic follows it, at both ends of a tick.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from paddock.automation import rules
from paddock.automation.gating import Gate
from paddock.automation.labelled import LabelledRows
from paddock.automation.live import LiveRows
from paddock.automation.plan import LoopPlan, Rooms
from paddock.automation.ports import Traffic, TrafficControl, Trainer, TrainingRequest
from paddock.automation.records import DecisionKind, Exposure, Json, Phase, Rollout, StageVerdict, Words
from paddock.automation.seen import evidence_since, judge_stage, measure_exposure
from paddock.automation.words import (
    describe_report,
    name_version,
    say_canary,
    say_overtaken,
    say_promoted,
    say_refused,
    say_retraining,
    say_shadow,
    say_submitted,
    say_taken_back,
    say_unfaithful,
)
from paddock.kernel.digest import digest_bytes
from paddock.kernel.durations import parse_duration
from paddock.kernel.errors import (
    Conflict,
    Forbidden,
    IntegrityError,
    InvalidInput,
    NotFound,
    PromotionRefused,
    VerificationFailed,
    WorkerFailed,
)
from paddock.kernel.ids import RolloutId
from paddock.kernel.refs import ModelVersionRef
from paddock.models import verify_worker
from paddock.registry import ModelVersion, check_refittable

_DEFAULT_GATE_WINDOW = "7d"
# a request that fails for one of these fails again; what is Unavailable is tried again by the next tick
_FAULTS = (InvalidInput, NotFound, Conflict, Forbidden)
_NO_TIME = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


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
            rollout = self._set_traffic(rollout)
        return rollout if rollout is not None and rollout.is_open else None

    def settle(self) -> Rollout | None:
        """Let traffic be what the store says; return the rollout in progress, or None.

        A rollout is ended first when its champion is champion no longer: a person has decided otherwise, or
        the process ended right after it had promoted the candidate. One whose candidate the gateway refuses
        is taken back.
        """
        rollout = self.rooms.automation.find_open(self.plan.endpoint)
        if rollout is not None and self._champion().version != rollout.champion:
            self._end_overtaken(rollout)
            rollout = None
        rollout = self._set_traffic(rollout)
        return rollout if rollout is not None and rollout.is_open else None

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
        return self.rooms.automation.open_rollout(
            msgspec.structs.replace(draft, candidate=candidate.version, gated=candidate.version),
            "candidate_submitted",
            say_submitted(candidate, reason),
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
        if trigger is None or not self._has_rows(fit_before, until):
            return None
        draft = self._draft("retrain", champion, trigger.words, fit_before, until)
        return self.rooms.automation.open_rollout(draft, "retrain_started", say_retraining(draft, trigger))

    def _has_rows(self, fit_before: datetime, until: datetime) -> bool:
        """Tell whether a retraining has labelled rows to be judged on, and others to learn from.

        Asked only when there is a reason to retrain: without rows it would end at once, and its cooldown
        would hold back the one that follows the labels.
        """
        now, opened_at = self._now(), self.plan.opened_at
        return bool(
            self.live.count_labelled(fit_before, until, now)
            and self.live.count_labelled(opened_at, fit_before, now)
        )

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

    def _train(self, rollout: Rollout) -> Rollout | None:
        try:
            trained = self._fit(rollout, rollout.fit_before, refit_of=0)
        except _FAULTS as error:
            return self._refuse(rollout, f"Training failed: {error.message}")
        if trained is None:
            return None
        # a gate takes its time, and a candidate that passes it is fitted again: told now, not after it
        repeatable = check_refittable(self._version(trained))
        if not repeatable.allowed:
            why = f"Training ended before its gate: {repeatable.reason}"
            line = f"; write `{repeatable.hint}`" if repeatable.hint else ""
            return self._refuse(rollout, f"{why}{line}", {"candidate": trained})
        return self.rooms.automation.move(rollout, "verifying", candidate=trained, gated=trained)

    def _fit(self, rollout: Rollout, fit_before: datetime, *, refit_of: int) -> int | None:
        """Return the version that the trainer makes of the labelled rows before `fit_before`.

        None while it is still at it.
        """
        trained = self.trainer.train(
            TrainingRequest(
                model=rollout.model,
                datasets=self.labelled.keep_until(rollout.gate_until, rollout.started_at),
                fit_before=fit_before,
                refit_of=refit_of,
                key=f"{rollout.rollout_id}-{'refit' if refit_of else 'fit'}",
            )
        )
        if trained is None:
            return None
        if trained.name != rollout.model or trained.version in (rollout.champion, refit_of):
            raise InvalidInput(f"it returned `{trained}`, which is no new version of `{rollout.model}`")
        return self._version(trained.version).version  # one that is not there ends the rollout here

    # --- verification and gate

    def _verify(self, rollout: Rollout) -> Rollout:
        cause = self._replay_golden(self._version(rollout.candidate))
        if not cause:
            return self.rooms.automation.move(rollout, "gating")
        words = say_unfaithful(rollout, cause)
        return self.rooms.automation.move(rollout, "refused", kind="candidate_refused", words=words)

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
            report = Gate(self.plan, self.rooms, self.live, self.labelled).hold(rollout)
        except (*_FAULTS, WorkerFailed) as error:
            return self._refuse(rollout, f"The gate could not be held: {error.message}")
        candidate = name_version(rollout, rollout.candidate)
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
        return self._enter_shadow(rollout, rollout.candidate, describe_report(report))

    def _refit(self, rollout: Rollout) -> Rollout | None:
        """Fit the gated recipe on all labelled rows; it is released as its parent was gated."""
        try:
            fitted = self._fit(rollout, rollout.gate_until, refit_of=rollout.gated)
        except _FAULTS as error:
            return self._refuse(rollout, f"Fitting it again on all rows failed: {error.message}")
        if fitted is None:
            return None
        refit = self._version(fitted)
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
        return self._enter_shadow(rollout, refit.version, describe_report(parent_report))

    def _refuse(self, rollout: Rollout, why: str, evidence: Mapping[str, Json] | None = None) -> Rollout:
        words = say_refused(rollout, why, evidence or {})
        return self.rooms.automation.move(rollout, "refused", kind="candidate_refused", words=words)

    # --- shadow and canary

    def _enter_shadow(self, rollout: Rollout, candidate: int, why: str) -> Rollout:
        words = say_shadow(rollout, candidate, why)
        return self.rooms.automation.move(
            rollout, "shadow", candidate=candidate, kind="shadow_started", words=words
        )

    def _verdict(self, rollout: Rollout, at: datetime) -> StageVerdict:
        """Return what the stage has shown by `at`; the same again at any later time."""
        rows = self.live.since(evidence_since(rollout), at)
        return judge_stage(self.plan.spec.rollout, rollout, rows, at)

    def _watch(self, rollout: Rollout) -> Rollout | None:
        verdict = self._verdict(rollout, self._now())
        if verdict.state == "wait":
            return None
        if verdict.state == "fail":
            return self._take_back(rollout, verdict)
        step = rules.next_canary(rollout, self.plan.spec.rollout)
        return self._promote(rollout, verdict) if step is None else self._widen(rollout, step, verdict)

    def _widen(self, rollout: Rollout, step: int, verdict: StageVerdict) -> Rollout:
        words = say_canary(rollout, self.plan.spec.rollout.canary[step], verdict)
        kind: DecisionKind = "canary_started" if step == 0 else "canary_widened"
        return self.rooms.automation.move(rollout, "canary", step=step, kind=kind, words=words)

    def _promote(self, rollout: Rollout, verdict: StageVerdict) -> Rollout:
        try:
            self.rooms.registry.promote(
                name_version(rollout, rollout.candidate),
                "champion",
                reason=f"{verdict.words}; {rollout.trigger}",
                expected_version=rollout.champion,
            )
        except PromotionRefused as error:  # something was found out about it meanwhile
            return self._take_back(rollout, StageVerdict("fail", error.message, verdict.evidence))
        try:
            return self._finish(rollout, verdict.words, verdict.evidence)
        except Conflict:
            self._undo_promotion(rollout)
            raise

    def _undo_promotion(self, rollout: Rollout) -> None:
        """Whoever withdrew the candidate while it was being promoted has the last word."""
        newest = self.rooms.automation.list_rollouts(self.plan.endpoint, limit=1)[0]
        if newest.rollout_id == rollout.rollout_id and newest.phase == "rolled_back":
            reason = f"{name_version(rollout, rollout.candidate)} was withdrawn while it was being promoted"
            self.rooms.registry.rollback(rollout.model, reason=reason, expected_version=rollout.candidate)

    def _finish(self, rollout: Rollout, why: str, evidence: Mapping[str, Json]) -> Rollout:
        words = say_promoted(rollout, why, evidence)
        return self.rooms.automation.move(
            rollout, "promoted", step=rollout.step, kind="champion_replaced", words=words
        )

    def _end_overtaken(self, rollout: Rollout) -> Rollout:
        """End a rollout whose champion is champion no longer."""
        change = self.rooms.registry.alias_history(rollout.model)[-1]
        if change.to_version == rollout.candidate and rollout.is_live:
            verdict = self._verdict(rollout, change.at)
            by_hand = f"{change.principal} made it champion ({change.reason})"
            return self._finish(
                rollout, verdict.words if verdict.state == "pass" else by_hand, verdict.evidence
            )
        return self._end(rollout, say_overtaken(rollout, change, self._exposure(rollout)))

    def _take_back(self, rollout: Rollout, verdict: StageVerdict) -> Rollout:
        return self._end(rollout, say_taken_back(rollout, verdict, self._exposure(rollout)))

    def _end(self, rollout: Rollout, words: Words) -> Rollout:
        """End a rollout that came to nothing: rolled back when its candidate had traffic, else refused."""
        return self.rooms.automation.move(
            rollout,
            "rolled_back" if rollout.is_live else "refused",
            step=rollout.step,
            kind="candidate_rolled_back" if rollout.is_live else "candidate_refused",
            words=words,
        )

    def _exposure(self, rollout: Rollout) -> Exposure:
        now = self._now()
        return measure_exposure(self.live.since(rollout.started_at, now), rollout.candidate, now)

    # --- shared

    def _set_traffic(self, rollout: Rollout | None) -> Rollout | None:
        """Let traffic be what the store says; `rollout` is the last one, open or ended.

        Return it, taken back when the gateway has refused its candidate.
        """
        if rollout is None or not rollout.is_live:
            self._serve_champion()
            return rollout
        reason = f"{name_version(rollout, rollout.candidate)} in {rollout.phase}: {rollout.trigger}"
        try:
            self.traffic.apply(self.plan.endpoint, self.plan.model, self._traffic_of(rollout), reason=reason)
        except VerificationFailed as error:
            why = f"the gateway refused it: {error.message}"
            ended = self._take_back(rollout, StageVerdict("fail", why, {"cause": error.message}))
            self._serve_champion()
            return ended
        return rollout

    def _serve_champion(self) -> None:
        champion = self._champion()
        self.traffic.apply(
            self.plan.endpoint,
            self.plan.model,
            Traffic(champion.version),
            reason=f"{champion.ref} is champion",
        )

    def _traffic_of(self, rollout: Rollout) -> Traffic:
        if rollout.phase == "shadow":
            return Traffic(rollout.champion, shadow=rollout.candidate)
        share = rules.canary_share(self.plan.spec.rollout, rollout.step)
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
        return self.rooms.registry.get_packaged(f"{self.plan.model}@champion")

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
