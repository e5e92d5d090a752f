"""Runs in groups: how many have each value of a param, a tag or the status, and how good they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paddock.kernel.digest import digest_bytes
from paddock.kernel.wording import count_of
from paddock.tracking import Grouping, RunGroup, Target, narrow_filter, read_document
from paddock.web.formats import cut
from paddock.web.tables import Cell, Column, Table, number, text
from paddock.web.views.run_columns import STATUS
from paddock.web.views.run_rows import RunTable, lay_out
from paddock.web.views.run_view import MOST_OPEN, RunView, address_of

if TYPE_CHECKING:
    from paddock.app import App
    from paddock.web.views.health import Kind
    from paddock.web.views.run_question import Question

MOST_GROUPS = 100
ROWS_OF_GROUP = 10
MISSING = "none"
# what a filter may have; see the limits of the language
_MOST_FILTER_BYTES = 4_096
_TITLE_LENGTH = 60


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group. anchor: its place on the page; fold: the view with it unfolded, or folded up again.

    alone: the view of its runs, empty when no filter can name the value. kind: of a status, else empty.
    table: some of its runs, None while it is folded.
    """

    anchor: str
    title: str
    whole: str
    kind: Kind | str
    is_missing: bool
    fold: str
    alone: str
    figures: tuple[Cell, ...]
    run_count: int
    table: RunTable | None = None


@dataclass(frozen=True, slots=True)
class GroupList:
    """words: how many there are. has_more: more groups than are shown."""

    words: str
    title: str
    headings: tuple[Column, ...]
    rows: tuple[GroupRow, ...]
    has_more: bool
    table: Table


def group_token(value: str | None) -> str:
    """Return the name of a group in an address; values can be long.

    >>> group_token(None), len(group_token("forest"))
    ('none', 10)
    """
    return MISSING if value is None else digest_bytes(value.encode())[:10]


def show_groups(app: App, question: Question, by: Target, columns: tuple[Target, ...]) -> GroupList:
    """Return the groups, the largest first, and some runs of each that is unfolded, with these columns."""
    view = question.view
    groups = app.searches.group(question.wanted, Grouping(by, view.metric, MOST_GROUPS + 1))
    shown = groups[:MOST_GROUPS]
    rows = []
    for group in shown:
        row = _group_row(question, by, group)
        is_open = row.anchor in view.open and row.alone
        rows.append(replace(row, table=_some_runs(app, question, by, group, columns)) if is_open else row)
    title = by.key if by.kind != "attribute" else "Status"
    has_more = len(groups) > len(shown)
    return GroupList(
        _words(shown, has_more=has_more),
        title,
        _headings(view),
        tuple(rows),
        has_more,
        _as_table(title, view, shown),
    )


def _words(groups: Sequence[RunGroup], *, has_more: bool) -> str:
    """Return how many groups there are, and of how many runs.

    >>> _words([RunGroup("a", 2), RunGroup(None, 1)], has_more=False)
    '3 runs in 2 groups'
    """
    runs = sum(group.run_count for group in groups)
    if has_more:
        return f"{runs:,} runs in the {len(groups):,} largest groups"
    return f"{count_of(runs, 'run')} in {count_of(len(groups), 'group')}"


def _group_row(question: Question, by: Target, group: RunGroup) -> GroupRow:
    view, token = question.view, group_token(group.value)
    narrowed = narrow_filter(question.filter, by, group.value)
    is_named = len(narrowed.encode()) <= _MOST_FILTER_BYTES
    alone = replace(view.first_page, filter=narrowed, group=None, metric="", open=())
    opened = tuple(each for each in view.open if each != token)
    if token not in view.open:
        opened = (*opened, token)[-MOST_OPEN:]
    value = "" if group.value is None else group.value
    title = "no value" if group.value is None else cut(value, _TITLE_LENGTH) or "empty"
    return GroupRow(
        anchor=token,
        title=title,
        whole=value if title != value and value else "",
        kind=STATUS.get(value, "") if by.kind == "attribute" else "",
        is_missing=title != value and not value,
        fold=f"{address_of(replace(view, open=opened))}#g-{token}",
        alone=address_of(alone) if is_named else "",
        figures=_figures(view, group),
        run_count=group.run_count,
    )


def _some_runs(
    app: App, question: Question, by: Target, group: RunGroup, columns: tuple[Target, ...]
) -> RunTable:
    wanted = replace(question.wanted, filter=narrow_filter(question.filter, by, group.value))
    page = app.searches.runs(wanted, limit=ROWS_OF_GROUP)
    runs = [read_document(each) for each in page.documents]
    return lay_out(question.view, columns, runs, (), app.clock.now())


def _headings(view: RunView) -> tuple[Column, ...]:
    counts = (Column("runs", "Runs", numeric=True),)
    if not view.metric:
        return counts
    name = cut(view.metric, 24)
    return (
        *counts,
        Column("mean", f"{name}: mean", numeric=True),
        Column("minimum", "minimum", numeric=True),
        Column("maximum", "maximum", numeric=True),
    )


def _figures(view: RunView, group: RunGroup) -> tuple[Cell, ...]:
    counts = (number(group.run_count),)
    return (
        (*counts, number(group.mean), number(group.minimum), number(group.maximum)) if view.metric else counts
    )


def _as_table(title: str, view: RunView, groups: Sequence[RunGroup]) -> Table:
    """Return the groups as they are downloaded."""
    return Table(
        "groups",
        f"Runs by {title}",
        (Column("value", title), *_headings(view)),
        tuple(
            (Cell() if group.value is None else text(group.value), *_figures(view, group)) for group in groups
        ),
    )
