"""One tick of a declared endpoint: windows judged once, and rollouts that go on whatever monitors say."""

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from flight_store import flight_table, register_gated

from paddock.app import App, EndpointLoop, LoopParts, build_endpoint_loop, build_trainer, open_app
from paddock.automation import LiveRows, parse_declaration
from paddock.kernel.clock import SimulatedClock
from paddock.kernel.errors import Unavailable
from paddock.kernel.settings import resolve_settings
from paddock.models import WorkerPool

OPENED_AT = datetime.fromisoformat("2013-04-01T00:00:00+00:00")
HOUR = timedelta(hours=1)
DECLARED = """
[endpoint.delay]
model = "delay@champion"
[monitor.delay]
endpoint = "delay"
window = "1h"
labels = { column = "late", delay = "1d" }
"""


class StillTraffic:
    """Traffic that counts how often it was set."""

    def __init__(self) -> None:
        self.asked = 0

    def apply(self, endpoint: str, model: str, traffic: object, *, reason: str) -> None:
        self.asked += 1


@dataclass(slots=True)
class CountedRows(LiveRows):
    """Live rows that remember which windows were read; `fault` is raised instead while it is set.

    first_hour: how many rows there are now of the first hour.
    """

    windows: tuple[datetime, ...] = ()
    fault: Unavailable | None = None
    first_hour: int = 20

    def since(self, moment: datetime, until: datetime) -> pa.Table:
        times = pa.array([OPENED_AT] * self.first_hour, pa.timestamp("us", "UTC"))
        return pa.table({"event_time": times, "label": pa.nulls(self.first_hour, pa.float64())})

    def between(self, since: datetime, end: datetime, until: datetime) -> pa.Table:
        if self.fault is not None:
            raise self.fault
        self.windows += (since,)
        table = flight_table(1, 20).drop_columns("late")
        return (
            table.append_column("prediction", pa.array([0.5] * 20))
            .append_column("version", pa.array([1] * 20))
            .append_column("label", pa.array([None] * 20, pa.float64()))
            .append_column("event_time", pa.array([since] * 20, pa.timestamp("us", "UTC")))
        )


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(OPENED_AT)


@pytest.fixture
def app(tmp_path: Path, clock: SimulatedClock) -> Iterator[App]:
    settings = resolve_settings({"store": str(tmp_path / "store"), "principal": "ann"}, {}, {})
    with closing(open_app(settings, clock=clock)) as opened:
        opened.registry.promote(register_gated(opened, 1).ref, "champion", reason="first")
        yield opened


@pytest.fixture
def workers(app: App) -> Iterator[WorkerPool]:
    with WorkerPool(app.objects) as pool:
        yield pool


def start(app: App, workers: WorkerPool) -> tuple[EndpointLoop, CountedRows, StillTraffic]:
    """Return what a process that has just started has."""
    declaration, traffic = parse_declaration(DECLARED), StillTraffic()
    app.endpoints.declare("delay", declaration.endpoint["delay"])
    trainer = build_trainer(app, declaration, "delay", lambda _: pytest.fail("no pipeline is declared"))
    parts = LoopParts(trainer, traffic, workers, opened_at=OPENED_AT)
    made = build_endpoint_loop(app, declaration, "delay", parts)
    rows = CountedRows(made.loop.live.folder)
    return EndpointLoop(app, replace(made.loop, live=rows), made.monitors), rows, traffic


def test_second_tick_with_nothing_new_reads_no_rows(app, clock, workers):
    """Windows that were judged are left alone until another ends or labels come due."""
    loop, rows, _ = start(app, workers)
    clock.move_to(OPENED_AT + 3 * HOUR)
    assert loop.tick()
    assert len(rows.windows) == 3

    assert loop.tick()
    assert len(rows.windows) == 3

    clock.move_to(OPENED_AT + 4 * HOUR)
    assert loop.tick()
    assert rows.windows[3:] == (OPENED_AT + 3 * HOUR,)


def test_start_removes_what_a_killed_rehearsal_has_left(app, workers):
    """The folder of a dead process goes when the next loop is built; predictions stay."""
    folder = app.gateway_folder("delay")
    (folder / ".rehearsal-dead" / "packages").mkdir(parents=True)
    (folder / "predictions").mkdir()

    start(app, workers)

    assert [path.name for path in folder.iterdir()] == ["predictions"]


def test_window_is_judged_again_when_its_labels_are_due(app, clock, workers):
    """A day after the first window ended it is judged once more, beside the one that ended now."""
    loop, rows, _ = start(app, workers)
    clock.move_to(OPENED_AT + 24 * HOUR)
    assert loop.tick()
    before = len(rows.windows)

    clock.move_to(OPENED_AT + 25 * HOUR)
    assert loop.tick()

    assert (before, rows.windows[before:]) == (24, (OPENED_AT, OPENED_AT + 24 * HOUR))


def test_next_process_judges_only_what_the_store_has_not_judged(app, clock, workers):
    """After a start what was judged since it came due is not read again; what came due meanwhile is."""
    clock.move_to(OPENED_AT + 24 * HOUR)
    assert start(app, workers)[0].tick()
    loop, rows, _ = start(app, workers)

    assert loop.tick()
    assert rows.windows == ()

    clock.move_to(OPENED_AT + 26 * HOUR)
    loop, rows, _ = start(app, workers)
    assert loop.tick()
    assert rows.windows == (OPENED_AT, *(OPENED_AT + hour * HOUR for hour in (1, 24, 25)))


@pytest.mark.parametrize(("now_there", "is_read"), [(20, False), (21, True)])
def test_window_that_got_rows_later_is_judged_again_the_next_day(app, clock, workers, now_there, is_read):
    """A look at the next day judges a window again whose labels were due, if there is more of it now."""
    loop, rows, _ = start(app, workers)
    clock.move_to(OPENED_AT + 25 * HOUR)
    assert loop.tick()
    before = len(rows.windows)
    rows.first_hour = now_there
    clock.move_to(OPENED_AT + 49 * HOUR)

    assert loop.tick()
    assert (OPENED_AT in rows.windows[before:]) is is_read


def test_interrupted_look_is_taken_up_where_it_broke_off(app, clock, workers):
    """Windows that could not be read are judged by the next tick."""
    loop, rows, _ = start(app, workers)
    clock.move_to(OPENED_AT + 2 * HOUR)
    rows.fault = Unavailable("the log cannot be read")
    assert not loop.tick()
    rows.fault = None

    assert loop.tick()
    assert rows.windows == (OPENED_AT, OPENED_AT + HOUR)


def test_problem_of_a_monitor_is_told_once_and_traffic_goes_on(app, clock, workers, caplog):
    """What monitors cannot do keeps no rollout and no traffic waiting."""
    loop, rows, traffic = start(app, workers)
    clock.move_to(OPENED_AT + HOUR)
    rows.fault = Unavailable("the log cannot be read")

    with caplog.at_level(logging.WARNING):
        assert not loop.tick()
        assert not loop.tick()

    assert traffic.asked == 2
    (record,) = caplog.records
    assert record.getMessage() == "loop.waits"
    assert (record.endpoint, record.reason) == ("delay", "the log cannot be read")
