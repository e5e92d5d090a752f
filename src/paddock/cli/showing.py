"""How results are shown: JSON for programs, aligned text for people."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import click

from paddock.kernel.errors import PaddockError

if TYPE_CHECKING:
    from paddock.wire.structs import Resource

json_option = click.option("--json", "as_json", is_flag=True, help="Show JSON, the same as the API's.")


def show_json(resource: "Resource") -> None:
    """Write a wire struct as indented JSON."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(resource), indent=2))


def show_problem(error: PaddockError) -> None:
    """Write an error as the problem that the API would answer; it belongs to no request."""
    from paddock.wire import describe_problem

    with suppress(BrokenPipeError):  # the reader, such as `head`, is gone
        show_json(describe_problem(error, ""))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Write rows under their columns; columns named with a leading `>` are right-aligned.

    empty: what to say when there is no row: what would be here, and the command that makes it appear.
    """
    if not rows:
        click.echo(empty)
        return
    if sys.stdout.isatty():
        _show_rich(columns, rows)
        return
    names = [column.removeprefix(">") for column in columns]
    widths = [max(map(len, cells)) for cells in zip(names, *rows, strict=True)]
    for row in (names, *rows):
        cells = [
            cell.rjust(width) if column.startswith(">") else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def show_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Write `name  value` lines; empty values are left out."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        if value:
            click.echo(f"{name.ljust(width)}  {value}")


def format_moment(moment: datetime | None) -> str:
    """Return a time to the second, in UTC; empty for None.

    >>> from datetime import UTC
    >>> format_moment(datetime(2013, 4, 1, 5, 30, tzinfo=UTC))
    '2013-04-01 05:30:00Z'
    """
    return moment.strftime("%Y-%m-%d %H:%M:%SZ") if moment else ""


def format_bytes(size: int) -> str:
    """Return a size in the largest unit below it.

    >>> format_bytes(1_536), format_bytes(12)
    ('1.5 KiB', '12 B')
    """
    if size < 1024:
        return f"{size} B"
    value = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"


def _show_rich(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in columns:
        is_right = column.startswith(">")
        table.add_column(column.removeprefix(">"), justify="right" if is_right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: brackets in a name are no markup
    Console().print(table)
