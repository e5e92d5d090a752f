"""Event times as they are sent: RFC 3339 texts, within a range that a row or a label can come from."""

from collections.abc import Sequence
from datetime import datetime

from paddock.kernel.clock import to_micros
from paddock.prediction_log import Scalar

_DAY = 86_400_000_000


def parse_time(text: str) -> int:
    """Return microseconds since 1970 of an RFC 3339 time with an offset; ValueError for any other text.

    >>> parse_time("1970-01-01T01:00:01+01:00")
    1000000
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return to_micros(moment)


def parse_times(column: str, texts: Sequence[Scalar], now: int, faults: list[str]) -> list[int]:
    """Return a time in microseconds for each text, `now` for a text that is missing, empty or a fault.

    A time before 1970, or more than a day after `now` (clocks differ), is a fault too: it would lie in no
    window that is ever judged. Faults are added to `faults`, each with column and row.

    >>> faults: list[str] = []
    >>> parse_times("at", ["", "9999-12-31T00:00:00Z"], 5, faults)
    [5, 5]
    >>> faults[0].partition(", but ")[2]
    "row 1 holds '9999-12-31T00:00:00Z'"
    """
    times = []
    for row, text in enumerate(texts):
        time, fault = _read(str(text), now) if text else (now, "")
        times.append(time)
        if fault:
            faults.append(f"column `{column}` must hold {fault}, but row {row} holds {repr(text)[:60]}")
    return times


def _read(text: str, now: int) -> tuple[int, str]:
    """Return the time, or `now` and what the text should have been."""
    try:
        time = parse_time(text)
    except ValueError:
        return now, "RFC 3339 times with an offset"
    if 0 <= time <= now + _DAY:
        return time, ""
    return now, "times from 1970 on and at most a day ahead of the gateway's clock"
