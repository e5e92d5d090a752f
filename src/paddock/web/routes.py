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
    runs,
    search,
)
from paddock.web.views.paging import PAGE
from paddock.wire import Permission, RouteSpec

if TYPE_CHECKING:
    from paddock.app import App

_RUNS = {
    "experiment": "only runs of this experiment",
    "cursor": "behind the page that ended here",
    "limit": "rows of a page, 1 to 1000",
}
_DECISIONS = {"endpoint": "only decisions about this endpoint", "kind": "only of this kind", **PAGE}

_PAGES: tuple[tuple[str, View, str, Mapping[str, str]], ...] = (
    ("/", overview.show, "Is everything all right", {}),
    ("/search", search.show, "Find a model, run or dataset by name", {"q": "what to look for"}),
    ("/runs", runs.show_list, "Which runs there are", _RUNS),
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
    return (*pages, figure, static)
