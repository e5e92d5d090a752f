"""From a view to an answer: HTML, one of its tables as a file, or an error a person can read."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from paddock.kernel.errors import InvalidInput, NotFound
from paddock.kernel.refs import DEFAULT_PROJECT
from paddock.web.page import NAVIGATION, Crumb, Page
from paddock.web.tables import Table, write_csv, write_json
from paddock.wire import PROBLEM_TYPE, Answer, AnyAnswer, Call, answer_problem, content_disposition

if TYPE_CHECKING:
    from datetime import datetime

    from paddock.app import App
    from paddock.wire import Handler
    from paddock.wire.structs import Problem

View = Callable[["App", Call], Page]

HTML = "text/html; charset=utf-8"
_QUALITY = re.compile(r"\bq\s*=\s*([0-9]*\.?[0-9]+)")
DOWNLOAD: Mapping[str, str] = {
    "table": "which table of the page to download",
    "format": "`csv` or `json`, together with `table`",
}


def bind_view(app: App, view: View) -> Handler:
    """Return a handler that answers with the page of `view` in the caller's name."""

    @functools.wraps(view)
    def show(call: Call) -> AnyAnswer:
        acting = app.acting_as(call.actor)
        now = acting.clock.now()
        page = view(acting, call)
        if "table" in call.query or "format" in call.query:
            return _download(page, call)
        return answer_page(page, call, now)

    return show


def answer_page(page: Page, call: Call, now: datetime) -> Answer:
    """Return the page as HTML, its tables with the addresses of their files."""
    from paddock.web.rendering import render_page

    tables = {name: _with_files(table, call) for name, table in page.tables.items()}
    body = render_page(replace(page, tables=tables), project=call.actor.project_id, now=now)
    return Answer(body, page.status, HTML)


def accepts_html(headers: Mapping[str, str]) -> bool:
    """Tell whether who asks prefers a page, as browsers do; a program that takes anything gets JSON.

    >>> accepts_html({"accept": "text/html,*/*;q=0.8"}), accepts_html({"accept": "*/*"})
    (True, False)
    >>> accepts_html({"accept": "application/json, text/html;q=0.5"})
    False
    """
    accept = headers.get("accept", "").lower()
    html = _weight(accept, "text/html")
    return html > 0 and html >= max(_weight(accept, "application/json"), _weight(accept, PROBLEM_TYPE))


def answer_error(
    problem: Problem, *, project: str = DEFAULT_PROJECT, now: datetime, path: str = ""
) -> Answer:
    """Return a problem as a page: what, why, and what now; with the headers it has for programs, too.

    path: the address that was asked for, which stands below one of the entries of the navigation.
    """
    from paddock.web.rendering import render_page

    page = Page(
        "error.html",
        problem.title.capitalize(),
        _section_of(path),
        crumbs=(Crumb(problem.title.capitalize()),),
        context={"problem": problem},
        status=problem.status,
    )
    body = render_page(page, project=project, now=now)
    return Answer(body, problem.status, HTML, answer_problem(problem).headers)


def _section_of(path: str) -> str:
    first = "/" + path.removeprefix("/").partition("/")[0]
    return next((section for section, _, href, _ in NAVIGATION if href == first), "")


def _weight(accept: str, media_type: str) -> float:
    """Return the quality that an Accept header gives to exactly this type, 0 when it does not name it."""
    for part in accept.split(","):
        name, _, options = part.partition(";")
        if name.strip() == media_type:
            quality = _QUALITY.search(options)
            return float(quality[1]) if quality else 1.0
    return 0.0


def _with_files(table: Table, call: Call) -> Table:
    """Return the table with the addresses of its rows as files: those of this page, filters and all."""
    return replace(
        table,
        files={
            format: f"?{urlencode({**call.query, 'table': table.name, 'format': format})}"
            for format in ("csv", "json")
        },
    )


def _download(page: Page, call: Call) -> AnyAnswer:
    name, wanted = call.text("table"), call.text("format")
    known = (*page.tables, *page.files)
    if name not in known:
        raise NotFound(f"this page has no table `{name[:40]}`; it has {', '.join(known) or 'none'}")
    if wanted not in ("csv", "json"):
        raise InvalidInput(f"`format` is `{wanted[:20]}`, but must be `csv` or `json`")
    if name in page.files:
        return page.files[name](wanted)
    table = page.tables[name]
    if wanted == "csv":
        headers = {"Content-Disposition": content_disposition(f"{name}.csv")}
        return Answer(write_csv(table), media_type="text/csv; charset=utf-8", headers=headers)
    return Answer(write_json(table))
