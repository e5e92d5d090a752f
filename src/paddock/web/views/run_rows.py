"""Runs laid out as a table: headings that sort, and a row for each run. Runs in, cells out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from paddock.tracking import Run, Target
from paddock.web.formats import cut, path_of
from paddock.web.tables import Cell
from paddock.web.views.run_columns import Band, bands_of, cell_of, column_of, is_numeric, is_sortable
from paddock.web.views.run_view import RunView, address_of

NAME_LENGTH = 36
HEADING_LENGTH = 28
_NAME = Target("attribute", "run_name")
_STARTED = Target("attribute", "start_time")


@dataclass(frozen=True, slots=True)
class Heading:
    """title: as it is shown; whole: where that is cut. href: sorts by it, or empty.

    direction: `ascending` or `descending` where the table is sorted by it.
    """

    title: str
    whole: str
    href: str
    direction: str
    numeric: bool


@dataclass(frozen=True, slots=True)
class RunRow:
    run_id: str
    name: str
    shown_name: str
    href: str
    cells: tuple[Cell, ...]
    is_selected: bool
    is_pinned: bool


@dataclass(frozen=True, slots=True)
class RunTable:
    """bands: kinds of columns side by side; headings: of the cells, `name` being that of the run itself."""

    name: Heading
    bands: tuple[Band, ...]
    headings: tuple[Heading, ...]
    pinned: tuple[RunRow, ...]
    rows: tuple[RunRow, ...]
    columns: tuple[Target, ...] = field(default=())


def lay_out(
    view: RunView,
    columns: tuple[Target, ...],
    runs: Sequence[Run],
    pinned: Sequence[Run],
    now: datetime,
) -> RunTable:
    """Return the table: pinned runs stand on top, and not among the others again."""
    on_top = {run.run_id for run in pinned}
    others = [run for run in runs if run.run_id not in on_top]
    shown = [*pinned, *others]
    return RunTable(
        name=_heading(view, _NAME, is_numeric=False),
        bands=bands_of(columns),
        headings=tuple(_heading(view, target, is_numeric=is_numeric(target, shown)) for target in columns),
        pinned=tuple(_row(view, columns, run, now) for run in pinned),
        rows=tuple(_row(view, columns, run, now) for run in others),
        columns=columns,
    )


def _heading(view: RunView, target: Target, *, is_numeric: bool) -> Heading:
    column = column_of(target)
    title = "Run" if target == _NAME else cut(column.title, HEADING_LENGTH)
    order = view.order
    direction = ""
    if order is None and target == _STARTED:
        direction = "descending"
    elif order is not None and order.target == target:
        direction = "descending" if order.is_descending else "ascending"
    return Heading(
        title=title,
        whole=column.title if title.endswith("…") else "",
        href=address_of(view.sorted_by(target)) if is_sortable(target) else "",
        direction=direction,
        numeric=is_numeric,
    )


def _row(view: RunView, columns: Sequence[Target], run: Run, now: datetime) -> RunRow:
    return RunRow(
        run_id=run.run_id,
        name=run.name,
        shown_name=cut(run.name, NAME_LENGTH) or run.run_id[:8],
        href=path_of("runs", run.run_id),
        cells=tuple(cell_of(target, run, now) for target in columns),
        is_selected=run.run_id in view.selected,
        is_pinned=run.run_id in view.pins,
    )
