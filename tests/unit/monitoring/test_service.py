"""Windows in a store: judged once, revised by late labels, alarms that stand."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from paddock.datasets import Profile, profile_like, profile_table
from paddock.kernel.clock import SimulatedClock
from paddock.kernel.errors import InvalidInput, InvalidRows, NotFound
from paddock.kernel.wording import count_of
from paddock.monitoring import LabelSpec, Monitoring, MonitorSpec, VersionRows, Window, WindowReport

SPEC = MonitorSpec(endpoint="delay", window="7d", labels=LabelSpec("late", "7d"))
APRIL = datetime(2013, 4, 1, tzinfo=UTC)


def week(number: int) -> Window:
    return Window(APRIL + timedelta(weeks=number), APRIL + timedelta(weeks=number + 1))


def rows(
    *,
    truth: float = 1.0,
    count: int = 1000,
    labelled: float = 1.0,
    version: int = 1,
    seed: int = 1,
    week: int = 0,
) -> pa.Table:
    """Rows of which the share `truth` has the label the prediction tells, the others one by chance."""
    random = np.random.default_rng(seed)
    told = random.random(count) < 0.3
    score = 1 / (1 + np.exp(-random.normal(2 * told - 1)))
    late = np.where(random.random(count) < truth, told, random.random(count) < 0.3)
    hours = random.integers(0, 7 * 24, count)
    start = np.datetime64((APRIL + timedelta(weeks=week)).replace(tzinfo=None), "us")
    return pa.table(
        {
            "prediction": score,
            "label": pa.array(late.astype(float), mask=random.random(count) >= labelled),
            "version": pa.array([version] * count, pa.int64()),
            "event_time": pa.array(start + hours.astype("timedelta64[h]"), pa.timestamp("us", "UTC")),
            "temp": random.normal(size=count),
            "carrier": pa.array(random.choice(["B6", "UA", "EV"], count)),
        }
    )


REFERENCE = profile_table(rows(count=20_000, seed=99).select(["prediction", "temp", "carrier"]))


def evaluate(
    monitoring: Monitoring,
    number: int,
    table: pa.Table,
    spec: MonitorSpec = SPEC,
    reference: Profile = REFERENCE,
) -> WindowReport:
    return monitoring.evaluate(
        "delay-weekly", spec, week(number), table, reference=reference, reference_quality=0.92
    )


def test_a_report_holds_what_was_measured(monitoring: Monitoring):
    """Rows, versions, drift of each feature with its threshold, quality with its interval."""
    report = evaluate(monitoring, 0, rows())

    facts = report.facts
    assert (report.monitor, report.endpoint, report.revision) == ("delay-weekly", "delay", 1)
    assert (facts.rows, facts.versions) == (1000, (VersionRows(1, 1000),))
    assert [drift.name for drift in facts.features] == ["temp", "carrier"]
    assert all(0 < drift.psi < drift.threshold for drift in facts.features)
    assert facts.quality.interval is not None
    assert facts.quality.interval.low < 0.92 < facts.quality.interval.high
    assert (report.state, report.alarms) == ("ok", ())


def test_the_profile_of_a_window_is_kept(monitoring: Monitoring):
    """It is over the bins of the reference, so that charts can lay one over the other."""
    table = rows()

    report = evaluate(monitoring, 0, table)

    assert monitoring.get_profile(report) == profile_like(table, REFERENCE)


def test_the_same_rows_again_change_nothing(monitoring: Monitoring):
    """A window judged twice, as after a crash, has one report and one event."""
    first = evaluate(monitoring, 0, rows())

    again = evaluate(monitoring, 0, rows())

    assert again == first
    assert len(monitoring.metadata.events("default", kind="monitor.window")) == 1


def test_the_order_of_rows_does_not_matter(monitoring: Monitoring):
    """Shuffled rows give the same report, so a log that is read in another order is no revision."""
    table = rows()
    shuffled = table.take(np.random.default_rng(4).permutation(table.num_rows))

    assert evaluate(monitoring, 0, shuffled) == evaluate(monitoring, 0, table)


def test_late_labels_make_a_revision_that_counts(monitoring: Monitoring, clock: SimulatedClock):
    """First there is no quality, then there is; both revisions are kept, the list shows the latest."""
    first = evaluate(monitoring, 0, rows(labelled=0))
    clock.move_to(week(2).start)

    second = evaluate(monitoring, 0, rows(labelled=1))

    assert (first.state, first.revision) == ("no_labels", 1)
    assert (second.state, second.revision) == ("ok", 2)
    assert monitoring.list_windows("delay-weekly") == (second,)
    assert monitoring.list_revisions("delay-weekly", week(0)) == (first, second)


def test_label_coverage_is_of_the_rows_old_enough(monitoring: Monitoring, clock: SimulatedClock):
    """Half-way through the delay only the rows of the first half are expected to have labels."""
    table = rows(labelled=0.8)
    clock.move_to(week(1).start + timedelta(days=3))
    old_enough = sum(at <= APRIL + timedelta(days=3) for at in table["event_time"].to_pylist())

    facts = evaluate(monitoring, 0, table).facts

    assert facts.due_count == old_enough
    assert facts.label_coverage == pytest.approx(0.8, abs=0.06)
    assert facts.label_count > facts.due_label_count


def test_without_event_times_the_end_of_the_window_decides(monitoring: Monitoring, clock: SimulatedClock):
    """No row is expected to have a label until the whole window is old enough."""
    table = rows(labelled=0.8).drop_columns(["event_time"])
    early = evaluate(monitoring, 0, table).facts
    clock.move_to(week(0).end + timedelta(days=7))

    late = evaluate(monitoring, 0, table).facts

    assert (early.due_count, early.label_coverage) == (0, 0.0)
    assert late.label_coverage == pytest.approx(0.8, abs=0.05)


def test_a_model_that_lost_its_signal_raises_an_alarm_in_the_second_week(monitoring: Monitoring):
    """Two windows below the bound alarm; the event says so once, and the alarm stands."""
    reports = [evaluate(monitoring, number, rows(truth=0.3, seed=number)) for number in range(2)]

    assert [report.state for report in reports] == ["ok", "alarm"]
    (event,) = monitoring.metadata.events("default", kind="monitor.alarm")
    assert (event.subject, event.data["alarm"]) == ("monitor:delay-weekly", "quality")
    (standing,) = monitoring.open_alarms()
    assert (standing.kind, standing.model_version, standing.window) == ("quality", 1, week(1))


def test_a_revision_that_alarms_again_tells_the_ledger_once(monitoring: Monitoring):
    """More labels for a window that alarms already are a revision, not another alarm."""
    evaluate(monitoring, 0, rows(truth=0.3))
    evaluate(monitoring, 1, rows(truth=0.3, labelled=0.7))

    report = evaluate(monitoring, 1, rows(truth=0.3, labelled=0.9))

    assert (report.revision, report.state) == (2, "alarm")
    assert len(monitoring.metadata.events("default", kind="monitor.alarm")) == 1


def test_late_labels_of_one_window_raise_the_alarm_of_the_next(monitoring: Monitoring):
    """Its own rows are the same; beside what is now known of the window before, it is a second loss."""
    evaluate(monitoring, 0, rows(truth=0.3, labelled=0))
    before = evaluate(monitoring, 1, rows(truth=0.3, seed=2))
    evaluate(monitoring, 0, rows(truth=0.3))

    after = evaluate(monitoring, 1, rows(truth=0.3, seed=2))
    again = evaluate(monitoring, 1, rows(truth=0.3, seed=2))

    assert (before.state, after.state) == ("ok", "alarm")
    assert (after.revision, after.facts) == (2, before.facts)
    assert again == after
    assert len(monitoring.metadata.events("default", kind="monitor.alarm")) == 1


def test_an_alarm_stands_until_a_window_with_labels_is_good(monitoring: Monitoring):
    """A newer window without labels does not end it; good ones do."""
    for number in range(2):
        evaluate(monitoring, number, rows(truth=0.3, seed=number))
    evaluate(monitoring, 2, rows(labelled=0, seed=2))
    before = monitoring.open_alarms()

    for number in (2, 3):
        evaluate(monitoring, number, rows(seed=number))

    assert [alarm.kind for alarm in before] == ["quality"]
    assert monitoring.open_alarms() == ()


def test_a_new_version_starts_without_the_alarm_of_the_old(monitoring: Monitoring):
    """After a promotion the losses of the old champion are not counted."""
    for number in range(2):
        evaluate(monitoring, number, rows(truth=0.3, seed=number))

    report = evaluate(monitoring, 2, rows(truth=0.3, seed=2, version=2))

    assert (report.facts.main_version, report.state) == (2, "ok")
    assert monitoring.open_alarms() == ()


def test_predictions_that_moved_alarm(monitoring: Monitoring):
    """Two windows with other predictions alarm before any label is there."""
    for number in range(2):
        moved = rows(labelled=0, seed=number)
        scores = pa.array(np.clip(moved["prediction"].to_numpy() + 0.3, 0, 1))
        report = evaluate(monitoring, number, moved.set_column(0, "prediction", scores))

    assert [alarm.kind for alarm in report.alarms] == ["drift"]


def test_a_feature_that_moved_is_reported_and_does_not_alarm(monitoring: Monitoring):
    """Summer comes, a carrier is new, one is gone; the report names them, and all is well."""
    for number in range(3):
        table = rows(seed=number)
        table = table.set_column(4, "temp", pa.array(table["temp"].to_numpy() + 5))
        table = table.set_column(5, "carrier", pa.array(["B6", "ZZ"] * 500))
        report = evaluate(monitoring, number, table)

    temp, carrier = report.facts.features
    assert report.state == "ok"
    assert temp.psi > 3 > temp.threshold
    assert (carrier.new, set(carrier.vanished)) == (("ZZ",), {"UA", "EV"})


@pytest.mark.parametrize("count", [0, 1, 199])
def test_too_few_rows_are_an_answer(monitoring: Monitoring, count: int):
    """A nearly empty window, and an empty one, are stored with the reason."""
    report = evaluate(monitoring, 0, rows(count=count))

    assert report.state == "too_few_rows"
    assert report.words.startswith(f"{count_of(count, 'row')}, too few to judge")
    assert monitoring.list_windows("delay-weekly") == (report,)


def test_missing_predictions_are_drift_and_not_quality(monitoring: Monitoring):
    """Rows without a usable prediction count as missing; the others are measured."""
    table = rows()
    scores = pa.array([None if at % 2 else value.as_py() for at, value in enumerate(table["prediction"])])

    report = evaluate(monitoring, 0, table.set_column(0, "prediction", scores))

    assert report.facts.prediction is not None
    assert report.facts.prediction.missing_ratio == 0.5
    assert report.facts.quality.rows == 500


def test_mixed_versions_are_counted_and_the_larger_is_named_first(monitoring: Monitoring):
    """During a canary the champion remains the main version."""
    table = pa.concat_tables([rows(count=900), rows(count=100, version=2, seed=5)])

    report = evaluate(monitoring, 0, table)

    assert report.facts.versions == (VersionRows(1, 900), VersionRows(2, 100))


def test_rows_that_do_not_fit_are_refused_and_nothing_is_stored(monitoring: Monitoring):
    """A missing column, of the window or of the reference, is named."""
    with pytest.raises(InvalidRows, match="column `version` is missing; column `label` is missing"):
        evaluate(monitoring, 0, rows().drop_columns(["version", "label"]))
    with pytest.raises(InvalidRows, match="column `temp` is missing"):
        evaluate(monitoring, 0, rows().drop_columns(["temp"]))
    with pytest.raises(InvalidInput, match="no column `prediction`"):
        evaluate(monitoring, 0, rows(), reference=profile_table(rows().select(["temp"])))
    with pytest.raises(InvalidInput, match="the reference profile has no rows"):
        evaluate(monitoring, 0, rows(), reference=profile_table(rows(count=0)))

    assert monitoring.list_monitors() == ()


def test_a_window_judged_by_many_at_once_has_one_report(monitoring: Monitoring):
    """Two loops that judge the same window do not make two revisions."""
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: evaluate(monitoring, 0, rows()), range(4)))

    assert {report.revision for report in reports} == {1}
    assert len(monitoring.list_revisions("delay-weekly", week(0))) == 1


def test_lists_show_the_newest_window_first(monitoring: Monitoring):
    """A monitor is listed with its newest window and how many there are, whatever came last."""
    for number in (1, 0, 2):
        evaluate(monitoring, number, rows(seed=number))

    (summary,) = monitoring.list_monitors()
    assert (summary.monitor, summary.window_count, summary.latest.window) == ("delay-weekly", 3, week(2))
    assert [each.window for each in monitoring.list_windows("delay-weekly", limit=2)] == [week(2), week(1)]


def test_an_unknown_monitor_is_not_found(monitoring: Monitoring):
    """No windows is an error for a name that nobody ever fed."""
    with pytest.raises(NotFound, match="monitor `absent` has judged no window yet"):
        monitoring.list_windows("absent")


def test_budget_of_false_alarms_moves_the_limit_of_the_prediction_only(monitoring: Monitoring):
    """Fewer false alarms a month mean a higher limit; features, which never alarm, keep theirs."""
    table, daily = rows(), msgspec.structs.replace(SPEC, window="1d")
    frequent = evaluate(monitoring, 0, table, msgspec.structs.replace(daily, false_alarms_per_month=1.5))
    seldom = evaluate(monitoring, 0, table, msgspec.structs.replace(daily, false_alarms_per_month=0.01))

    assert frequent.facts.prediction is not None
    assert seldom.facts.prediction is not None
    assert frequent.facts.prediction.psi == seldom.facts.prediction.psi
    assert frequent.facts.prediction.threshold < seldom.facts.prediction.threshold
    assert frequent.facts.features == seldom.facts.features


def test_window_within_the_stretches_of_the_reference_has_not_drifted(monitoring):
    """Predictions that move no further than weeks of the reference did raise no drift alarm."""
    shifted = rows(week=1)
    scores = shifted["prediction"].to_numpy() * 0.7
    moved = shifted.set_column(0, "prediction", pa.array(scores))
    stretch = profile_like(moved.slice(0, 500), REFERENCE)
    spec = MonitorSpec(endpoint="delay", window="7d", labels=SPEC.labels, alarm_windows="1 of 1")
    strict = monitoring.evaluate("strict", spec, week(1), moved, reference=REFERENCE, reference_quality=0.5)
    aware = monitoring.evaluate(
        "aware",
        spec,
        week(1),
        moved.slice(500),
        reference=REFERENCE,
        reference_quality=0.5,
        stretches=(stretch, profile_like(moved, REFERENCE)),
    )

    assert [alarm.kind for alarm in strict.alarms] == ["drift"]
    assert aware.facts.prediction is not None
    assert aware.facts.prediction.threshold > strict.facts.prediction.threshold
