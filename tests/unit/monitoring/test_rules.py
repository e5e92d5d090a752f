"""What is made of a window's facts, with the windows before it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from paddock.evaluation import Interval, Measured
from paddock.kernel.errors import InvalidInput
from paddock.monitoring import LabelSpec, MonitorSpec, VersionRows, Window, decide_window
from paddock.monitoring.records import Decision, FeatureDrift, Findings, WindowFacts
from paddock.monitoring.rules import check_spec, drift_quantile, find

SPEC = MonitorSpec(endpoint="delay", window="7d", labels=LabelSpec("late", "7d"))
START = datetime(2013, 4, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    rows: int = 7000
    labels: int = 6504
    auc: float = 0.651
    low: float = 0.640
    high: float = 0.662
    psi: float = 0.012
    threshold: float = 0.004
    version: int = 1
    feature_psi: float = 7.2

    def facts(self) -> WindowFacts:
        return WindowFacts(
            rows=self.rows,
            versions=(VersionRows(self.version, self.rows),),
            due_count=self.rows,
            due_label_count=self.labels,
            label_count=self.labels,
            prediction=FeatureDrift("prediction", self.psi, self.threshold),
            features=(FeatureDrift("temp", self.feature_psi, 0.004),),
            quality=Measured("roc_auc", self.labels, self.auc, Interval(self.low, self.high, 0.95)),
            reference_quality=0.706,
        )


GOOD = Case(auc=0.729, low=0.718, high=0.740)
BAD = Case()
MOVED = Case(auc=0.729, low=0.718, high=0.740, psi=0.21)


def findings(case: Case, week: int = 0, spec: MonitorSpec = SPEC) -> Findings:
    start = START + timedelta(weeks=week)
    return find(spec, Window(start, start + timedelta(weeks=1)), case.facts())


def decide(case: Case, *earlier: Case, spec: MonitorSpec = SPEC) -> Decision:
    before = [findings(each, -1 - at, spec) for at, each in enumerate(earlier)]
    return decide_window(spec, case.facts(), findings(case, 0, spec), before)


def kinds(decision: Decision) -> list[str]:
    return [alarm.kind for alarm in decision.alarms]


def test_words_say_value_interval_rows_and_distance_from_release():
    """A sentence that a business owner can read, with the figures behind it."""
    assert decide(BAD).words == (
        "AUC 0.651 (0.640 to 0.662) on 6,504 labelled rows; 0.055 below the 0.706 at release; "
        "prediction PSI 0.012, within the limit of 0.100"
    )


def test_one_bad_window_is_no_alarm_and_the_second_is():
    """With `2 of 3`, the second loss within three windows alarms, with a good one between or not."""
    assert decide(BAD, GOOD, GOOD).state == "ok"
    assert kinds(decide(BAD, BAD)) == ["quality"]
    assert kinds(decide(BAD, GOOD, BAD)) == ["quality"]
    assert decide(BAD, GOOD, GOOD, BAD).alarms == ()


def test_an_alarm_says_what_was_allowed_and_how_often_it_was_missed():
    """The words of an alarm hold the bound and the count."""
    (alarm,) = decide(BAD, BAD).alarms

    assert alarm.words == "AUC was surely below 0.686 in 2 of the last 3 windows"


def test_a_loss_that_chance_may_explain_is_no_breach():
    """The upper end of the interval must be below the bound, not the value alone."""
    unsure = Case(auc=0.660, low=0.630, high=0.687)

    assert findings(unsure).quality_breach is False
    assert findings(Case(auc=0.660, low=0.630, high=0.685)).quality_breach is True


def test_features_that_moved_never_alarm():
    """May: the temperature has a PSI of 7.2, and the model is better than at release."""
    may = Case(auc=0.729, low=0.718, high=0.740, feature_psi=7.2)

    assert decide(may, may, may).state == "ok"


def test_predictions_that_moved_alarm_without_any_label():
    """Drift of the prediction is judged while the labels are on their way."""
    early = Case(labels=0, psi=0.21)

    decision = decide(early, early)

    assert (decision.state, kinds(decision)) == ("alarm", ["drift"])
    assert "prediction PSI 0.210, above the limit of 0.100" in decision.words


def test_a_prediction_must_move_more_than_chance_and_more_than_a_tenth():
    """The limit is the larger of 0.1 and what chance alone reaches in so small a window."""
    assert findings(Case(psi=0.09, threshold=0.01)).drift_breach is False
    assert findings(Case(psi=0.15, threshold=0.2)).drift_breach is False
    assert findings(Case(psi=0.25, threshold=0.2)).drift_breach is True


def test_too_few_rows_say_so_and_never_alarm():
    """However bad its figures look, a small window answers no question."""
    small = Case(rows=87, labels=87, psi=5.0)

    decision = decide(small, BAD, BAD)

    assert (decision.state, decision.alarms) == ("too_few_rows", ())
    assert decision.words == "87 rows, too few to judge; at least 200 are needed"


def test_too_few_labels_say_so_and_raise_no_quality_alarm():
    """A window without labels does not repeat the alarm of the windows before it."""
    decision = decide(Case(labels=12), BAD, BAD)

    assert (decision.state, decision.alarms) == ("no_labels", ())
    assert decision.words.startswith("12 labelled rows, too few for AUC; 200 are needed")


def test_labels_of_one_class_are_no_measurement():
    """Enough labels of one kind give no AUC, and the window says why."""
    facts = msgspec.structs.replace(
        BAD.facts(), quality=Measured("roc_auc", 300, reason="all 300 labels are 1")
    )
    alone = find(SPEC, Window(START, START + timedelta(weeks=1)), facts)

    decision = decide_window(SPEC, facts, alone, [findings(BAD, -1), findings(BAD, -2)])

    assert (decision.state, alone.has_quality) == ("no_labels", False)
    assert decision.words.startswith("AUC was not measured: all 300 labels are 1")


def test_a_new_champion_is_not_blamed_for_the_old_one():
    """Losses of windows that another version mostly answered do not count."""
    assert decide(Case(version=2), Case(version=1), Case(version=1)).alarms == ()
    assert kinds(decide(Case(version=2), Case(version=1), Case(version=2))) == ["quality"]


def test_a_monitor_without_labels_is_ok_without_them():
    """Nothing is missing where nothing was promised."""
    spec = MonitorSpec(endpoint="delay")

    assert decide(Case(labels=0), spec=spec).state == "ok"
    assert "label" not in decide(Case(labels=0), spec=spec).words


def test_both_alarms_can_stand_at_once():
    """Quality and drift are two questions."""
    both = Case(psi=0.3)

    assert kinds(decide(both, both)) == ["quality", "drift"]


def test_a_metric_that_should_be_low_is_lost_when_it_rises():
    """For the Brier score the lower end of the interval must be above the bound."""
    spec = msgspec.structs.replace(SPEC, metric="brier", tolerance=0.01)
    facts = msgspec.structs.replace(BAD.facts(), reference_quality=0.15)
    better = msgspec.structs.replace(facts, quality=Measured("brier", 900, 0.1, Interval(0.09, 0.11, 0.95)))
    worse = msgspec.structs.replace(facts, quality=Measured("brier", 900, 0.2, Interval(0.19, 0.21, 0.95)))
    window = Window(START, START + timedelta(weeks=1))

    assert find(spec, window, better).quality_breach is False
    assert find(spec, window, worse).quality_breach is True


@pytest.mark.parametrize(
    ("window", "budget", "passing"),
    [
        ("1h", 1, 1 / 730),
        ("6h", 1, 6 / 730),
        ("1d", 1, 24 / 730),
        ("1d", 0.5, 12 / 730),
        ("7d", 1, 0.05),
        ("7d", 0.1, 0.1 * 7 * 24 / 730),
        ("3mo", 0.01, 0.03),
        ("1mo", 1, 0.05),
        ("1h", 0.001, 0.0001),
    ],
)
def test_budget_of_false_alarms_is_shared_by_the_windows_of_a_month(
    window: str, budget: float, passing: float
):
    """As many windows may pass by chance as alarms are allowed, but no more than 1 in 20."""
    spec = msgspec.structs.replace(SPEC, window=window, false_alarms_per_month=budget)

    assert 1 - drift_quantile(spec) == pytest.approx(passing, rel=1e-9)


def test_no_more_alarms_begin_than_windows_pass_the_limit():
    """Whatever K of N is, each alarm begins with a window that passed, so the budget holds for alarms."""
    random = np.random.default_rng(17)
    passed = random.random(2000) < 0.05
    windows = [findings(MOVED if each else GOOD, week) for week, each in enumerate(passed)]
    began = {}
    for rule in ("1 of 1", "1 of 4", "2 of 3", "3 of 10"):
        spec = msgspec.structs.replace(SPEC, alarm_windows=rule)
        stands = [
            bool(decide_window(spec, GOOD.facts(), each, windows[max(0, at - 10) : at][::-1]).alarms)
            for at, each in enumerate(windows)
        ]
        began[rule] = sum(now and not before for before, now in pairwise([False, *stands]))

    assert all(0 < count <= passed.sum() for count in began.values())
    assert began["2 of 3"] < began["1 of 4"]


@pytest.mark.parametrize("budget", [0.0, -1.0, float("inf"), float("nan")])
def test_budget_of_false_alarms_must_be_a_number_above_0(budget: float):
    """A budget that no limit could keep is refused."""
    with pytest.raises(InvalidInput, match="`false_alarms_per_month` is"):
        check_spec(msgspec.structs.replace(SPEC, false_alarms_per_month=budget))


def test_all_faults_of_a_spec_are_reported_together():
    """One run of the checker names everything that is wrong."""
    spec = MonitorSpec(
        "delay",
        window="1w",
        labels=LabelSpec("late", "1mo"),
        alarm_windows="3 of 2",
        metric="roc_acu",
        min_rows=0,
        false_alarms_per_month=0,
    )

    with pytest.raises(InvalidInput) as caught:
        check_spec(spec)

    assert len(caught.value.problems) == 6
    assert "the nearest is `roc_auc`" in caught.value.message


def test_an_unknown_key_of_a_monitor_is_refused():
    """A typing error in paddock.toml is not silently ignored."""
    with pytest.raises(msgspec.ValidationError, match="windwo"):
        msgspec.convert({"endpoint": "delay", "windwo": "1d"}, MonitorSpec)
