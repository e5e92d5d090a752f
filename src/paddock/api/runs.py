"""Experiments, runs, and what is logged to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.api.binding import PAGE, bind, take_page
from paddock.api.views import view, view_point, view_run
from paddock.app import App
from paddock.kernel.clock import to_micros
from paddock.kernel.errors import InvalidInput, NotFound
from paddock.kernel.ids import RunId
from paddock.kernel.refs import DatasetRef
from paddock.wire import Answer, Call, Permission, RouteSpec, answer_json, structs

if TYPE_CHECKING:
    from datetime import datetime

    from paddock.tracking import EnvironmentSnapshot, RunBatch

READ, LOG = Permission.READ, Permission.LOG_RUNS


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return the routes of runs."""
    run = "/api/v1/runs/{run_id}"
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
    )


def list_experiments(app: App, call: Call) -> Answer:
    rows, cursor = take_page(app.experiments.list(), call, lambda each: each.name)
    page = tuple(view(each, structs.Experiment) for each in rows)
    return answer_json(structs.ExperimentPage(experiments=page, next_cursor=cursor))


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
        started_at=wanted.started_at,
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
    app.tracking.log_batch(run_id, read_batch(batch, app.clock.now()), key=call.key)
    return answer_json(
        structs.Logged(
            run_id=run_id,
            metric_count=len(batch.metrics),
            param_count=len(batch.params),
            tag_count=len(batch.tags),
            input_count=len(batch.inputs),
        )
    )


def finish_run(app: App, call: Call) -> Answer:
    end = call.read(structs.FinishRun)
    run = app.tracking.finish_run(call.path["run_id"], end.status, ended_at=end.ended_at, key=call.key)
    return answer_json(view_run(run))


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


def read_batch(batch: structs.LogBatch, now: datetime) -> RunBatch:
    """Return a batch as the room takes it; points without a time were measured now."""
    from paddock.tracking import MetricPoint, RunBatch, RunInput

    return RunBatch(
        points=[
            MetricPoint(point.key, structs.read_number(point.value), point.step, to_micros(point.at or now))
            for point in batch.metrics
        ],
        params=batch.params,
        tags=batch.tags,
        inputs=tuple(RunInput(DatasetRef(used.name, used.version), used.role) for used in batch.inputs),
    )


def _read_environment(given: structs.Environment | None) -> EnvironmentSnapshot | None:
    if given is None:
        return None
    from paddock.tracking import EnvironmentSnapshot

    return EnvironmentSnapshot(**{name: getattr(given, name) for name in given.__struct_fields__})
