"""Time-ordered identifiers: UUIDv7 as 32 lower-case hex digits."""

import os
import threading
import time
from typing import NewType

from paddock.kernel.errors import InvalidInput

RunId = NewType("RunId", str)
EventId = NewType("EventId", str)
PredictionId = NewType("PredictionId", str)
ReportId = NewType("ReportId", str)
RolloutId = NewType("RolloutId", str)

_HEX = frozenset("0123456789abcdef")
_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """Return a new UUIDv7 (RFC 9562) as 32 hex digits.

    Ids of one process rise strictly, also within one millisecond: the 74 bits after the
    timestamp start random and are counted up when the clock has not moved.
    """
    global _last
    random_bits = int.from_bytes(os.urandom(10)) & ((1 << 73) - 1)
    candidate = ((time.time_ns() // 1_000_000) << 74) | random_bits
    with _lock:
        _last = candidate if candidate > _last else _last + 1
        return _format(_last)


def parse_id(text: str) -> str:
    """Return `text` if it is 32 lower-case hex digits, else raise InvalidInput.

    >>> parse_id("0192f0c1aabb7ccc8dddeeeeffff0000")
    '0192f0c1aabb7ccc8dddeeeeffff0000'
    """
    if len(text) == 32 and _HEX.issuperset(text):
        return text
    raise InvalidInput(f"`{text[:64]}` is not an id; an id is 32 lower-case hex digits")


def _format(value: int) -> str:
    milliseconds, tail = value >> 74, value & ((1 << 74) - 1)
    rand_a, rand_b = tail >> 62, tail & ((1 << 62) - 1)
    return f"{(milliseconds << 80) | (0x7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b:032x}"
