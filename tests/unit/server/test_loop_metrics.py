"""What the loop tells Prometheus: its own ticks, and where each declared endpoint stands in the store."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from loop_shop import draft
from prometheus_client.parser import text_string_to_metric_families

from paddock.app import App, open_app
from paddock.automation import Rollout, parse_declaration
from paddock.automation.records import Words
from paddock.datasets import profile_table
from paddock.kernel.clock import SimulatedClock
from paddock.kernel.errors import Unavailable
from paddock.kernel.settings import resolve_settings
from paddock.monitoring import LabelSpec, MonitorSpec, Window
from paddock.server import LoopMetrics

APRIL = datetime(2013, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FEATURES = [f"feature_{number:02d}" for number in range(12)]
DECLARATION = parse_declaration(
    """
[endpoint.delay]
model = "delay@champion"
[endpoint.price]
model = "price@champion"
[monitor.daily]
endpoint = "delay"
labels = { column = "late", delay = "1d" }
[monitor.price]
window = "1d"
"""
)
Labels = tuple[str, ...]


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(APRIL)


@pytest.fixture
def app(tmp_path: Path, clock: SimulatedClock) -> Iterator[App]:
    settings = resolve_settings({"store": str(tmp_path / "store"), "principal": "ann"}, {}, {})
    with closing(open_app(settings, clock=clock)) as opened:
        yield opened


def read(metrics: LoopMetrics) -> dict[str, dict[Labels, float]]:
    """Return the samples of each name by the values of their labels, in the order of the labels' names."""
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            labels = tuple(sample.labels[name] for name in sorted(sample.labels))
            assert labels not in found.setdefault(sample.name, {})
            found[sample.name][labels] = sample.value
    return found


def rows(seed: int, *, labelled: bool = True, moved: float = 0.0) -> pa.Table:
    """Rows whose labels say the contrary of the prediction; feature n has moved by n times `moved`."""
    random = np.random.default_rng(seed)
    score = random.random(400)
    late = (random.random(400) > score).astype(float)
    features = {name: random.normal(place * moved, 1, 400) for place, name in enumerate(FEATURES)}
    return pa.table(
        {
            "prediction": score,
            "label": pa.array(late) if labelled else pa.nulls(400, pa.float64()),
            "version": pa.array([1] * 400, pa.int64()),
            **features,
        }
    )


REFERENCE = profile_table(rows(99).select(["prediction", *FEATURES]))


def judge(app: App, clock: SimulatedClock, day: int, table: pa.Table, monitor: str = "daily") -> None:
    start = APRIL + day * DAY
    clock.move_to(max(clock.now(), start + DAY))
    app.monitoring.evaluate(
        monitor,
        MonitorSpec("delay", labels=LabelSpec("late", "1d")),
        Window(start, start + DAY),
        table,
        reference=REFERENCE,
        reference_quality=0.9,
    )


def open_rollout(app: App) -> Rollout:
    handed_in = draft(fit_before=APRIL, gate_until=APRIL)
    return app.automation.open_rollout(handed_in, "candidate_submitted", Words("handed in"))


def test_store_with_nothing_in_it_has_zeros_and_no_made_up_values(app: App):
    """Phases and alarms of every declared endpoint are there from the start; quality is not 0 but absent."""
    found = read(LoopMetrics(app, DECLARATION))

    assert found["paddock_loop_ticks_total"] == {(): 0}
    assert found["paddock_loop_problems_total"] == {(): 0}
    assert found["paddock_loop_last_tick_timestamp_seconds"] == {(): 0}
    assert len(found["paddock_rollout_phase"]) == 2 * 9
    assert set(found["paddock_rollout_phase"].values()) == {0}
    assert found["paddock_open_alarms"] == {
        (endpoint, kind): 0 for endpoint in ("delay", "price") for kind in ("quality", "drift")
    }
    absent = {"paddock_model_quality", "paddock_feature_drift_score", "paddock_label_coverage_ratio"}
    assert absent.isdisjoint(found)


def test_ticks_are_counted_and_timed_however_they_end(app: App, clock: SimulatedClock):
    """A look that fails counts like one that goes well, and the time of its end is told."""
    metrics = LoopMetrics(app, DECLARATION)
    with metrics.time_tick():
        metrics.count_problem()
    clock.move_to(APRIL + DAY)

    with pytest.raises(Unavailable), metrics.time_tick():
        raise Unavailable("the store is closed")

    found = read(metrics)
    assert found["paddock_loop_ticks_total"] == {(): 2}
    assert found["paddock_loop_tick_seconds_count"] == {(): 2}
    assert found["paddock_loop_problems_total"] == {(): 1}
    assert found["paddock_loop_last_tick_timestamp_seconds"] == {(): (APRIL + DAY).timestamp()}


def test_rollout_has_one_phase_at_a_time(app: App):
    """The phase of the newest rollout is 1, and moves with it, to its end."""
    metrics = LoopMetrics(app, DECLARATION)

    def phases() -> list[Labels]:
        return [labels for labels, value in read(metrics)["paddock_rollout_phase"].items() if value]

    rollout = open_rollout(app)
    assert phases() == [("delay", "verifying")]
    shadow = app.automation.move(rollout, "shadow")
    assert phases() == [("delay", "shadow")]
    app.automation.move(shadow, "rolled_back")
    assert phases() == [("delay", "rolled_back")]


def test_quality_and_coverage_are_of_the_newest_window_that_has_labels(app: App, clock: SimulatedClock):
    """A newer window whose labels are not due yet hides neither the value nor the alarm that stands."""
    for day in range(3):
        judge(app, clock, day, rows(day))
    judge(app, clock, 1, rows(1))  # when its labels are due
    judge(app, clock, 3, rows(3, labelled=False))
    reports = app.monitoring.list_windows("daily")
    assert [report.facts.quality.value is None for report in reports] == [True, False, False, False]

    found = read(LoopMetrics(app, DECLARATION))

    assert found["paddock_model_quality"] == {
        ("delay", "realised", "roc_auc", "daily"): reports[1].facts.quality.value
    }
    assert found["paddock_label_coverage_ratio"] == {("delay", "daily"): 1.0}
    assert found["paddock_open_alarms"] == {
        ("delay", "quality"): 1,
        ("delay", "drift"): 0,
        ("price", "quality"): 0,
        ("price", "drift"): 0,
    }


def test_drift_is_told_of_the_ten_features_that_moved_most(app: App, clock: SimulatedClock):
    """Twelve features have moved, each more than the one before; the two that moved least are left out."""
    judge(app, clock, 0, rows(1))
    judge(app, clock, 1, rows(2, moved=0.4))

    drift = read(LoopMetrics(app, DECLARATION))["paddock_feature_drift_score"]

    assert {feature for _, feature, _ in drift} == set(FEATURES[2:])
    newest = {each.name: each.psi for each in app.monitoring.list_windows("daily")[0].facts.features}
    assert drift == {("delay", name, "daily"): newest[name] for name in FEATURES[2:]}


def test_what_is_not_declared_is_not_told(app: App, clock: SimulatedClock):
    """Monitors of former declarations stay in the store, but make no series."""
    judge(app, clock, 0, rows(1), monitor="former")

    assert b"former" not in LoopMetrics(app, DECLARATION).render()
