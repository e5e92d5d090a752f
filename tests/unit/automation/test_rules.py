"""What the loop does next, as tables."""

import math
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from paddock.automation.records import Rollout
from paddock.automation.rules import (
    MAX_MEAN_SHIFT,
    CanaryEvidence,
    ShadowEvidence,
    TriggerEvidence,
    champion_rows_end,
    check_retrain,
    decide_trigger,
    is_cron_due,
    judge_canary,
    judge_shadow,
    next_canary,
)
from paddock.automation.specs import RetrainSpec
from paddock.evaluation import AucEstimate
from paddock.kernel.ids import RolloutId
from paddock.serving import RolloutSpec

NOW = datetime(2013, 5, 6, 3, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)
NAN = float("nan")
SPEC = RetrainSpec(pipeline="train", when=("quality", "drift", "cron: 0 3 * * 1"), cooldown="6d")
ROLLOUT = RolloutSpec(shadow_rows=100, canary=(0.1, 0.5), hold_rows=100, labelled_rows=60)


def seen(**given):
    """Return evidence on which the schedule would start a retraining."""
    fields = {
        "now": NOW,
        "last_started_at": NOW - 7 * DAY,
        "labelled_until": NOW - 7 * DAY,
        "champion_rows_end": NOW - 40 * DAY,
        "quality_alarms": (),
        "drift_alarms": (),
    }
    return TriggerEvidence(**{**fields, **given})


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param({}, "cron", id="schedule is due"),
        pytest.param({"now": NOW - timedelta(seconds=1)}, None, id="schedule is due in a second"),
        pytest.param({"quality_alarms": ("AUC low",)}, "quality", id="alarm comes before the schedule"),
        pytest.param({"drift_alarms": ("moved",)}, "drift", id="drift comes before the schedule"),
        pytest.param(
            {"quality_alarms": ("AUC low",), "drift_alarms": ("moved",)},
            "quality",
            id="quality comes before drift",
        ),
        pytest.param(
            {"quality_alarms": ("AUC low",), "last_started_at": NOW - 6 * DAY + timedelta(seconds=1)},
            None,
            id="cooldown holds back an alarm",
        ),
        pytest.param(
            {"quality_alarms": ("AUC low",), "last_started_at": NOW - 6 * DAY},
            "quality",
            id="cooldown is over",
        ),
        pytest.param(
            {"quality_alarms": ("AUC low",), "champion_rows_end": NOW - 21 * DAY + timedelta(seconds=1)},
            None,
            id="too few new labels hold back an alarm",
        ),
        pytest.param(
            {"quality_alarms": ("AUC low",), "champion_rows_end": NOW - 21 * DAY},
            "quality",
            id="new labels are enough",
        ),
    ],
)
def test_trigger(given, reason):
    """Nothing starts within the cooldown or without new labels; then quality, drift, schedule count."""
    trigger = decide_trigger(SPEC, seen(**given))

    assert (trigger.reason if trigger else None) == reason


@pytest.mark.parametrize("when", [("drift",), ("cron: 0 0 1 6 *",), ()])
def test_trigger_that_is_not_declared_starts_nothing(when):
    """An alarm or a moment that `when` does not name is passed over."""
    spec = msgspec.structs.replace(SPEC, when=when)

    assert decide_trigger(spec, seen(quality_alarms=("AUC low",))) is None


def test_trigger_words_quote_the_newest_alarm():
    """The words of a trigger are those of the last alarm."""
    trigger = decide_trigger(SPEC, seen(quality_alarms=("first", "second")))

    assert trigger.words == "Quality alarm: second"


@pytest.mark.parametrize(
    ("expression", "since", "now", "due"),
    [
        ("0 3 * * 1", NOW - DAY, NOW, True),
        ("0 3 * * 1", NOW - DAY, NOW - timedelta(microseconds=1), False),
        ("0 3 * * 1", NOW, NOW, False),
        ("0 3 * * 1", NOW, NOW + 7 * DAY, True),
        # 02:30 does not exist on 31 March in Berlin; in UTC every day has one
        ("30 2 * * *", datetime(2013, 3, 31, 2, tzinfo=UTC), datetime(2013, 3, 31, 2, 30, tzinfo=UTC), True),
        # 02:30 comes twice on 27 October in Berlin; in UTC once
        (
            "30 2 * * *",
            datetime(2013, 10, 27, 2, 30, tzinfo=UTC),
            datetime(2013, 10, 27, 3, 30, tzinfo=UTC),
            False,
        ),
        # 29 February
        ("0 0 29 2 *", datetime(2013, 3, 1, tzinfo=UTC), datetime(2016, 2, 28, 23, tzinfo=UTC), False),
        ("0 0 29 2 *", datetime(2013, 3, 1, tzinfo=UTC), datetime(2016, 2, 29, tzinfo=UTC), True),
    ],
)
def test_cron_fires_in_utc(expression, since, now, due):
    """A schedule has fired when a moment of it lies in (since, now], by UTC without summer time."""
    assert is_cron_due(expression, since, now) is due


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"cooldown": "7 days"}, "`cooldown`: `7 days` is not a duration"),
        ({"min_new": "7d", "gate_window": "7d"}, "`min_new` must be longer than `gate_window`"),
        ({"when": ("cron: every day",)}, "`every day` is not a cron expression"),
        ({"when": ("cron",)}, "`` is not a cron expression"),
        ({"when": ("qualitty",)}, "`qualitty` is no reason to retrain"),
    ],
)
def test_retraining_that_cannot_work_is_named(given, fault):
    """Each fault of a declared retraining is told; a sound one has none."""
    assert check_retrain(SPEC) == ()
    assert [words for words in check_retrain(msgspec.structs.replace(SPEC, **given)) if fault in words]


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({"rows": 99, "answered": 99}, "wait"),
        ({}, "pass"),
        ({"answered": 99}, "pass"),
        ({"answered": 98}, "fail"),
        ({"answered": 0, "mean_candidate": NAN, "mean_champion": NAN}, "fail"),
        ({"mean_candidate": 0.299 + MAX_MEAN_SHIFT}, "pass"),
        ({"mean_candidate": 0.301 + MAX_MEAN_SHIFT}, "fail"),
        ({"mean_candidate": 0.299 - MAX_MEAN_SHIFT}, "fail"),
    ],
)
def test_shadow(given, state):
    """A shadow is waited for; then answers that are missing or of another kind end the rollout."""
    fields = {"rows": 100, "answered": 100, "mean_candidate": 0.3, "mean_champion": 0.3}
    verdict = judge_shadow(ROLLOUT, ShadowEvidence(**{**fields, **given}))

    assert verdict.state == state


def test_no_shadow_asked_for_passes_at_once():
    """With `shadow_rows = 0` nothing is waited for, and no figure is made up."""
    verdict = judge_shadow(RolloutSpec(shadow_rows=0), ShadowEvidence(0, 0, NAN, NAN))

    assert (verdict.state, verdict.words) == ("pass", "no shadow answers are asked for")
    assert verdict.evidence["mean_candidate"] is None


def auc(value=0.8, error=0.03, positives=40, negatives=40):
    return AucEstimate(value, error, positives, negatives)


def canary(**given):
    """Return evidence of a first step that has held, with a candidate like the champion, on other rows."""
    fields = {
        "rows": 400,
        "candidate_rows": 200,
        "elapsed": timedelta(hours=2),
        "candidate": auc(),
        "champion": auc(error=0.04, positives=160, negatives=160),
    }
    fields |= given
    apart = math.hypot(fields["candidate"].standard_error, fields["champion"].standard_error)
    return CanaryEvidence(**{"standard_error": apart, **fields})


# the standard error of the difference is hypot(.03, .04) = .05
@pytest.mark.parametrize(
    ("step", "given", "state"),
    [
        pytest.param(0, {}, "pass", id="equal"),
        pytest.param(0, {"candidate": auc(0.95)}, "pass", id="better"),
        pytest.param(0, {"candidate": auc(0.72)}, "pass", id="worse by 1.6 standard errors"),
        pytest.param(0, {"candidate": auc(0.715)}, "fail", id="worse by 1.7: fails at the final look"),
        pytest.param(0, {"candidate": auc(0.66), "rows": 10}, "wait", id="worse by 2.8: an early look waits"),
        pytest.param(0, {"candidate": auc(0.645), "rows": 10}, "fail", id="worse by 3.1: stopped early"),
        pytest.param(
            0, {"candidate": auc(0.72), "standard_error": 0.026}, "fail", id="worse by .08 on shared rows"
        ),
        pytest.param(1, {"candidate": auc(0.645), "rows": 10}, "fail", id="stopped early in a later step"),
        pytest.param(1, {"candidate": auc(0.66)}, "pass", id="later steps only hold"),
        pytest.param(0, {"rows": 99}, "wait", id="too few rows"),
        pytest.param(1, {"rows": 99}, "wait", id="too few rows in a later step"),
        pytest.param(0, {"elapsed": timedelta(minutes=59)}, "wait", id="not long enough"),
        pytest.param(0, {"candidate": auc(positives=20, negatives=39)}, "wait", id="too few labels"),
        pytest.param(0, {"candidate": auc(positives=20, negatives=40)}, "pass", id="just enough labels"),
        pytest.param(
            0,
            {"candidate": auc(0.1, positives=19, negatives=400)},
            "wait",
            id="a class is too small to judge",
        ),
        pytest.param(0, {"candidate": auc(NAN, NAN, 0, 400)}, "wait", id="one class only"),
        pytest.param(0, {"champion": auc(NAN, NAN, 1, 400)}, "wait", id="champion cannot be measured"),
        pytest.param(1, {"candidate": auc(NAN, NAN, 0, 0)}, "pass", id="later steps wait for no labels"),
    ],
)
def test_canary(step, given, state):
    """A canary stops at three standard errors at any look, at 1.645 at the last, and else waits or passes."""
    assert judge_canary(ROLLOUT, step, canary(**given)).state == state


@pytest.mark.parametrize(
    ("step", "rows", "answered", "state", "words"),
    [
        pytest.param(0, 4700, 3, "fail", "answered 3 of about 470 rows of its share", id="first step"),
        pytest.param(1, 940, 3, "fail", "answered 3 of about 470 rows of its share", id="later step"),
        pytest.param(1, 2000, 0, "fail", "answered 0 of about 1,000 rows of its share", id="none of many"),
        pytest.param(1, 400, 99, "fail", "answered 99 of about 200 rows of its share", id="just too few"),
        pytest.param(1, 400, 100, "pass", "held for 400 more rows", id="half of its share"),
        pytest.param(1, 398, 1, "pass", "held for 398 more rows", id="too few expected to tell"),
        pytest.param(2, 400, 99, "fail", "answered 99 of about 200 rows of its share", id="last share stays"),
        pytest.param(
            0, 400, 0, "wait", "no answer of the candidate to about 40 rows of its share", id="none of few"
        ),
        pytest.param(1, 99, 0, "wait", "99 of 100 rows", id="not held yet"),
    ],
)
def test_canary_that_does_not_answer_its_share_is_not_promoted(step, rows, answered, state, words):
    """The champion steps in for a dead candidate: a step without its answers waits or fails, never passes."""
    verdict = judge_canary(ROLLOUT, step, canary(rows=rows, candidate_rows=answered))

    assert (verdict.state, verdict.words) == (state, words)


def test_canary_without_a_share_is_not_asked_for_answers():
    """When no share is declared any more nobody asks the candidate, so nothing is missing."""
    spec = msgspec.structs.replace(ROLLOUT, canary=())

    assert judge_canary(spec, 1, canary(candidate_rows=0)).state == "pass"


def test_canary_without_labels_goes_on_when_none_are_waited_for():
    """With `labelled_rows = 0` a canary whose labels never come does not wait for ever."""
    spec = msgspec.structs.replace(ROLLOUT, labelled_rows=0)
    nothing = canary(candidate=auc(NAN, NAN, 0, 0), champion=auc(NAN, NAN, 0, 0))
    bad = canary(candidate=auc(0.7))

    assert judge_canary(spec, 0, nothing).words == "held for 400 rows, too few labels to measure"
    assert judge_canary(spec, 0, nothing).state == "pass"
    assert judge_canary(spec, 0, bad).state == "fail"


@pytest.mark.parametrize(
    ("step", "given", "words"),
    [
        pytest.param(
            0,
            {"candidate": auc(positives=41, negatives=40)},
            "81 of 150 labelled candidate rows came in 30 days",
            id="labels",
        ),
        pytest.param(
            0,
            {"candidate": auc(NAN, NAN, 3, 400)},
            "3 of 20 candidate rows of the rarer label came in 30 days",
            id="one label only",
        ),
        pytest.param(
            0,
            {"candidate": auc(positives=90, negatives=90), "champion": auc(NAN, NAN, 1, 400)},
            "too few of the champion's labelled rows (401) came in 30 days",
            id="labels of the champion",
        ),
        pytest.param(
            1,
            {"rows": 100, "candidate_rows": 0},
            "no answer of the candidate to about 50 rows of its share came in 30 days",
            id="answers",
        ),
        pytest.param(0, {"rows": 99}, "99 of 100 rows came in 30 days", id="rows"),
        pytest.param(1, {"rows": 99}, "99 of 100 rows came in 30 days", id="rows of a later step"),
    ],
)
def test_canary_that_waits_too_long_is_given_up(step, given, words):
    """After `give_up_after` a step that still waits ends, with what was missing; before it, it waits."""
    spec = msgspec.structs.replace(ROLLOUT, labelled_rows=150)
    late = judge_canary(spec, step, canary(**{**given, "elapsed": 30 * DAY}))
    early = judge_canary(spec, step, canary(**{**given, "elapsed": 30 * DAY - timedelta(microseconds=1)}))

    assert (late.state, late.words) == ("fail", words)
    assert (early.state, early.words) == ("wait", words.removesuffix(" came in 30 days"))


def test_shadow_that_waits_too_long_is_given_up():
    """A shadow nobody sends rows to ends after `give_up_after`."""
    spec = msgspec.structs.replace(ROLLOUT, give_up_after="36h")
    late = judge_shadow(spec, ShadowEvidence(7, 7, 0.3, 0.3, elapsed=timedelta(hours=36)))

    assert (late.state, late.words) == ("fail", "7 of 100 shadow rows came in 36 hours")
    assert judge_shadow(spec, ShadowEvidence(7, 7, 0.3, 0.3, elapsed=timedelta(hours=35))).state == "wait"


def test_what_has_shown_enough_is_not_given_up():
    """A long stage whose rows and labels came is judged by them."""
    assert judge_canary(ROLLOUT, 0, canary(elapsed=90 * DAY)).state == "pass"


def test_canary_evidence_can_be_stored():
    """What could not be measured is stored as null, not as NaN, which JSON does not know."""
    verdict = judge_canary(ROLLOUT, 0, canary(candidate=auc(NAN, NAN, 0, 0)))

    assert verdict.evidence["candidate_auc"] is None
    assert verdict.evidence["standard_error"] is None


def rollout(**given):
    fields = {"phase": "canary", "step": 0, "candidate": 2, "gate_until": NOW}
    return Rollout(
        rollout_id=RolloutId("r"),
        endpoint="delay",
        model="delay",
        origin="retrain",
        trigger="",
        champion=1,
        gated=2,
        fit_before=NOW,
        started_at=NOW,
        phase_started_at=NOW,
        **{**fields, **given},
    )


@pytest.mark.parametrize(
    ("phase", "step", "shares", "following"),
    [
        ("shadow", 0, (0.1, 0.5), 0),
        ("shadow", 0, (), None),
        ("canary", 0, (0.1, 0.5), 1),
        ("canary", 1, (0.1, 0.5), None),
        ("canary", 1, (0.1,), None),
    ],
)
def test_next_canary(phase, step, shares, following):
    """Shadow leads to the first share, each share to the next, the last one to promotion."""
    assert next_canary(rollout(phase=phase, step=step), RolloutSpec(canary=shares)) == following


def test_champion_rows_end_with_its_own_promotion():
    """The rows of a champion end with the gate of the rollout that made it champion, not of another one."""
    rollouts = [
        rollout(phase="refused", candidate=4, gate_until=NOW),
        rollout(phase="promoted", candidate=3, gate_until=NOW - DAY),
        rollout(phase="promoted", candidate=2, gate_until=NOW - 2 * DAY),
    ]
    otherwise = NOW - 9 * DAY

    assert champion_rows_end(rollouts, 3, otherwise) == NOW - DAY
    assert champion_rows_end(rollouts, 2, otherwise) == NOW - 2 * DAY  # after a rollback
    assert champion_rows_end(rollouts, 4, otherwise) == otherwise  # promoted by hand
    assert champion_rows_end([], 1, otherwise) == otherwise
