"""How rows are sorted, and which of them come after a place: the same key after key, on both engines."""

from collections.abc import Sequence
from dataclasses import dataclass

from paddock.metadata import Row
from paddock.tracking.search import Place
from paddock.tracking.search.cursor import HAS_VALUE, IS_MISSING, IS_NAN
from paddock.tracking.sql.search.binding import Parameters


@dataclass(frozen=True, slots=True)
class SortColumn:
    """A key of the order in a statement. value: NULL where there is none, which is_nullable allows.

    rank: 0 for a value, 1 for NaN, NULL for none; empty where NULL can mean one thing only.
    """

    value: str
    is_descending: bool
    is_nullable: bool = True
    rank: str = ""


def select_columns(columns: Sequence[SortColumn]) -> str:
    """Return what a statement selects, so that `read_places` can read it: k0, h0, k1, ..."""
    parts = [f"{column.value} AS k{number}" for number, column in enumerate(columns)]
    parts += [f"{column.rank} AS h{number}" for number, column in enumerate(columns) if column.rank]
    return ", ".join(parts)


def order_columns(columns: Sequence[SortColumn]) -> str:
    """Return the ORDER BY over what `select_columns` selects.

    >>> order_columns([SortColumn("x.value", is_descending=True, rank="x.rank")])
    'h0 NULLS LAST, k0 DESC NULLS LAST'
    """
    parts: list[str] = []
    for number, column in enumerate(columns):
        if column.rank:
            parts.append(f"h{number} NULLS LAST")
        # said only where it is needed: an index of PostgreSQL has NULL first when it is read downwards
        nulls = " NULLS LAST" if column.is_nullable else ""
        parts.append(f"k{number}{' DESC' if column.is_descending else ''}{nulls}")
    return ", ".join(parts)


def read_places(row: Row, columns: Sequence[SortColumn]) -> tuple[Place, ...]:
    """Return where a row stands by each column."""
    return tuple(_read_place(row, number, column) for number, column in enumerate(columns))


def after_places(columns: Sequence[SortColumn], places: Sequence[Place], parameters: Parameters) -> str:
    """Return the condition on k0, h0, ... that a row comes after `places`."""
    condition = "FALSE"
    for number, (column, place) in reversed(list(enumerate(zip(columns, places, strict=True)))):
        beyond = _is_beyond(number, column, place, parameters)
        condition = f"({beyond} OR ({_is_same(number, column, place, parameters)} AND {condition}))"
    return condition


def _read_place(row: Row, number: int, column: SortColumn) -> Place:
    value = row[f"k{number}"]
    assert not isinstance(value, bytes)
    if value is not None:
        return Place(HAS_VALUE, value)
    is_nan = column.rank and row[f"h{number}"] is not None
    return Place(IS_NAN if is_nan else IS_MISSING)


def _is_beyond(number: int, column: SortColumn, place: Place, parameters: Parameters) -> str:
    if place.rank == IS_MISSING:
        return "FALSE"
    missing = f"h{number} IS NULL" if column.rank else f"k{number} IS NULL"
    if place.rank == IS_NAN:
        return missing
    sign = "<" if column.is_descending else ">"
    following = f"k{number} {sign} {parameters.bind(place.value)}"
    nan = f" OR h{number} = 1" if column.rank else ""
    return f"({following}{nan} OR {missing})"


def _is_same(number: int, column: SortColumn, place: Place, parameters: Parameters) -> str:
    if place.rank == HAS_VALUE:
        return f"k{number} = {parameters.bind(place.value)}"
    if place.rank == IS_NAN:
        return f"h{number} = 1"
    return f"h{number} IS NULL" if column.rank else f"k{number} IS NULL"
