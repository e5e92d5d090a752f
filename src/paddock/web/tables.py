"""A table as a value: shown on a page, and downloaded as CSV or JSON with the same rows."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from markupsafe import Markup

from paddock.kernel.clock import format_time
from paddock.web.formats import (
    NOTHING,
    cut,
    format_duration,
    format_exact,
    format_number,
    format_score,
    format_share,
    format_value,
    format_when,
    short,
)

NO_PICTURE = Markup("")

Value = str | int | float | bool | None

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Cell:
    """value: as it is downloaded; text: as it is shown. title: on hover. badge: kind of a status."""

    value: Value = None
    text: str = NOTHING
    href: str = ""
    title: str = ""
    badge: str = ""
    picture: Markup = NO_PICTURE


@dataclass(frozen=True, slots=True)
class Column:
    """key: its name in a download; title: its heading, with the unit. numeric: aligned to the right.

    prose: sentences of ours, in which literals stand between backticks; wide: may have several lines.
    """

    key: str
    title: str
    numeric: bool = False
    wide: bool = False
    prose: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """empty: what would stand here, and the command that makes it appear.

    files: format -> address under which the same rows are downloaded, set when the page is answered.
    cards: on a narrow screen each row is a card, for rows with sentences that would be scrolled away.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = "Nothing here yet."
    command: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    cards: bool = False

    @property
    def records(self) -> list[dict[str, Value]]:
        """Return the rows by column key."""
        keys = [column.key for column in self.columns]
        return [{key: cell.value for key, cell in zip(keys, row, strict=True)} for row in self.rows]


def text(value: str, *, href: str = "", title: str = "", length: int = 0) -> Cell:
    """Return a text; beyond `length` characters it is cut and whole on hover."""
    shown = cut(value, length) if length else value
    return Cell(value, shown or NOTHING, href, title or (value if shown != value else ""))


def number(value: float | None) -> Cell:
    """Return a count or a measured value."""
    return Cell(plain_number(value), format_number(value))


def data_value(value: float | None) -> Cell:
    """Return a value as it occurs in a user's data."""
    return Cell(plain_number(value), format_value(value))


def score(value: float | None, *, title: str = "") -> Cell:
    """Return a metric with three decimals."""
    return Cell(plain_number(value), format_score(value), title=title)


def share(value: float | None) -> Cell:
    """Return a share of one as a percentage."""
    return Cell(value, NOTHING if value is None else format_share(value))


def moment(value: datetime | None, now: datetime, *, href: str = "") -> Cell:
    """Return a time: how long ago, and on hover exactly."""
    if value is None:
        return Cell()
    return Cell(format_time(value), format_when(value, now), href, format_exact(value))


def duration(value: timedelta | None) -> Cell:
    """Return a length of time, in a download in seconds."""
    return Cell() if value is None else Cell(value.total_seconds(), format_duration(value))


def identity(value: str, *, href: str = "") -> Cell:
    """Return an id or a digest, shortened, with all of it on hover."""
    return Cell(value, short(value), href, value) if value else Cell("")


def status(kind: str, words: str, *, value: str = "", href: str = "") -> Cell:
    """Return a status. kind: good, watch, bad or unknown."""
    return Cell(value or words, words, href, badge=kind)


def plain_number(value: float | None) -> Value:
    """Return a measured value as it is downloaded: JSON has no NaN and no infinity, there they are words.

    >>> plain_number(0.5), plain_number(float("nan"))
    (0.5, 'NaN')
    """
    if value is None or value - value == 0:
        return value
    return format_number(value)


def picture(drawn: Markup, *, value: Value = None) -> Cell:
    return Cell(value, "", picture=drawn)


def write_csv(table: Table) -> bytes:
    """Return the table as CSV in UTF-8; a text that a spreadsheet would take for a formula gets a `'`.

    >>> write_csv(Table("t", "T", (Column("a", "A"),), ((text("=1+1"),), (number(-2.0),))))
    b"a\\r\\n'=1+1\\r\\n-2.0\\r\\n"
    """
    head = [column.key for column in table.columns]
    return write_csv_lines([head, *([cell.value for cell in row] for row in table.rows)])


def write_csv_lines(lines: Iterable[Sequence[Value]]) -> bytes:
    """Return lines of CSV, each text in them as `write_csv` has it."""
    out = io.StringIO()
    csv.writer(out).writerows([_harmless(value) for value in line] for line in lines)
    return out.getvalue().encode()


def write_json(table: Table) -> bytes:
    """Return the rows as a JSON list of objects."""
    return msgspec.json.format(msgspec.json.encode(table.records), indent=1)


def _harmless(value: Value) -> Value:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
