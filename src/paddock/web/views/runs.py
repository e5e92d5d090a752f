"""`/runs`: which run is best. `/runs/{id}`: what exactly was run, and on what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from paddock.web.drawing import Span, draw_sparkline
from paddock.web.formats import format_bytes, path_of
from paddock.web.page import Crumb, Page, Paging, tables_of
from paddock.web.tables import Cell, Column, Table, duration, identity, moment, number, picture, status, text

if TYPE_CHECKING:
    from datetime import datetime

    from paddock.app import App
    from paddock.tracking import EnvironmentSnapshot, MetricPoint, Run, RunPage
    from paddock.web.views.health import Kind
    from paddock.wire import Call

ROWS = 50
MOST_METRICS = 4
MOST_PARAMS = 4
MOST_HISTORIES = 24
MOST_POINTS = 130
DIFF_LINES = 200
STATUS: Mapping[str, Kind] = {"running": "unknown", "finished": "good", "failed": "bad", "killed": "watch"}


def show_list(app: App, call: Call) -> Page:
    """Return a page of runs, newest first; runs that start meanwhile do not shift it."""
    experiment, limit = call.text("experiment"), call.whole("limit", ROWS, low=1, high=1000)
    found = app.tracking.search_runs(experiment=experiment, limit=limit, cursor=call.text("cursor"))
    return Page(
        "runs.html",
        f"Runs of {experiment}" if experiment else "Runs",
        "runs",
        crumbs=(Crumb("Runs", "/runs" if experiment else ""), *([Crumb(experiment)] if experiment else [])),
        context={
            "experiments": app.tracking.list_experiments(),
            "experiment": experiment,
            "paging": _paging(call, found),
            "limit": limit if "limit" in call.query else 0,
        },
        tables=tables_of(_runs_table(found.runs, app.clock.now())),
    )


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


def _paging(call: Call, found: RunPage) -> Paging:
    kept = {name: call.query[name] for name in ("experiment", "limit") if name in call.query}
    first = f"?{urlencode(kept)}" if kept else "/runs"
    older = f"?{urlencode({**kept, 'cursor': found.next_cursor})}" if found.next_cursor else ""
    words = f"{len(found.runs):,} runs" if older or "cursor" in call.query else ""
    return Paging(words, first if "cursor" in call.query else "", older)


def _runs_table(runs: Sequence[Run], now: datetime) -> Table:
    metrics = _most_used((run.metrics for run in runs), MOST_METRICS)
    params = [
        name
        for name in _most_used((run.params for run in runs), 40)
        if len({run.params.get(name) for run in runs}) > 1
    ][:MOST_PARAMS]
    columns = (
        Column("name", "Run"),
        Column("run_id", "Id"),
        Column("experiment", "Experiment"),
        Column("status", "Status"),
        Column("started_at", "Started"),
        Column("duration_s", "Took", numeric=True),
        *(Column(f"metrics.{name}", name, numeric=True) for name in metrics),
        *(Column(f"params.{name}", name) for name in params),
    )
    return Table(
        "runs",
        "Runs, newest first",
        columns,
        tuple(_run_row(run, now, metrics, params) for run in runs),
        empty="No run here yet. A run keeps what a training did: parameters, metrics, inputs, files.",
        command='with paddock.run("delay") as run: ...',
    )


def _run_row(run: Run, now: datetime, metrics: Sequence[str], params: Sequence[str]) -> tuple[Cell, ...]:
    href = path_of("runs", run.run_id)
    return (
        text(run.name, href=href, length=36),
        identity(run.run_id, href=href),
        text(run.experiment, href=f"/runs?{urlencode({'experiment': run.experiment})}", length=36),
        status(STATUS[run.status], run.status),
        moment(run.started_at, now),
        duration(run.ended_at - run.started_at if run.ended_at else None),
        *(number(run.metrics.get(name)) for name in metrics),
        *(text(run.params.get(name, ""), length=24) for name in params),
    )


def _most_used(names: Iterable[Iterable[str]], most: int) -> list[str]:
    counts = Counter(name for one in names for name in one)
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    return sorted(ranked[:most])


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
