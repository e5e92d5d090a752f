"""`/search`: from a name, a reference or an id to its page."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from paddock.kernel.errors import NotFound
from paddock.web.formats import path_of
from paddock.web.page import Crumb, Page, tables_of
from paddock.web.tables import Cell, Column, Table, text
from paddock.web.views.run_view import RunView, address_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paddock.app import App
    from paddock.wire import Call

MOST_FOUND = 100
Found = tuple[str, str, str]

_ID = re.compile(r"[0-9a-f]{32}")


def show(app: App, call: Call) -> Page:
    """Return everything whose name holds the words, best known kinds first."""
    wanted = call.text("q").strip()[:200]
    found = tuple(_find(app, wanted))[:MOST_FOUND] if wanted else ()
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (text(kind), text(name, href=href)) for kind, name, href in found
    )
    empty = f"Nothing is called `{wanted}`." if wanted else "Type a name, `delay@7` or an id."
    return Page(
        "list.html",
        f"Search: {wanted}" if wanted else "Search",
        "",
        crumbs=(Crumb("Search"),),
        context={"table_name": "found"},
        tables=tables_of(
            Table("found", "Found", (Column("kind", "What"), Column("name", "Name", wide=True)), rows, empty)
        ),
    )


def _find(app: App, wanted: str) -> Iterator[Found]:
    yield from _find_id(app, wanted)
    name, _, version = wanted.partition("@")
    needle = name.lower()
    for model in app.registry.list_models():
        if needle in model.name.lower():
            if version:
                yield "model version", f"{model.name}@{version}", path_of("models", model.name, version)
            yield "model", model.name, path_of("models", model.name)
    for endpoint in app.endpoints.list_endpoints():
        if needle in endpoint.name.lower():
            yield "endpoint", endpoint.name, path_of("endpoints", endpoint.name)
    for monitor in app.monitoring.list_monitors():
        if needle in monitor.monitor.lower():
            yield "monitor", monitor.monitor, path_of("monitors", monitor.monitor)
    for dataset in app.datasets.list_datasets():
        if needle in dataset.name.lower():
            ref = f"{dataset.name}@{version}" if version.isdecimal() else str(dataset.latest.ref)
            yield "dataset", ref, path_of("datasets", ref)
    for experiment in app.experiments.list():
        if needle in experiment.name.lower():
            yield "experiment", experiment.name, address_of(RunView(experiment=experiment.name))


def _find_id(app: App, wanted: str) -> Iterator[Found]:
    if not _ID.fullmatch(wanted):
        return
    with suppress(NotFound):  # an id of another kind
        yield "run", app.tracking.get_run(wanted).name, path_of("runs", wanted)
    with suppress(NotFound):
        yield "gate report", f"about {app.evaluation.get_report(wanted).model}", path_of("reports", wanted)
