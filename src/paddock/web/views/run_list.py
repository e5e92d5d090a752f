"""`/runs`: which run is best. A table that is filtered, sorted, grouped and shared by its address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from paddock.kernel.errors import InvalidInput
from paddock.kernel.wording import count_of
from paddock.tracking import FilterFault, Run, Target, read_document
from paddock.web.page import Crumb, Page, tables_of
from paddock.web.views.run_columns import choose_columns
from paddock.web.views.run_files import stream_runs
from paddock.web.views.run_form import make_form
from paddock.web.views.run_groups import GroupList, show_groups
from paddock.web.views.run_question import Question, ask_store
from paddock.web.views.run_rows import RunTable, lay_out
from paddock.web.views.run_view import MOST_SELECTED, RunView, address_of, format_view, parse_view

if TYPE_CHECKING:
    from paddock.app import App
    from paddock.wire import AnyAnswer, Call

MOST_COUNTED = 10_000
CHANGED: Mapping[str, str] = {
    "tag": "The tag was set.",
    "delete": "The selected runs are deleted.",
    "restore": "The selected runs are restored.",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A page of runs. next_cursor: empty on the last one. words: how many there are.

    count_address: where a script asks how many, empty when the words say it.
    """

    runs: tuple[Run, ...]
    next_cursor: str
    words: str
    count_address: str


@dataclass(frozen=True, slots=True)
class Marked:
    """A filter with the character at which it is wrong; that is a space at its end."""

    before: str
    at: str
    after: str
    words: str

    @classmethod
    def of(cls, fault: FilterFault, text: str) -> Marked:
        place = fault.position
        return cls(text[:place], text[place : place + 1] or " ", text[place + 1 :], fault.words)


def show_list(app: App, call: Call) -> Page:
    """Return a page of runs, or of groups of them; runs that start meanwhile do not shift it."""
    question = ask_store(app, parse_view(call.query))
    found = find_page(app, question)
    shown = (*question.pinned, *found.runs)
    columns = choose_columns(question.view, shown, is_one_experiment=len(question.chosen) == 1)
    by = question.view.group
    groups = show_groups(app, question, by, columns) if by else None
    if groups:
        found = Found((), "", groups.words, "")
    return Page(
        "runs.html",
        _title(question),
        "runs",
        crumbs=_crumbs(question),
        context={
            **_context(app, question, found, columns, groups),
            "changed": CHANGED.get(call.text("changed"), ""),
        },
        tables=tables_of(groups.table) if groups else {},
        files={"runs": lambda format: _download(app, question, columns, format)},
    )


def _context(
    app: App, question: Question, found: Found, columns: tuple[Target, ...], groups: GroupList | None
) -> Mapping[str, object]:
    view = question.view
    table = lay_out(view, columns, found.runs, question.pinned, app.clock.now())
    rows = groups.rows if groups else ()
    tables = (table, *(row.table for row in rows if row.table))
    return {
        "view": view,
        "form": make_form(app, question, columns),
        "fault": Marked.of(question.fault, view.filter) if question.fault else None,
        "found": found,
        "table": table,
        "groups": groups,
        "has_runs": bool(found.runs or rows) or _has_runs(app),
        "links": _links(view, found, columns),
        "selected_elsewhere": _elsewhere(view, tables),
        "most_selected": MOST_SELECTED,
    }


def find_page(app: App, question: Question) -> Found:
    """Return the page of runs that is asked for, and how many there are as far as that is cheap."""
    view = question.view
    page = app.searches.runs(question.wanted, limit=view.limit, cursor=view.cursor)
    runs = tuple(read_document(each) for each in page.documents)
    if not page.next_cursor and not view.cursor:
        return Found(runs, "", _count_words(len(runs)), "")
    if question.wanted.filter:
        return Found(runs, page.next_cursor, "", _count_address(question))
    count = app.searches.count(question.wanted, at_most=MOST_COUNTED + 1)
    return Found(runs, page.next_cursor, _count_words(count), "")


def _count_words(count: int) -> str:
    """Return how many runs there are.

    >>> _count_words(1), _count_words(10_001)
    ('1 run', 'more than 10,000 runs')
    """
    if count > MOST_COUNTED:
        return f"more than {MOST_COUNTED:,} runs"
    return count_of(count, "run")


def _count_address(question: Question) -> str:
    wanted = {
        "experiments": ",".join(question.view.experiments),
        "filter": question.wanted.filter,
        "lifecycle": question.view.lifecycle,
        "at_most": str(MOST_COUNTED + 1),
    }
    return (
        f"/api/v1/run-count?{urlencode({name: value for name, value in wanted.items() if value}, safe=',')}"
    )


def _title(question: Question) -> str:
    deleted = "Deleted runs" if question.view.lifecycle == "deleted" else "Runs"
    if len(question.chosen) == 1:
        return f"{deleted} of {question.chosen[0].name}"
    return f"{deleted} of {len(question.chosen)} experiments" if question.chosen else deleted


def _crumbs(question: Question) -> tuple[Crumb, ...]:
    if len(question.chosen) != 1:
        return (Crumb("Runs"),)
    return (Crumb("Runs", "/runs"), Crumb(question.chosen[0].name))


def _links(view: RunView, found: Found, columns: tuple[Target, ...]) -> Mapping[str, str]:
    """Return the addresses that lead from this view on to others."""
    here = format_view(replace(view.first_page, selected=(), open=()))
    shown = format_view(
        replace(view.first_page, selected=(), open=(), group=None, metric="", columns=columns)
    )
    return {
        "first": address_of(view.first_page) if view.cursor else "",
        "previous": address_of(view.previous_page) if view.back else "",
        "next": address_of(view.next_page(found.next_cursor)) if found.next_cursor else "",
        "unselected": address_of(replace(view, selected=())),
        "unfiltered": address_of(replace(view.first_page, filter="")),
        "changes": f"/run-changes?{format_view(replace(view, selected=()))}",
        "csv": _file_address(shown, "runs", "csv"),
        "json": _file_address(shown, "runs", "json"),
        "groups_csv": _file_address(here, "groups", "csv"),
        "groups_json": _file_address(here, "groups", "json"),
    }


def _file_address(query: str, table: str, format: str) -> str:
    return f"/runs?{query}{'&' if query else ''}table={table}&format={format}"


def _elsewhere(view: RunView, tables: Sequence[RunTable]) -> tuple[str, ...]:
    """Return the selected runs that stand on another page."""
    here = {row.run_id for table in tables for row in (*table.pinned, *table.rows)}
    return tuple(run_id for run_id in view.selected if run_id not in here)


def _has_runs(app: App) -> bool:
    return bool(app.searches.runs(limit=1).documents)


def _download(app: App, question: Question, columns: tuple[Target, ...], format: str) -> AnyAnswer:
    if question.fault is not None:
        raise InvalidInput(question.fault.words, position=question.fault.position + 1)
    return stream_runs(app, question.wanted, question.pinned, columns, format)
