"""Experiments, runs, what is logged to them, and their artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.api.binding import PAGE, bind, take_page
from paddock.api.downloads import answer_object
from paddock.api.views import view, view_point, view_run
from paddock.app import App
from paddock.kernel.errors import InvalidInput, NotFound
from paddock.kernel.ids import RunId
from paddock.kernel.refs import DatasetRef
from paddock.metadata import once_for
from paddock.wire import Answer, BodyKind, Call, FileAnswer, Permission, RouteSpec, answer_json, structs

if TYPE_CHECKING:
    from datetime import datetime

    from paddock.tracking import EnvironmentSnapshot, MetricPoint

READ, LOG = Permission.READ, Permission.LOG_RUNS


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return the routes of runs."""
    run = "/api/v1/runs/{run_id}"
    filters = {"experiment": "only of this experiment", "parent_id": "only children of this run", **PAGE}
    file_type = "application/octet-stream"
    return (
        RouteSpec(
            "GET",
            "/api/v1/experiments",
            READ,
            bind(app, list_experiments),
            "List experiments, the one with the newest run first",
            response=structs.ExperimentPage,
            query=PAGE,
        ),
        RouteSpec(
            "GET",
            "/api/v1/runs",
            READ,
            bind(app, search_runs),
            "Search runs, newest first",
            response=structs.RunPage,
            query=filters,
        ),
        RouteSpec(
            "POST",
            "/api/v1/runs",
            LOG,
            bind(app, start_run),
            "Start a run",
            request=structs.StartRun,
            response=structs.Run,
            status=201,
        ),
        RouteSpec("GET", run, READ, bind(app, get_run), "Get a run", response=structs.Run),
        RouteSpec(
            "POST",
            f"{run}/log",
            LOG,
            bind(app, log_batch),
            "Log metrics, params, tags and inputs",
            request=structs.LogBatch,
            response=structs.Logged,
        ),
        RouteSpec(
            "POST",
            f"{run}/finish",
            LOG,
            bind(app, finish_run),
            "End a run",
            request=structs.FinishRun,
            response=structs.Run,
        ),
        RouteSpec(
            "GET",
            f"{run}/metrics/{{key:path}}",
            READ,
            bind(app, get_metric_history),
            "Get every point of one metric",
            response=structs.MetricHistory,
        ),
        RouteSpec(
            "GET",
            f"{run}/environment",
            READ,
            bind(app, get_environment),
            "Get the code and the machine a run ran on",
            response=structs.RunEnvironment,
        ),
        RouteSpec(
            "GET",
            f"{run}/artifacts/{{path:path}}",
            READ,
            bind(app, get_artifact),
            "Download an artifact",
            media_type=file_type,
        ),
        RouteSpec(
            "PUT",
            f"{run}/artifacts/{{path:path}}",
            LOG,
            bind(app, log_artifact),
            "Upload an artifact",
            response=structs.Artifact,
            body=BodyKind.FILE,
            status=201,
        ),
    )


def list_experiments(app: App, call: Call) -> Answer:
    rows, cursor = take_page(app.tracking.list_experiments(), call, lambda each: each.name)
    page = tuple(view(each, structs.Experiment) for each in rows)
    return answer_json(structs.ExperimentPage(experiments=page, next_cursor=cursor))


def search_runs(app: App, call: Call) -> Answer:
    page = app.tracking.search_runs(
        experiment=call.text("experiment"),
        parent_id=call.text("parent_id"),
        limit=call.limit(),
        cursor=call.text("cursor"),
    )
    runs = tuple(view_run(run) for run in page.runs)
    return answer_json(structs.RunPage(runs=runs, next_cursor=page.next_cursor))


def start_run(app: App, call: Call) -> Answer:
    wanted = call.read(structs.StartRun)
    run = app.tracking.start_run(
        experiment=wanted.experiment,
        name=wanted.name,
        params=wanted.params,
        tags=wanted.tags,
        parent_id=wanted.parent_id,
        environment=_read_environment(wanted.environment),
        run_id=RunId(wanted.run_id) if wanted.run_id else None,
        key=call.key,
    )
    return answer_json(view_run(run), status=201)


def get_run(app: App, call: Call) -> Answer:
    return answer_json(view_run(app.tracking.get_run(call.path["run_id"])))


def log_batch(app: App, call: Call) -> Answer:
    batch = call.read(structs.LogBatch)
    run_id = call.path["run_id"]
    if call.key and any(point.at is None for point in batch.metrics):
        raise InvalidInput("points that are sent with an Idempotency-Key need `at`")
    parts = [part for part in (batch.metrics, batch.params, batch.tags, batch.inputs) if part]
    is_one_write = len(parts) == 1 and not batch.inputs
    if call.key and not is_one_write:
        # Repeating the parts changes nothing; what the key must stand for is the batch as a whole.
        once = once_for(app.actor, call.key, ("log_batch", run_id, batch), type(None))
        app.metadata.write(lambda _: None, once=once)
    _log_parts(app, run_id, batch, call.key if is_one_write else "")
    if not parts:
        app.tracking.get_status(run_id)
    return answer_json(
        structs.Logged(
            run_id=run_id,
            metric_count=len(batch.metrics),
            param_count=len(batch.params),
            tag_count=len(batch.tags),
            input_count=len(batch.inputs),
        )
    )


def _log_parts(app: App, run_id: str, batch: structs.LogBatch, key: str) -> None:
    if batch.metrics:
        now = app.clock.now()
        app.tracking.log_metrics(run_id, [_read_point(point, now) for point in batch.metrics], key=key)
    if batch.params:
        app.tracking.log_params(run_id, batch.params, key=key)
    if batch.tags:
        app.tracking.set_tags(run_id, batch.tags, key=key)
    for used in batch.inputs:
        app.tracking.log_input(run_id, DatasetRef(used.name, used.version), role=used.role)


def finish_run(app: App, call: Call) -> Answer:
    status = call.read(structs.FinishRun).status
    return answer_json(view_run(app.tracking.finish_run(call.path["run_id"], status, key=call.key)))


def get_metric_history(app: App, call: Call) -> Answer:
    run_id, key = call.path["run_id"], call.path["key"]
    points = tuple(view_point(point) for point in app.tracking.metric_history(run_id, key))
    return answer_json(structs.MetricHistory(run_id=run_id, key=key, points=points))


def get_environment(app: App, call: Call) -> Answer:
    run = app.tracking.get_run(call.path["run_id"])
    if not run.environment_digest:
        raise NotFound(f"run `{run.run_id}` has no environment recorded")
    snapshot = app.tracking.get_environment(run.environment_digest)
    return answer_json(view(snapshot, structs.RunEnvironment))


def get_artifact(app: App, call: Call) -> Answer | FileAnswer:
    run_id, path = call.path["run_id"], call.path["path"]
    for artifact in app.tracking.get_run(run_id).artifacts:
        if artifact.path == path:
            file_name = path.rpartition("/")[2]
            return answer_object(app.objects, artifact.digest, artifact.size_bytes, file_name)
    raise NotFound(f"run `{run_id}` has no artifact `{path[:80]}`", run_id=run_id)


def log_artifact(app: App, call: Call) -> Answer:
    artifact = app.tracking.log_artifact_file(
        call.path["run_id"], call.path["path"], call.file(), key=call.key
    )
    return answer_json(view(artifact, structs.Artifact), status=201)


def _read_point(point: structs.Point, now: datetime) -> MetricPoint:
    from paddock.tracking import MetricPoint

    return MetricPoint(point.key, structs.read_number(point.value), point.step, point.at or now)


def _read_environment(given: structs.Environment | None) -> EnvironmentSnapshot | None:
    if given is None:
        return None
    from paddock.tracking import EnvironmentSnapshot

    return EnvironmentSnapshot(**{name: getattr(given, name) for name in given.__struct_fields__})
