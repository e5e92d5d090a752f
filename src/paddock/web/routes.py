"""Every page, and what it may be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from paddock.web import figures
from paddock.web.answering import DOWNLOAD, HTML, View, bind_view
from paddock.web.assets import get_static
from paddock.web.views import (
    datasets,
    decisions,
    endpoints,
    models,
    monitors,
    overview,
    reports,
    run_changes,
    run_list,
    run_view,
    runs,
    search,
)
from paddock.web.views.paging import PAGE
from paddock.wire import BodyKind, Permission, RouteSpec

if TYPE_CHECKING:
    from paddock.app import App

_RUNS = {**run_view.QUERY, "changed": "what was done to the selected runs a moment ago"}
_LISTS = {"/runs": run_view.LISTS}
_DECISIONS = {"endpoint": "only decisions about this endpoint", "kind": "only of this kind", **PAGE}

_PAGES: tuple[tuple[str, View, str, Mapping[str, str]], ...] = (
    ("/", overview.show, "Is everything all right", {}),
    ("/search", search.show, "Find a model, run or dataset by name", {"q": "what to look for"}),
    ("/runs", run_list.show_list, "Which run is best", _RUNS),
    ("/runs/{run_id}", runs.show, "What exactly was run", {}),
    ("/datasets", datasets.show_list, "Which datasets there are", PAGE),
    ("/datasets/{ref}", datasets.show, "What is in a dataset version", PAGE),
    ("/models", models.show_list, "Which models there are", PAGE),
    ("/models/{name}", models.show, "What is champion since when and why", PAGE),
    ("/models/{name}/{selector}", reports.show_version, "May this version go out", {}),
    ("/reports/{report_id}", reports.show_report, "A gate report", {}),
    ("/monitors", monitors.show_list, "Which monitors there are", PAGE),
    ("/monitors/{name}", monitors.show, "Is the model still right", monitors.QUERY),
    ("/decisions", decisions.show, "What the system did by itself, and why", _DECISIONS),
    ("/endpoints", endpoints.show_list, "Which endpoints there are", PAGE),
    ("/endpoints/{name}", endpoints.show, "What serves which share of the traffic", PAGE),
)


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return the routes of the pages, of their figures and of the static files."""
    pages = tuple(
        RouteSpec(
            "GET",
            path,
            Permission.READ,
            bind_view(app, view),
            summary,
            query={**query, **DOWNLOAD},
            media_type=HTML,
            lists=_LISTS.get(path, frozenset()),
        )
        for path, view, summary, query in _PAGES
    )
    figure = RouteSpec(
        "GET",
        "/monitors/{name}/figure",
        Permission.READ,
        figures.bind(app),
        "The charts of a monitor, as a plotly figure",
        query=monitors.QUERY,
    )
    static = RouteSpec(
        "GET", "/static/{edition}/{name}", Permission.ANYONE, get_static, "A style sheet or a script"
    )
    changes = RouteSpec(
        "POST",
        "/run-changes",
        Permission.LOG_RUNS,
        run_changes.bind(app),
        "Tag, delete, restore or pin the selected runs; asks first, then sends back to the table",
        request=run_changes.ChangeForm,
        body=BodyKind.FORM,
        query=run_view.QUERY,
        media_type=HTML,
        lists=run_view.LISTS,
    )
    return (*pages, figure, changes, static)
