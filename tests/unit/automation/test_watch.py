"""Windows that rows and labels come to after they were due, over a real log and a real store."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa
import pytest
from loop_shop import DAY, HOUR, OPENED_AT, Shop, labels, scores

from paddock.automation import LiveRows, Watch
from paddock.datasets import profile_table
from paddock.kernel.clock import format_time
from paddock.monitoring import LATE_FOR, LabelSpec, MonitorSpec, Window, WindowReport

SPEC = MonitorSpec(endpoint="delay", labels=LabelSpec("late", "1d"), alarm_windows="1 of 1")
REFERENCE = profile_table(pa.table({"prediction": scores(2000)}))
FIRST = Window(OPENED_AT, OPENED_AT + DAY)
COUNT = 300


@dataclass(slots=True)
class Watched:
    """A monitor that looks as a loop does: what came due since the look before, then what came late."""

    shop: Shop
    looked_at: timedelta = timedelta(0)
    champion: int = 1

    def look(self, at: timedelta) -> tuple[WindowReport, ...]:
        """Look `at` after the opening; return what the late rows and labels gave."""
        since, self.looked_at = self.looked_at, at
        self.shop.clock.move_to(OPENED_AT + at)
        watch = Watch(
            name="delay",
            spec=SPEC,
            opened_at=OPENED_AT,
            reference=REFERENCE,
            reference_quality=0.95,
            monitoring=self.shop.app.monitoring,
            clock=self.shop.clock,
            live=LiveRows(self.shop.log_folder),
        )
        watch.tick(OPENED_AT + since)
        return watch.revise(OPENED_AT + since, self.champion)

    def answer(self, at: timedelta, count: int = COUNT) -> list[str]:
        return self.shop.answer(OPENED_AT + at, [1] * count, scores(count))

    def label(self, ids: list[str], at: timedelta, *, good: bool = True) -> None:
        """Label rows as they were predicted, or the other way round."""
        values = labels(len(ids))
        self.shop.label(ids, values if good else 1 - values, OPENED_AT + at)

    def revisions(self) -> tuple[WindowReport, ...]:
        return self.shop.app.monitoring.list_revisions("delay", FIRST)

    def events(self, kind: str) -> int:
        return len(self.shop.app.metadata.events("default", kind=kind))


@pytest.fixture
def watched(shop: Shop) -> Watched:
    return Watched(shop)


def settle(watched: Watched) -> list[str]:
    """Answer the rows of the first day, judge it when it ends and when its labels are due, without any."""
    ids = watched.answer(HOUR)
    watched.look(DAY)
    watched.look(2 * DAY)
    assert [each.facts.label_count for each in watched.revisions()] == [0, 0]
    return ids


def test_labels_after_the_delay_change_the_report_of_their_window(watched: Watched):
    """At the first look of the next day the window has its quality; the newest report is the one shown."""
    ids = settle(watched)
    watched.label(ids, 2 * DAY + HOUR)

    (late,) = watched.look(3 * DAY)

    assert (late.window, late.state, late.facts.label_count) == (FIRST, "ok", COUNT)
    assert late == watched.revisions()[-1]
    assert late in watched.shop.app.monitoring.list_windows("delay")


def test_rows_after_the_end_change_the_report_of_their_window(watched: Watched):
    """A batch of the first day that is sent on the third is part of the first day."""
    settle(watched)
    watched.answer(2 * HOUR, 50)

    (late,) = watched.look(3 * DAY)

    assert (late.window, late.facts.rows) == (FIRST, COUNT + 50)


def test_look_without_news_writes_nothing(watched: Watched):
    """Neither a report nor an event, on the same day or on later ones, nor by the next process."""
    ids = settle(watched)
    watched.label(ids, 2 * DAY + HOUR)
    watched.look(3 * DAY)
    reports = watched.revisions()

    assert watched.look(3 * DAY + HOUR) == ()
    windows = [watched.look(day * DAY) for day in (4, 5)]
    watched.looked_at = timedelta(0)
    windows.append(watched.look(5 * DAY + HOUR))

    assert windows == [(), (), ()]
    assert watched.revisions() == reports
    told = watched.shop.app.metadata.events("default", kind="monitor.window")
    assert [event.data["revision"] for event in told if event.data["end"] == format_time(FIRST.end)] == [
        1,
        2,
        3,
    ]


def test_look_is_at_the_first_tick_of_a_day(watched: Watched):
    """More labels on the same day wait until the next, so a trickle gives one report a day."""
    ids = settle(watched)
    watched.label(ids[:250], 2 * DAY + HOUR)
    first = watched.look(3 * DAY)
    watched.label(ids[250:], 3 * DAY + HOUR)

    assert watched.look(3 * DAY + 2 * HOUR) == ()
    watched.looked_at = 2 * DAY
    assert watched.look(3 * DAY + 3 * HOUR) == ()
    second = watched.look(4 * DAY)

    assert [each.facts.label_count for each in (*first, *second)] == [250, COUNT]


def test_late_labels_raise_an_alarm_once(watched: Watched):
    """The first late labels tell the loss; more of them are another report and no other alarm."""
    ids = settle(watched)
    watched.label(ids[:250], 2 * DAY + HOUR, good=False)
    assert [each.state for each in watched.look(3 * DAY)] == ["alarm"]
    watched.label(ids[250:], 3 * DAY + HOUR, good=False)

    assert [each.state for each in watched.look(4 * DAY)] == ["alarm"]
    assert watched.events("monitor.alarm") == 1
    assert [alarm.window for alarm in watched.shop.app.monitoring.open_alarms()] == [FIRST]


@pytest.mark.parametrize(
    "change",
    [lambda watched: setattr(watched, "champion", 2), lambda watched: watched.look(2 * DAY + LATE_FOR)],
    ids=["another champion", "more than 30 days"],
)
def test_window_that_can_no_longer_be_measured_keeps_its_report(
    watched: Watched, change: Callable[[Watched], object]
):
    """The release of another version is no measure, and there is an end to lateness."""
    ids = settle(watched)
    change(watched)
    watched.label(ids, watched.looked_at + HOUR)
    before = watched.revisions()

    assert watched.look(watched.looked_at + DAY) == ()
    assert watched.revisions() == before


def test_quiet_look_reads_no_window(watched: Watched, monkeypatch: pytest.MonkeyPatch):
    """Whether a window has grown is told from the rows in memory, without the features in the log."""
    settle(watched)
    read: list[object] = []
    between = LiveRows.between

    def counted(rows: LiveRows, *times: object) -> pa.Table:
        read.append(times[0])
        return between(rows, *times)  # type: ignore[arg-type]

    monkeypatch.setattr(LiveRows, "between", counted)
    watched.look(3 * DAY)

    assert read == [OPENED_AT + DAY, OPENED_AT + 2 * DAY]  # the second and the third day, by their own turn
