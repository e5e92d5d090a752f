"""Rounds and the schedule of the replay."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.demo.calendar import OPENED_AT, ROUND, Schedule, rounds
from paddock.demo.options import DemoOptions
from paddock.kernel.errors import InvalidInput

MINUTES = st.lists(st.integers(0, 60 * 24 * 20), min_size=1, max_size=60)


def schedule_of(minutes: list[int]) -> Schedule:
    times = [OPENED_AT + timedelta(minutes=minute) for minute in sorted(minutes)]
    return Schedule(pa.table({"event_time": pa.array(times, pa.timestamp("us", "UTC"))}))


@given(MINUTES)
def test_rounds_hold_every_flight_once(minutes):
    """The rounds until the end of the schedule cut it into parts that add up to all of it."""
    schedule = schedule_of(minutes)

    counts = [schedule.between(at, at + ROUND).num_rows for at in rounds(OPENED_AT, schedule.ends_at)]

    assert sum(counts) == len(minutes)
    assert counts[-1] > 0


def test_between_includes_its_start_and_not_its_end():
    """A flight on a border belongs to the later stretch."""
    schedule = schedule_of([0, 60])

    assert schedule.between(OPENED_AT, OPENED_AT + timedelta(hours=1)).num_rows == 1


@pytest.mark.parametrize("text", ["2013-03", "2014-04", "2013-13", "april", "", "2013-4x"])
def test_months_outside_of_the_replay_are_refused(text):
    """Only April to December 2013 can be replayed."""
    with pytest.raises(InvalidInput, match="not a month of the demo"):
        _ = DemoOptions(until=text).last_month


def test_row_by_row_day_comes_once_a_month():
    """One day of each month is sent row by row."""
    from paddock.demo.calendar import is_row_by_row

    days = [datetime(2013, month, day, tzinfo=UTC) for month in range(4, 13) for day in range(1, 29)]

    assert sum(is_row_by_row(day) for day in days) == 9
