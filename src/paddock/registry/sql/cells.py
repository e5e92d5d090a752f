"""What statements are given and what comes back, value by value."""

from collections.abc import Sequence

from paddock.metadata import Row, SqlValue


def whole(row: Row, column: str) -> int:
    value = row[column]
    assert isinstance(value, int), column
    return value


def placeholders(stem: str, values: Sequence[str]) -> tuple[str, dict[str, SqlValue]]:
    """Return the inside of an IN (...) and its parameters.

    >>> placeholders("name", ["delay", "fare"])
    (':name_0, :name_1', {'name_0': 'delay', 'name_1': 'fare'})
    """
    params: dict[str, SqlValue] = {f"{stem}_{number}": value for number, value in enumerate(values)}
    return ", ".join(f":{name}" for name in params) or "NULL", params
