"""Windows of event time tile the line."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.errors import InvalidInput
from paddock.monitoring import Window, WindowSize, parse_window_size, window_at, windows_between

SIZES = st.builds(WindowSize, st.integers(1, 40), st.sampled_from(["hour", "day", "month"]))
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))


@given(SIZES, MOMENTS, MOMENTS)
def test_each_moment_is_in_its_window(size: WindowSize, moment: datetime, origin: datetime):
    """The window of a moment holds it, also before the origin."""
    window = window_at(size, moment, origin)

    assert window.start <= moment < window.end


@given(SIZES, MOMENTS, MOMENTS)
def test_windows_meet_without_gap_or_overlap(size: WindowSize, moment: datetime, origin: datetime):
    """The end of a window is the start of the next one; its start belongs to it alone."""
    window = window_at(size, moment, origin)

    assert window_at(size, window.start, origin) == window
    assert window_at(size, window.end, origin).start == window.end
    assert window_at(size, window.start - timedelta(microseconds=1), origin).end == window.start


@given(SIZES, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=20)), MOMENTS)
def test_windows_between_cover_the_whole_time(
    size: WindowSize, since: datetime, length: timedelta, origin: datetime
):
    """The windows of a stretch hold its every moment, once."""
    until = since + length

    windows = windows_between(size, since, until, origin)

    assert bool(windows) is (since < until)
    assert all(a.end == b.start for a, b in pairwise(windows))
    if windows:
        assert windows[0].start <= since < windows[0].end
        assert windows[-1].start < until <= windows[-1].end


@given(st.integers(1, 30), MOMENTS, MOMENTS)
def test_windows_of_days_begin_at_the_origin(days: int, moment: datetime, origin: datetime):
    """The origin is the start of a window, and all are a whole number of windows away from it."""
    size = WindowSize(days, "day")

    assert window_at(size, origin, origin).start == origin
    assert (window_at(size, moment, origin).start - origin) % timedelta(days=days) == timedelta(0)


def test_months_are_calendar_months_in_utc():
    """The months of 2013 are twelve windows, February the shortest."""
    year = windows_between(
        parse_window_size("1mo"), datetime(2013, 1, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC)
    )

    assert len(year) == 12
    assert year[1] == Window(datetime(2013, 2, 1, tzinfo=UTC), datetime(2013, 3, 1, tzinfo=UTC))


def test_a_local_time_falls_into_the_window_of_its_moment():
    """New Year's Eve in New York is the new year in UTC."""
    local = datetime(2013, 12, 31, 22, tzinfo=timezone(timedelta(hours=-5)))

    assert window_at(parse_window_size("1mo"), local).start == datetime(2014, 1, 1, tzinfo=UTC)
    assert window_at(parse_window_size("1d"), local).start == datetime(2014, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5d", "1mo ", "7days", "1m", "99999d"])
def test_a_wrong_window_is_refused(text: str):
    """Only hours, days and months are windows."""
    with pytest.raises(InvalidInput, match="is not a window"):
        parse_window_size(text)
