"""What the loop does next, given what was seen. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from croniter import croniter

from paddock.automation.records import Json, Rollout, StageVerdict, Trigger
from paddock.automation.specs import RetrainSpec
from paddock.evaluation import AucEstimate
from paddock.kernel.durations import describe_duration, parse_duration
from paddock.kernel.errors import InvalidInput
from paddock.serving import RolloutSpec

# Haybittle-Peto: looking again and again is free of false alarms when only three standard errors count
EARLY_STOP_SIGMAS = 3.0
FINAL_SIGMAS = 1.645
MIN_CLASS_ROWS = 20
MAX_MEAN_SHIFT = 0.15
MIN_ANSWERED_RATIO = 0.99
# of 200 expected rows chance alone takes half away once in some 10^13 canaries: that is a broken candidate
MIN_SHARE_ROWS = 200
MIN_SHARE_RATIO = 0.5


@dataclass(frozen=True, slots=True)
class TriggerEvidence:
    """What may start a retraining.

    last_started_at: of the newest retraining, or of the endpoint. labelled_until: every older row has
    had time for its label. champion_rows_end: event time before which the champion's rows lie.
    quality_alarms, drift_alarms: words of the alarms raised since last_started_at.
    """

    now: datetime
    last_started_at: datetime
    labelled_until: datetime
    champion_rows_end: datetime
    quality_alarms: Sequence[str]
    drift_alarms: Sequence[str]


@dataclass(frozen=True, slots=True)
class ShadowEvidence:
    """Answers of a candidate that nobody saw, beside the champion's to the same rows.

    elapsed: since the shadow began.
    """

    rows: int
    answered: int
    mean_candidate: float
    mean_champion: float
    elapsed: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class CanaryEvidence:
    """What both answered, measured on the rows whose labels are there.

    rows, candidate_rows: all since the step began, and those of them that the candidate answered.
    candidate, champion: the first step counts labelled rows of the shadow too, which both have answered.
    standard_error: of the difference; it knows which rows are shared. NaN while one cannot be measured.
    """

    rows: int
    candidate_rows: int
    elapsed: timedelta
    candidate: AucEstimate
    champion: AucEstimate
    standard_error: float

    @property
    def difference(self) -> float:
        """Candidate minus champion; NaN while one of them cannot be measured."""
        return self.candidate.value - self.champion.value

    @property
    def is_measurable(self) -> bool:
        fewest = min(self.candidate.positives, self.candidate.negatives)
        return fewest >= MIN_CLASS_ROWS and math.isfinite(self.standard_error)


def check_retrain(spec: RetrainSpec) -> tuple[str, ...]:
    """Return every fault of a declared retraining; empty when it is sound.

    >>> check_retrain(RetrainSpec(pipeline="train", when=("quality", "cron: 0 25 * * *")))
    ('`0 25 * * *` is not a cron expression',)
    """
    faults: list[str] = []
    times: dict[str, timedelta] = {}
    for name in ("cooldown", "gate_window", "min_new"):
        try:
            times[name] = parse_duration(getattr(spec, name))
        except InvalidInput as error:
            faults.append(f"`{name}`: {error.message}")
    if len(times) == 3 and times["min_new"] <= times["gate_window"]:
        faults.append("`min_new` must be longer than `gate_window`, or there is nothing new to learn from")
    return (*faults, *(fault for when in spec.when for fault in _check_when(when)))


def _check_when(when: str) -> tuple[str, ...]:
    kind, _, expression = when.partition(":")
    if kind == "cron":
        is_sound = croniter.is_valid(expression.strip())
        return () if is_sound else (f"`{expression.strip()[:40]}` is not a cron expression",)
    if when in ("quality", "drift"):
        return ()
    return (f"`{when[:40]}` is no reason to retrain; there are `quality`, `drift` and `cron: EXPRESSION`",)


def decide_trigger(spec: RetrainSpec, seen: TriggerEvidence) -> Trigger | None:
    """Return why to retrain now, or None.

    Alarms come before the calendar. Nothing starts within the cooldown, nor before enough labelled
    time lies behind the champion's own rows.
    """
    if seen.now < seen.last_started_at + parse_duration(spec.cooldown):
        return None
    new = seen.labelled_until - seen.champion_rows_end
    if new < parse_duration(spec.min_new):
        return None
    if "quality" in spec.when and seen.quality_alarms:
        return Trigger("quality", f"Quality alarm: {seen.quality_alarms[-1]}")
    if "drift" in spec.when and seen.drift_alarms:
        return Trigger("drift", f"Drift alarm: {seen.drift_alarms[-1]}")
    for when in spec.when:
        kind, _, expression = when.partition(":")
        if kind == "cron" and is_cron_due(expression.strip(), seen.last_started_at, seen.now):
            return Trigger("cron", f"Schedule `{expression.strip()}`: {describe_duration(new)} of new labels")
    return None


def is_cron_due(expression: str, since: datetime, now: datetime) -> bool:
    """Tell whether `expression` has fired in (since, now], in UTC.

    >>> from datetime import UTC
    >>> is_cron_due("0 3 * * 1", datetime(2013, 4, 2, tzinfo=UTC), datetime(2013, 4, 8, 3, tzinfo=UTC))
    True
    """
    following: datetime = croniter(expression, since).get_next(datetime)
    return following <= now


def champion_rows_end(rollouts: Sequence[Rollout], champion: int, otherwise: datetime) -> datetime:
    """Return the event time before which the rows lie that the champion was fitted or gated on.

    rollouts: newest first. otherwise: for a champion that came by no rollout, when it was registered; it
    saw no later row.
    """
    ends = (one.gate_until for one in rollouts if one.phase == "promoted" and one.candidate == champion)
    return next(ends, otherwise)


def judge_shadow(spec: RolloutSpec, seen: ShadowEvidence) -> StageVerdict:
    """Judge answers that nobody saw: are they complete, and not of another kind than the champion's?

    Quality is not judged here: the labels of these rows are still to come. Rows that do not come are
    waited for until `give_up_after`.
    """
    evidence: dict[str, Json] = {
        "rows": seen.rows,
        "answered": seen.answered,
        "mean_candidate": _rounded(seen.mean_candidate),
        "mean_champion": _rounded(seen.mean_champion),
    }
    if not seen.rows and not spec.shadow_rows:
        return StageVerdict("pass", "no shadow answers are asked for", evidence)
    if seen.rows < spec.shadow_rows:
        return _wait(spec, seen.elapsed, f"{seen.rows:,} of {spec.shadow_rows:,} shadow rows", evidence)
    if seen.answered < MIN_ANSWERED_RATIO * seen.rows:
        lost = seen.rows - seen.answered
        return StageVerdict("fail", f"{lost:,} of {seen.rows:,} shadow answers are missing", evidence)
    means = f"mean {seen.mean_candidate:.3f} beside {seen.mean_champion:.3f}"
    if abs(seen.mean_candidate - seen.mean_champion) > MAX_MEAN_SHIFT:
        return StageVerdict("fail", f"shadow answers are of another kind: {means}", evidence)
    return StageVerdict("pass", f"{seen.answered:,} shadow answers look normal ({means})", evidence)


def judge_canary(spec: RolloutSpec, step: int, seen: CanaryEvidence) -> StageVerdict:
    """Judge a canary step by the labels that have come.

    At every look the candidate is stopped when it is worse by three standard errors. In the first step
    it goes on once `labelled_rows` of the rows it answered have labels and it is not significantly worse
    (5 % one-sided); later steps go on after `hold_rows` rows and `hold_at_least`. With `labelled_rows` 0
    labels are not waited for, but those that are there count. Either step fails when the candidate has
    answered far less than its share of the rows, and waits while it has answered none. A step that still
    waits after `give_up_after` fails.
    """
    evidence: dict[str, Json] = {
        "rows": seen.rows,
        "candidate_rows": seen.candidate_rows,
        "labelled": seen.candidate.rows,
        "candidate_auc": _rounded(seen.candidate.value),
        "champion_auc": _rounded(seen.champion.value),
        "standard_error": _rounded(seen.standard_error),
    }
    worse_by = -seen.difference if seen.is_measurable else 0.0
    if worse_by > EARLY_STOP_SIGMAS * seen.standard_error:
        return StageVerdict("fail", f"worse on live labels: {_canary_words(seen)}", evidence)
    if seen.rows < spec.hold_rows or seen.elapsed < parse_duration(spec.hold_at_least):
        return _wait(spec, seen.elapsed, f"{seen.rows:,} of {spec.hold_rows:,} rows", evidence)
    absent = _judge_share(spec, step, seen, evidence)
    if absent is not None:
        return absent
    if step > 0:
        return StageVerdict("pass", f"held for {seen.rows:,} more rows", evidence)
    if not seen.is_measurable and not spec.labelled_rows:
        return StageVerdict("pass", f"held for {seen.rows:,} rows, too few labels to measure", evidence)
    if not seen.is_measurable or seen.candidate.rows < spec.labelled_rows:
        return _wait(spec, seen.elapsed, _missing_labels(spec, seen), evidence)
    if worse_by > FINAL_SIGMAS * seen.standard_error:
        return StageVerdict("fail", f"worse on live labels: {_canary_words(seen)}", evidence)
    return StageVerdict("pass", f"not worse on live labels: {_canary_words(seen)}", evidence)


def canary_share(spec: RolloutSpec, step: int) -> float:
    """Return the share of the traffic in a canary step; the last one when fewer are declared by now.

    >>> canary_share(RolloutSpec(canary=(0.05, 0.25)), 2), canary_share(RolloutSpec(canary=()), 0)
    (0.25, 0.0)
    """
    return spec.canary[min(step, len(spec.canary) - 1)] if spec.canary else 0.0


def next_canary(rollout: Rollout, spec: RolloutSpec) -> int | None:
    """Return the next canary step, or None when the next move is promotion."""
    following = rollout.step + 1 if rollout.phase == "canary" else 0
    return following if following < len(spec.canary) else None


def _judge_share(
    spec: RolloutSpec, step: int, seen: CanaryEvidence, evidence: Mapping[str, Json]
) -> StageVerdict | None:
    """Return that the candidate does not answer what it is asked, or None when it does.

    A row it has no answer to is answered by the champion, so nobody else complains.
    """
    expected = round(canary_share(spec, step) * seen.rows)
    if expected >= MIN_SHARE_ROWS and seen.candidate_rows < MIN_SHARE_RATIO * expected:
        words = f"answered {seen.candidate_rows:,} of about {expected:,} rows of its share"
        return StageVerdict("fail", words, evidence)
    if spec.canary and not seen.candidate_rows:
        missing = f"no answer of the candidate to about {expected:,} rows of its share"
        return _wait(spec, seen.elapsed, missing, evidence)
    return None


def _wait(spec: RolloutSpec, elapsed: timedelta, missing: str, evidence: Mapping[str, Json]) -> StageVerdict:
    """Return that `missing` is waited for, or that it is no longer."""
    if elapsed < parse_duration(spec.give_up_after):
        return StageVerdict("wait", missing, evidence)
    return StageVerdict("fail", f"{missing} came in {describe_duration(elapsed)}", evidence)


def _missing_labels(spec: RolloutSpec, seen: CanaryEvidence) -> str:
    if seen.candidate.rows < spec.labelled_rows:
        return f"{seen.candidate.rows:,} of {spec.labelled_rows:,} labelled candidate rows"
    fewest = min(seen.candidate.positives, seen.candidate.negatives)
    if fewest < MIN_CLASS_ROWS:
        return f"{fewest} of {MIN_CLASS_ROWS} candidate rows of the rarer label"
    return f"too few of the champion's labelled rows ({seen.champion.rows:,})"


def _canary_words(seen: CanaryEvidence) -> str:
    one, other = seen.candidate, seen.champion
    return (
        f"AUC {one.value:.3f} on {one.rows:,} of its rows, champion {other.value:.3f} on {other.rows:,} "
        f"(standard error of the difference {seen.standard_error:.3f})"
    )


def _rounded(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
