"""Clocks: aware, exact, and never backwards."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.clock import SimulatedClock, SystemClock, from_micros, to_micros


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_micros_lose_nothing(moment: datetime):
    """A time stored as microseconds is the same time when it is read."""
    assert from_micros(to_micros(moment)) == moment


def test_system_clock_is_aware():
    """The real clock tells UTC."""
    assert SystemClock().now().tzinfo is UTC


def test_simulated_clock_never_goes_back():
    """It moves when told, in UTC, and refuses an earlier time."""
    clock = SimulatedClock(datetime(2013, 4, 1, tzinfo=timezone(timedelta(hours=-4))))

    clock.move_to(datetime(2013, 4, 1, 5, tzinfo=UTC))

    assert clock.now() == datetime(2013, 4, 1, 5, tzinfo=UTC)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.move_to(datetime(2013, 4, 1, 4, tzinfo=UTC))
