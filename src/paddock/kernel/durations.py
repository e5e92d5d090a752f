"""Durations as people write them in paddock.toml."""

import re
from datetime import timedelta

from paddock.kernel.errors import InvalidInput
from paddock.kernel.wording import count_of

_DURATION = re.compile(r"([0-9]{1,6})(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_WORDS = (("day", "d"), ("hour", "h"), ("minute", "m"))


def is_duration(text: str) -> bool:
    """Tell whether `parse_duration` reads `text`.

    >>> is_duration("1h"), is_duration("an hour")
    (True, False)
    """
    return _DURATION.fullmatch(text) is not None


def parse_duration(text: str) -> timedelta:
    """Return the time written as a whole number and one of s, m, h, d, w.

    >>> parse_duration("90m")
    datetime.timedelta(seconds=5400)
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InvalidInput(
            f"`{text[:40]}` is not a duration; write a number and s, m, h, d or w, such as `7d`"
        )
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def describe_duration(span: timedelta) -> str:
    """Return a time in whole units for people, in the largest one of which there are two or more.

    >>> describe_duration(timedelta(days=1, hours=6)), describe_duration(timedelta(seconds=61))
    ('30 hours', '61 seconds')
    """
    seconds = span // timedelta(seconds=1)
    for word, unit in _WORDS:
        if seconds >= 2 * _SECONDS[unit]:
            return count_of(seconds // _SECONDS[unit], word)
    return count_of(seconds, "second")
