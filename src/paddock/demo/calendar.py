"""When things happen in the replay: rounds of six simulated hours, and days that come row by row."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from paddock.kernel.clock import to_micros

HOUR = timedelta(hours=1)
ROUND = 6 * HOUR
# the first departures of 1 April leave at 5:00 in New York, 9:00 UTC
OPENED_AT = datetime(2013, 4, 1, 3, tzinfo=UTC)
LABEL_DELAY = timedelta(days=7)
ROW_BY_ROW_DAY = 15


class Schedule:
    """The flights to replay, in order of event time, cut by time without copying."""

    def __init__(self, flights: pa.Table) -> None:
        self._flights = flights.combine_chunks()
        self._micros = np.asarray(flights["event_time"].cast(pa.int64()).to_numpy())

    def between(self, start: datetime, end: datetime) -> pa.Table:
        """Return the flights with event times from `start` up to `end`."""
        first, last = np.searchsorted(self._micros, [to_micros(start), to_micros(end)])
        return self._flights.slice(int(first), int(last - first))

    def all_rows(self) -> pa.Table:
        """Return every flight."""
        return self._flights

    @property
    def row_count(self) -> int:
        return int(self._flights.num_rows)

    @property
    def ends_at(self) -> datetime:
        """The end of the round that holds the last flight."""
        last: datetime = pc.max(self._flights["event_time"]).as_py()
        return OPENED_AT + ((last - OPENED_AT) // ROUND + 1) * ROUND


def rounds(start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the beginning of each round from `start` up to `end`.

    >>> len(list(rounds(OPENED_AT, OPENED_AT + timedelta(days=1))))
    4
    """
    at = start
    while at < end:
        yield at
        at += ROUND


def is_row_by_row(moment: datetime) -> bool:
    """Tell whether the flights of this round are sent one by one: one day of each month is."""
    return moment.day == ROW_BY_ROW_DAY
