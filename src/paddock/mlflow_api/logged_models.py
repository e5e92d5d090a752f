"""Logged models: what runs have made, before anybody registers it."""

import math
import sys
from typing import get_args

import msgspec

from paddock.app import App
from paddock.kernel.clock import to_micros
from paddock.mlflow_api.answers import EMPTY, Field, answer_as, answer_page
from paddock.mlflow_api.binding import LOG, READ, Face
from paddock.mlflow_api.bodies import Enumerated, Int32, Message, Part, require
from paddock.mlflow_api.errors import invalid_value, missing_value
from paddock.mlflow_api.registry_answers import read_tags
from paddock.mlflow_api.rules import check_experiment_id
from paddock.mlflow_api.runs import Pair, read_params
from paddock.tracking import (
    LoggedModel,
    LoggedModelQuery,
    LoggedModelStatus,
    MeasuredOn,
    ModelMetric,
    ModelOrder,
)
from paddock.wire import Answer, Call, RouteSpec

_STATUSES: tuple[LoggedModelStatus, ...] = get_args(LoggedModelStatus)  # in the order of MLflow's numbers
_STATUS_NAMES = (
    "LOGGED_MODEL_STATUS_UNSPECIFIED",
    "LOGGED_MODEL_PENDING",
    "LOGGED_MODEL_READY",
    "LOGGED_MODEL_UPLOAD_FAILED",
)


class CreateModel(Message, frozen=True):
    experiment_id: str = ""
    name: str = ""
    model_type: str = ""
    source_run_id: str = ""
    params: tuple[Pair, ...] = ()
    tags: tuple[Pair, ...] = ()


class GetModel(Message, frozen=True):
    allow_deleted: bool = False


class FinalizeModel(Message, frozen=True):
    status: Enumerated = None


class SetTags(Message, frozen=True):
    tags: tuple[Pair, ...] = ()


class LogParams(Message, frozen=True):
    params: tuple[Pair, ...] = ()


class Dataset(Part, frozen=True):
    dataset_name: str = ""
    dataset_digest: str = ""


class OrderBy(Part, frozen=True):
    field_name: str = ""
    ascending: bool = True
    dataset_name: str = ""
    dataset_digest: str = ""


class SearchModels(Message, frozen=True):
    experiment_ids: tuple[str, ...] = ()
    filter: str = ""
    datasets: tuple[Dataset, ...] = ()
    max_results: Int32 = 50
    order_by: tuple[OrderBy, ...] = ()
    page_token: str = ""


class ModelInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a logged model is. Times are milliseconds."""

    model_id: str
    experiment_id: str
    name: str
    creation_timestamp_ms: int
    last_updated_timestamp_ms: int
    artifact_uri: str
    status: str
    tags: list[Field]
    model_type: str = ""
    source_run_id: str = ""


class MetricInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A point that was measured of a model. value: a text for NaN; timestamp: milliseconds."""

    key: str
    value: float | str
    timestamp: int
    step: int
    model_id: str
    run_id: str
    dataset_name: str = ""
    dataset_digest: str = ""


class ModelData(msgspec.Struct, frozen=True):
    params: list[Field]
    metrics: list[MetricInfo]


class LoggedModelBody(msgspec.Struct, frozen=True):
    info: ModelInfo
    data: ModelData


def routes(face: Face) -> tuple[RouteSpec, ...]:
    """Return the routes of logged models."""
    at = "/mlflow/logged-models"
    one = f"{at}/{{model_id}}"
    return (
        *face.routes("POST", at, LOG, create, "Create a logged model", CreateModel),
        *face.routes("POST", f"{at}/search", READ, search, "Find logged models", SearchModels),
        *face.routes("GET", one, READ, get, "Get a logged model", GetModel),
        *face.routes("PATCH", one, LOG, finalize, "Say that a logged model is complete", FinalizeModel),
        *face.routes("DELETE", one, LOG, delete, "Delete a logged model"),
        *face.routes("PATCH", f"{one}/tags", LOG, set_tags, "Set tags", SetTags),
        *face.routes("DELETE", f"{one}/tags/{{tag_key}}", LOG, delete_tag, "Delete a tag"),
        *face.routes("POST", f"{one}/params", LOG, log_params, "Log params", LogParams),
    )


def create(app: App, call: Call) -> Answer:
    wanted = call.read(CreateModel)
    require(wanted, "experiment_id")
    made = app.logged_models.create(
        check_experiment_id(wanted.experiment_id),
        name=wanted.name,
        model_type=wanted.model_type,
        source_run_id=wanted.source_run_id,
        params=read_params(wanted.params),
        tags=read_tags(wanted.tags),
    )
    return answer_as("model", model_body(made))


def get(app: App, call: Call) -> Answer:
    include_deleted = call.read(GetModel).allow_deleted
    found = app.logged_models.get(call.path["model_id"], include_deleted=include_deleted)
    return answer_as("model", model_body(found))


def finalize(app: App, call: Call) -> Answer:
    status = call.read(FinalizeModel).status
    if status is None:
        raise missing_value("status")
    return answer_as(
        "model", model_body(app.logged_models.set_status(call.path["model_id"], _read_status(status)))
    )


def delete(app: App, call: Call) -> Answer:
    app.logged_models.delete(call.path["model_id"])
    return EMPTY


def set_tags(app: App, call: Call) -> Answer:
    tags = read_tags(call.read(SetTags).tags)
    return answer_as("model", model_body(app.logged_models.set_tags(call.path["model_id"], tags)))


def delete_tag(app: App, call: Call) -> Answer:
    app.logged_models.delete_tag(call.path["model_id"], call.path["tag_key"])
    return EMPTY


def log_params(app: App, call: Call) -> Answer:
    params = read_params(call.read(LogParams).params)
    app.logged_models.log_params(call.path["model_id"], params)
    return EMPTY


def search(app: App, call: Call) -> Answer:
    asked = call.read(SearchModels)
    page = app.logged_models.search(
        LoggedModelQuery(
            experiment_ids=tuple(check_experiment_id(each) for each in asked.experiment_ids),
            filter=asked.filter,
            datasets=tuple(MeasuredOn(each.dataset_name, each.dataset_digest) for each in asked.datasets),
            order=tuple(_read_order(each) for each in asked.order_by),
            limit=asked.max_results,
            cursor=asked.page_token,
        )
    )
    rows = (msgspec.json.encode(model_body(each)) for each in page.models)
    return answer_page("models", rows, page.next_cursor)


def model_body(model: LoggedModel) -> LoggedModelBody:
    """Return what MLflow's clients know of a logged model."""
    info = ModelInfo(
        model_id=model.model_id,
        experiment_id=model.experiment_id,
        name=model.name,
        creation_timestamp_ms=to_micros(model.created_at) // 1000,
        last_updated_timestamp_ms=to_micros(model.updated_at) // 1000,
        artifact_uri=model.artifact_uri,
        status=_STATUS_NAMES[_STATUSES.index(model.status)],
        tags=[Field(key, value) for key, value in model.tags.items()],
        model_type=model.model_type,
        source_run_id=model.source_run_id,
    )
    params = [Field(key, value) for key, value in model.params.items()]
    return LoggedModelBody(info, ModelData(params, [_metric(model.model_id, each) for each in model.metrics]))


def _metric(model_id: str, metric: ModelMetric) -> MetricInfo:
    return MetricInfo(
        key=metric.key,
        value=_shown(metric.value),
        timestamp=metric.at_micros // 1000,
        step=metric.step,
        model_id=model_id,
        run_id=metric.run_id,
        dataset_name=metric.dataset_name,
        dataset_digest=metric.dataset_digest,
    )


def _shown(value: float) -> float | str:
    """Return a value as MLflow's clients are told it: JSON has no NaN, and MLflow no infinities.

    >>> _shown(float("nan")), _shown(float("-inf")) == -sys.float_info.max
    ('NaN', True)
    """
    if math.isnan(value):
        return "NaN"
    return max(-sys.float_info.max, min(sys.float_info.max, value))


def _read_order(order: OrderBy) -> ModelOrder:
    measured_on = MeasuredOn(order.dataset_name, order.dataset_digest)
    return ModelOrder(order.field_name, is_descending=not order.ascending, measured_on=measured_on)


def _read_status(status: str | int) -> LoggedModelStatus:
    if status in _STATUS_NAMES:
        return _STATUSES[_STATUS_NAMES.index(str(status))]
    number = int(status) if str(status).isdecimal() else -1
    if 0 <= number < len(_STATUSES):
        return _STATUSES[number]
    raise invalid_value("status", status, f"It must be one of {', '.join(_STATUS_NAMES)}.")
