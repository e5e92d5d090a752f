"""From a view to an answer: HTML, one of its tables as a file, or an error a person can read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from paddock.kernel.errors import InvalidInput, NotFound, PaddockError
from paddock.kernel.refs import DEFAULT_PROJECT
from paddock.web.page import Crumb, Page
from paddock.web.tables import Table, write_csv, write_json
from paddock.wire import Answer, Call, FileAnswer, content_disposition, describe_problem

if TYPE_CHECKING:
    from datetime import datetime

    from paddock.app import App
    from paddock.wire import Handler
    from paddock.wire.structs import Problem

View = Callable[["App", Call], Page]

HTML = "text/html; charset=utf-8"
DOWNLOAD: Mapping[str, str] = {
    "table": "which table of the page to download",
    "format": "`csv` or `json`, together with `table`",
}


def bind_view(app: App, view: View, section: str) -> Handler:
    """Return a handler that answers with the page of `view` in the caller's name."""

    @functools.wraps(view)
    def show(call: Call) -> Answer | FileAnswer:
        acting = app.acting_as(call.actor)
        now = acting.clock.now()
        try:
            page = view(acting, call)
            if "table" in call.query or "format" in call.query:
                return _download(page, call)
        except PaddockError as error:
            if not accepts_html(call.headers):
                raise
            problem = describe_problem(error, call.request_id)
            return answer_error(problem, project=call.actor.project_id, now=now, section=section)
        return _show(page, call, now)

    return show


def accepts_html(headers: Mapping[str, str]) -> bool:
    """Tell whether who asks is a browser that wants a page.

    >>> accepts_html({"accept": "text/html,*/*;q=0.8"}), accepts_html({"accept": "*/*"})
    (True, False)
    """
    return "text/html" in headers.get("accept", "")


def answer_error(
    problem: Problem, *, project: str = DEFAULT_PROJECT, now: datetime, section: str = ""
) -> Answer:
    """Return a problem as a page: what, why, and what now."""
    from paddock.web.rendering import render_page

    page = Page(
        "error.html",
        problem.title,
        section,
        crumbs=(Crumb(problem.title),),
        context={"problem": problem},
        status=problem.status,
    )
    return Answer(render_page(page, project=project, now=now), problem.status, HTML)


def _show(page: Page, call: Call, now: datetime) -> Answer:
    from paddock.web.rendering import render_page

    tables = {name: _with_files(table, call) for name, table in page.tables.items()}
    body = render_page(replace(page, tables=tables), project=call.actor.project_id, now=now)
    return Answer(body, page.status, HTML)


def _with_files(table: Table, call: Call) -> Table:
    """Return the table with the addresses of its rows as files: those of this page, filters and all."""
    return replace(
        table,
        files={
            format: f"?{urlencode({**call.query, 'table': table.name, 'format': format})}"
            for format in ("csv", "json")
        },
    )


def _download(page: Page, call: Call) -> Answer:
    name, wanted = call.text("table"), call.text("format")
    if name not in page.tables:
        raise NotFound(f"this page has no table `{name[:40]}`; it has {', '.join(page.tables) or 'none'}")
    table = page.tables[name]
    if wanted == "csv":
        headers = {"Content-Disposition": content_disposition(f"{name}.csv")}
        return Answer(write_csv(table), media_type="text/csv; charset=utf-8", headers=headers)
    if wanted == "json":
        return Answer(write_json(table))
    raise InvalidInput(f"`format` is `{wanted[:20]}`, but must be `csv` or `json`")
