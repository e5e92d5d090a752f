"""What is known of logged models, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from paddock.tracking.records import Lifecycle

LoggedModelStatus = Literal["unspecified", "pending", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class ModelMetric:
    """A point that a run measured of a model. dataset_name, dataset_digest: on what, or empty."""

    key: str
    value: float
    step: int
    at_micros: int
    run_id: str
    dataset_name: str = ""
    dataset_digest: str = ""


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """One logged model. artifact_uri: where clients keep its files. source_run_id: who made it, or empty.

    metrics: by key, then the oldest first; at most the newest 1,000 points of each key.
    """

    model_id: str
    experiment_id: str
    name: str
    model_type: str
    source_run_id: str
    status: LoggedModelStatus
    lifecycle: Lifecycle
    artifact_uri: str
    principal: str
    created_at: datetime
    updated_at: datetime
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[ModelMetric, ...] = ()


@dataclass(frozen=True, slots=True)
class MeasuredOn:
    """A dataset by name and digest; without a digest it is every dataset of that name."""

    dataset_name: str
    dataset_digest: str = ""


@dataclass(frozen=True, slots=True)
class ModelOrder:
    """A key to sort by, `metrics.<key>` or an attribute. measured_on: which points of a metric count."""

    field_name: str
    is_descending: bool = False
    measured_on: MeasuredOn = MeasuredOn("")


@dataclass(frozen=True, slots=True)
class LoggedModelQuery:
    """Logged models to find, of these experiments.

    filter: MLflow's grammar; a metric fits when one of its points does. datasets: only points measured on one
    of them count, and a model has such points. Models that are equal by `order` come newest first, then by
    model_id. cursor: `next_cursor` of the page before, of a query that differs in nothing but the limit.
    """

    experiment_ids: tuple[str, ...]
    filter: str = ""
    datasets: tuple[MeasuredOn, ...] = ()
    order: tuple[ModelOrder, ...] = ()
    limit: int = 50
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class LoggedModelPage:
    """Some models in order. next_cursor: give it back for the next page; empty on the last one."""

    models: tuple[LoggedModel, ...]
    next_cursor: str
