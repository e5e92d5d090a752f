"""Metrics as they are logged: one point, or a batch of points, params and tags."""

from collections.abc import Sequence

from paddock.app import App
from paddock.mlflow_api.answers import EMPTY
from paddock.mlflow_api.binding import LOG, Face
from paddock.mlflow_api.bodies import Int64, Message, OfRun, Part, require, run_id_of
from paddock.mlflow_api.errors import missing_value
from paddock.mlflow_api.rules import check_batch_size, check_key, check_unique, micros_of
from paddock.mlflow_api.runs import Pair, log_batch, read_params, read_tags
from paddock.tracking import MetricPoint, ModelPoint, RunBatch
from paddock.wire import Answer, Call, RouteSpec


class Metric(Part, frozen=True):
    """A point. model_id: of the logged model it was measured of, dataset_*: on what, or empty."""

    key: str = ""
    value: float | None = None
    timestamp: Int64 | None = None
    step: Int64 = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class LogMetric(OfRun, frozen=True):
    """A run and the fields of a Metric."""

    key: str = ""
    value: float | None = None
    timestamp: Int64 | None = None
    step: Int64 = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class LogBatch(Message, frozen=True):
    run_id: str = ""
    metrics: tuple[Metric, ...] = ()
    params: tuple[Pair, ...] = ()
    tags: tuple[Pair, ...] = ()


def routes(face: Face) -> tuple[RouteSpec, ...]:
    """Return the routes by which metrics come in."""
    at = "/mlflow/runs"
    return (
        *face.routes("POST", f"{at}/log-metric", LOG, log_metric, "Log a point of a metric", LogMetric),
        *face.routes("POST", f"{at}/log-batch", LOG, log_many, "Log metrics, params and tags", LogBatch),
    )


def log_metric(app: App, call: Call) -> Answer:
    wanted = call.read(LogMetric)
    run_id = run_id_of(wanted)
    point = _read_point(wanted, "", set())
    log_batch(app, run_id, RunBatch(points=(point,), model_points=_of_models([wanted], [point])))
    return EMPTY


def log_many(app: App, call: Call) -> Answer:
    wanted = call.read(LogBatch)
    require(wanted, "run_id")
    metrics = wanted.metrics
    check_batch_size(len(metrics), len(wanted.params), len(wanted.tags))
    checked: set[str] = set()
    points = [_read_point(metric, f"metrics[{place}].", checked) for place, metric in enumerate(metrics)]
    params, tags = read_params(wanted.params), read_tags(wanted.tags)
    check_unique([pair.key for pair in wanted.params])
    batch = RunBatch(points=points, params=params, tags=tags, model_points=_of_models(metrics, points))
    log_batch(app, wanted.run_id, batch)
    return EMPTY


def _read_point(metric: Metric | LogMetric, path: str, checked: set[str]) -> MetricPoint:
    """Return a point. path: where it stands in the request; checked: keys that were looked at before."""
    value, timestamp = metric.value, metric.timestamp
    if metric.key not in checked:
        require(metric, "key", path=path)
        checked.add(check_key(metric.key, f"{path}name", "Metric name"))
    if value is None or timestamp is None:
        raise missing_value(f"{path}{'value' if value is None else 'timestamp'}")
    return MetricPoint(metric.key, value, metric.step, micros_of(timestamp, f"{path}timestamp"))


def _of_models(
    metrics: Sequence[Metric | LogMetric], points: Sequence[MetricPoint]
) -> tuple[ModelPoint, ...]:
    """Return those of the points that were measured of a logged model."""
    return tuple(
        ModelPoint(metric.model_id, point, metric.dataset_name, metric.dataset_digest)
        for metric, point in zip(metrics, points, strict=True)
        if metric.model_id
    )
