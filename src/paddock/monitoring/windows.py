"""Windows of event time: parse their size, find the one of a moment, list those between two."""

import re
from datetime import UTC, datetime, timedelta

from paddock.kernel.clock import EPOCH
from paddock.kernel.errors import InvalidInput
from paddock.monitoring.records import Window, WindowSize, WindowUnit

_SIZE = re.compile(r"([1-9][0-9]{0,3})(h|d|mo)")
_UNITS: dict[str, WindowUnit] = {"h": "hour", "d": "day", "mo": "month"}


def parse_window_size(text: str) -> WindowSize:
    """Return the size written as `6h`, `7d` or, for calendar months, `1mo`.

    >>> parse_window_size("7d")
    WindowSize(count=7, unit='day')
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise InvalidInput(f"`{text[:40]}` is not a window; a window is written `1h`, `7d` or `1mo`")
    return WindowSize(int(match[1]), _UNITS[match[2]])


def window_at(size: WindowSize, moment: datetime, origin: datetime = EPOCH) -> Window:
    """Return the window that holds `moment`.

    origin: a moment at which a window of hours or days begins; months begin on the first day, in UTC,
    and groups of months in the January of the origin's year.

    >>> window_at(WindowSize(1, "month"), datetime(2013, 2, 14, tzinfo=UTC)).end
    datetime.datetime(2013, 3, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    moment = moment.astimezone(UTC)
    if size.unit == "month":
        first = origin.astimezone(UTC).year * 12
        start = first + (moment.year * 12 + moment.month - 1 - first) // size.count * size.count
        return Window(_month(start), _month(start + size.count))
    length = size.count * (timedelta(hours=1) if size.unit == "hour" else timedelta(days=1))
    begin = origin.astimezone(UTC) + (moment - origin) // length * length
    return Window(begin, begin + length)


def windows_between(
    size: WindowSize, since: datetime, until: datetime, origin: datetime = EPOCH
) -> tuple[Window, ...]:
    """Return the windows that hold any moment from `since` up to but not including `until`.

    In order, without gap or overlap; the first may begin before `since` and the last end after
    `until`, so a caller that wants finished windows takes those with `end <= now`.

    >>> len(windows_between(WindowSize(7, "day"), EPOCH, EPOCH + timedelta(days=15)))
    3
    """
    windows: list[Window] = []
    at = since
    while at < until:
        windows.append(window_at(size, at, origin))
        at = windows[-1].end
    return tuple(windows)


def _month(number: int) -> datetime:
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
