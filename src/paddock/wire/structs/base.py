"""What all wire structs share.

Requests refuse a field they do not know, so a client cannot set what the server owns. Resources
(answers) let an older client read the answer of a newer server.
"""

import math
from datetime import datetime
from typing import Annotated, Literal

import msgspec

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Version = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]
ShortText = Annotated[str, msgspec.Meta(max_length=256)]
LongText = Annotated[str, msgspec.Meta(max_length=65_536)]
# JSON has no NaN and no infinity; on the wire they are these strings.
Number = float | Literal["NaN", "Infinity", "-Infinity"]


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request."""


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an answer."""


def write_number(value: float) -> Number:
    """Return `value` as it stands on the wire.

    >>> write_number(0.5), write_number(math.nan), write_number(-math.inf)
    (0.5, 'NaN', '-Infinity')
    """
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def read_number(value: Number) -> float:
    """Return the float that `write_number` wrote.

    >>> read_number("Infinity")
    inf
    """
    return float(value)
