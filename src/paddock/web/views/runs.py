"""`/runs/{id}`: what exactly was run, and on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from paddock.web.drawing import Span, draw_sparkline
from paddock.web.formats import format_bytes, path_of
from paddock.web.page import Crumb, Page, tables_of
from paddock.web.tables import Cell, Column, Table, duration, identity, number, picture, text
from paddock.web.views.run_columns import STATUS

if TYPE_CHECKING:
    from paddock.app import App
    from paddock.tracking import EnvironmentSnapshot, MetricPoint, Run
    from paddock.wire import Call

MOST_HISTORIES = 24
MOST_POINTS = 130
DIFF_LINES = 200


def show(app: App, call: Call) -> Page:
    """Return one run with everything that was logged to it."""
    run, now = app.tracking.get_run(call.path["run_id"]), app.clock.now()
    environment = app.tracking.get_environment(run.environment_digest) if run.environment_digest else None
    children = app.tracking.search_runs(parent_id=run.run_id, limit=20).runs
    diff = environment.git_diff.splitlines() if environment else []
    return Page(
        "run.html",
        run.name,
        "runs",
        crumbs=(
            Crumb("Runs", "/runs"),
            Crumb(run.experiment, f"/runs?{urlencode({'experiment': run.experiment})}"),
            Crumb(run.name),
        ),
        context={
            "run": run,
            "status": STATUS[run.status],
            "took": duration((run.ended_at or now) - run.started_at).text,
            "environment": environment,
            "diff": diff[:DIFF_LINES],
            "diff_left_out": max(len(diff) - DIFF_LINES, 0),
            "children": children,
        },
        tables=tables_of(
            _metrics_table(app, run),
            _pairs_table("params", "Parameters", run.params),
            _inputs_table(run),
            _artifacts_table(run),
            _pairs_table("tags", "Tags", run.tags),
            _packages_table(environment),
        ),
    )


def sample(points: Sequence[MetricPoint], most: int) -> Sequence[MetricPoint]:
    """Return at most `most` points, evenly taken, with the last one."""
    if len(points) <= most:
        return points
    step = (len(points) - 1) / (most - 1)
    return [points[round(place * step)] for place in range(most)]


def _metrics_table(app: App, run: Run) -> Table:
    return Table(
        "metrics",
        "Metrics",
        (Column("metric", "Metric"), Column("value", "Latest", numeric=True), Column("history", "History")),
        tuple(
            (text(key, length=60), number(value), _history(app, run, key, place))
            for place, (key, value) in enumerate(sorted(run.metrics.items()))
        ),
        empty="No metric was logged to this run.",
        command="run.log({...}, step=1)",
    )


def _history(app: App, run: Run, key: str, place: int) -> Cell:
    if place >= MOST_HISTORIES:
        return Cell(None, "")
    points = app.tracking.metric_history(run.run_id, key)
    if len(points) < 2:
        return Cell(len(points), "")
    shown = [
        Span(point.value if point.value - point.value == 0 else None) for point in sample(points, MOST_POINTS)
    ]
    drawn = draw_sparkline(shown, reference=None, label=f"{len(points):,} points of {key}")
    return picture(drawn, value=len(points))


def _pairs_table(name: str, caption: str, pairs: Mapping[str, str]) -> Table:
    return Table(
        name,
        caption,
        (Column("name", "Name"), Column("value", "Value", wide=True)),
        tuple((text(key, length=60), text(value, length=300)) for key, value in sorted(pairs.items())),
        empty=f"No {name} were logged to this run.",
    )


def _inputs_table(run: Run) -> Table:
    return Table(
        "inputs",
        "Inputs",
        (Column("dataset", "Dataset"), Column("role", "Role")),
        tuple(
            (text(str(used.dataset), href=path_of("datasets", used.dataset)), text(used.role))
            for used in run.inputs
        ),
        empty="This run recorded no dataset as its input.",
        command='paddock.dataset("flights@3")',
    )


def _artifacts_table(run: Run) -> Table:
    return Table(
        "artifacts",
        "Artifacts",
        (Column("path", "Path"), Column("size_bytes", "Size", numeric=True), Column("digest", "Digest")),
        tuple(
            (
                text(each.path, href=_artifact_path(run.run_id, each.path), length=80),
                Cell(each.size_bytes, format_bytes(each.size_bytes)),
                identity(each.digest),
            )
            for each in run.artifacts
        ),
        empty="This run kept no file.",
    )


def _packages_table(environment: EnvironmentSnapshot | None) -> Table:
    pairs = (package.partition("==") for package in (environment.packages if environment else ()))
    return Table(
        "packages",
        "Packages",
        (Column("package", "Package"), Column("version", "Version")),
        tuple((text(name), text(version)) for name, _, version in pairs),
        empty="No environment was captured.",
    )


def _artifact_path(run_id: str, path: str) -> str:
    return f"/api/v1/runs/{run_id}/artifacts{path_of(*path.split('/'))}"
