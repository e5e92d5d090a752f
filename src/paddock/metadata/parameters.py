"""Values for SQL parameters: only those that both engines store alike."""

import math
from collections.abc import Mapping

from paddock.kernel.errors import InvalidInput
from paddock.metadata.records import SqlValue

_LARGEST = 2**63 - 1


def check_params(params: Mapping[str, SqlValue]) -> dict[str, SqlValue]:
    """Return `params` ready for either engine, or raise InvalidInput naming the parameter.

    >>> check_params({"name": "delay", "is_late": True})
    {'name': 'delay', 'is_late': 1}
    """
    return {name: _check(name, value) for name, value in params.items()}


def _check(name: str, value: SqlValue) -> SqlValue:
    if isinstance(value, str):
        fault = _text_fault(value)
    elif isinstance(value, bool):  # PostgreSQL has no boolean in a BIGINT column
        return int(value)
    elif isinstance(value, int):
        fault = "" if -_LARGEST - 1 <= value <= _LARGEST else "does not fit 64 bits"
    elif isinstance(value, float):
        fault = "is NaN; store NULL and say in a column of its own what it means" if math.isnan(value) else ""
    else:
        fault = ""
    if fault:
        raise InvalidInput(f"value of `{name}` {fault}")
    return value


def _text_fault(text: str) -> str:
    if "\0" in text:
        return "holds a NUL character"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "holds a lone surrogate, which is no character"
    return ""
