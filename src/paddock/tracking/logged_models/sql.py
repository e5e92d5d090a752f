"""Rows of logged models."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from paddock.kernel.clock import from_micros
from paddock.metadata import Reader, Row, Transaction
from paddock.tracking.locations import artifact_root
from paddock.tracking.logged_models.records import LoggedModel, LoggedModelStatus, ModelMetric
from paddock.tracking.records import Lifecycle, ModelPoint
from paddock.tracking.sql.stamps import RunKey, Stamp

MAX_SHOWN_POINTS = 1_000
_CHUNK = 500

# of a join of `logged_models m` and `experiments e`
MODEL_COLUMNS = (
    "m.model_no, m.model_id, m.experiment_no, m.name, m.model_type, m.source_run_id, m.status, m.lifecycle,"
    " m.principal, m.created_at, m.updated_at, e.experiment_id, e.artifact_location"
)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A logged model without what was logged to it. artifact_location: that of its experiment."""

    model_no: int
    experiment_no: int
    artifact_location: str
    model: LoggedModel


def insert_model(tx: Transaction, model: LoggedModel, experiment_no: int, stamp: Stamp) -> int:
    """Insert a pending model and return its number."""
    row = tx.fetch_one(
        """
        INSERT INTO logged_models (model_id, project_id, experiment_no, name, model_type, source_run_id,
                                   status, lifecycle, deleted_at, principal, created_at, updated_at)
        VALUES (:model_id, :project_id, :experiment_no, :name, :model_type, :source_run_id, 'pending',
                'active', NULL, :principal, :now, :now)
        RETURNING model_no
        """,
        {
            "model_id": model.model_id,
            "project_id": stamp.actor.project_id,
            "experiment_no": experiment_no,
            "name": model.name,
            "model_type": model.model_type,
            "source_run_id": model.source_run_id,
            "principal": stamp.actor.principal,
            "now": stamp.at_micros,
        },
    )
    assert row is not None, "an INSERT returns its row"
    return _whole(row["model_no"])


def find_model(reader: Reader, project_id: str, model_id: str) -> ModelRow | None:
    """Return a model, deleted or not."""
    row = reader.fetch_one(
        f"""
        SELECT {MODEL_COLUMNS} FROM logged_models m JOIN experiments e ON e.experiment_no = m.experiment_no
        WHERE m.model_id = :model_id AND m.project_id = :project_id
        """,  # noqa: S608 - own columns
        {"model_id": model_id, "project_id": project_id},
    )
    return None if row is None else model_row_of(row)


def set_status(tx: Transaction, model_no: int, status: LoggedModelStatus, stamp: Stamp) -> None:
    tx.execute(
        "UPDATE logged_models SET status = :status, updated_at = :now WHERE model_no = :model_no",
        {"model_no": model_no, "status": status, "now": stamp.at_micros},
    )


def set_deleted(tx: Transaction, model_no: int, stamp: Stamp) -> None:
    tx.execute(
        """
        UPDATE logged_models SET lifecycle = 'deleted', deleted_at = :now, updated_at = :now
        WHERE model_no = :model_no
        """,
        {"model_no": model_no, "now": stamp.at_micros},
    )


def insert_params(tx: Transaction, row: ModelRow, params: Mapping[str, str], stamp: Stamp) -> None:
    tx.execute_many(
        """
        INSERT INTO logged_model_params (model_no, key, experiment_no, value, principal)
        VALUES (:model_no, :key, :experiment_no, :value, :principal)
        """,
        _pairs(row, params, stamp),
    )


def set_tags(tx: Transaction, row: ModelRow, tags: Mapping[str, str], stamp: Stamp) -> None:
    tx.execute_many(
        """
        INSERT INTO logged_model_tags (model_no, key, experiment_no, value, principal)
        VALUES (:model_no, :key, :experiment_no, :value, :principal)
        ON CONFLICT (model_no, key) DO UPDATE SET value = excluded.value, principal = excluded.principal
        """,
        _pairs(row, tags, stamp),
    )


def delete_tag(tx: Transaction, model_no: int, key: str) -> int:
    return tx.execute(
        "DELETE FROM logged_model_tags WHERE model_no = :model_no AND key = :key",
        {"model_no": model_no, "key": key},
    )


def insert_points(
    tx: Transaction, numbers: Mapping[str, int], run: RunKey, points: Sequence[ModelPoint], stamp: Stamp
) -> None:
    """Add points, no two of which take the same place. numbers: of the models, by their ids."""
    tx.execute_many(
        """
        INSERT INTO logged_model_metrics (model_no, key, run_no, step, at, dataset_name, dataset_digest,
                                          value, principal)
        VALUES (:model_no, :key, :run_no, :step, :at, :dataset_name, :dataset_digest, :value, :principal)
        ON CONFLICT (model_no, key, run_no, step, at, dataset_name, dataset_digest) DO UPDATE
        SET value = excluded.value
        WHERE excluded.value > logged_model_metrics.value
          OR (logged_model_metrics.value IS NULL AND excluded.value IS NOT NULL)
        """,
        [
            {
                "model_no": numbers[each.model_id],
                "key": each.point.key,
                "run_no": run.run_no,
                "step": each.point.step,
                "at": each.point.at_micros,
                "dataset_name": each.dataset_name,
                "dataset_digest": each.dataset_digest,
                "value": None if math.isnan(each.point.value) else each.point.value,
                "principal": stamp.actor.principal,
            }
            for each in points
        ],
    )


def find_numbers(reader: Reader, project_id: str, model_ids: Sequence[str]) -> dict[str, int]:
    """Return the numbers of those models that are there and not deleted, by id."""
    ids = {f"id_{number}": model_id for number, model_id in enumerate(model_ids)}
    places = ", ".join(f":{name}" for name in ids)
    rows = reader.fetch_all(
        f"""
        SELECT model_id, model_no FROM logged_models
        WHERE model_id IN ({places}) AND project_id = :project_id AND lifecycle = 'active'
        """,  # noqa: S608 - names of parameters
        {**ids, "project_id": project_id},
    )
    return {str(row["model_id"]): _whole(row["model_no"]) for row in rows}


def get_params(reader: Reader, model_no: int) -> dict[str, str]:
    return _read_pairs(reader, "logged_model_params", [model_no]).get(model_no, {})


def fill(reader: Reader, found: Sequence[ModelRow]) -> tuple[LoggedModel, ...]:
    """Return the models with what was logged to them, in the same order."""
    filled: list[LoggedModel] = []
    for start in range(0, len(found), _CHUNK):
        part = found[start : start + _CHUNK]
        numbers = [row.model_no for row in part]
        params = _read_pairs(reader, "logged_model_params", numbers)
        tags = _read_pairs(reader, "logged_model_tags", numbers)
        metrics = _read_points(reader, numbers)
        filled += [
            replace(
                row.model,
                params=params.get(row.model_no, {}),
                tags=tags.get(row.model_no, {}),
                metrics=tuple(metrics.get(row.model_no, ())),
            )
            for row in part
        ]
    return tuple(filled)


def model_row_of(row: Row) -> ModelRow:
    """Return a row of MODEL_COLUMNS."""
    location = str(row["artifact_location"])
    experiment_id, model_id = str(row["experiment_id"]), str(row["model_id"])
    model = LoggedModel(
        model_id=model_id,
        experiment_id=experiment_id,
        name=str(row["name"]),
        model_type=str(row["model_type"]),
        source_run_id=str(row["source_run_id"]),
        status=cast(LoggedModelStatus, row["status"]),
        lifecycle=cast(Lifecycle, row["lifecycle"]),
        artifact_uri=f"{artifact_root(experiment_id, location)}/models/{model_id}/artifacts",
        principal=str(row["principal"]),
        created_at=from_micros(_whole(row["created_at"])),
        updated_at=from_micros(_whole(row["updated_at"])),
    )
    return ModelRow(_whole(row["model_no"]), _whole(row["experiment_no"]), location, model)


def _pairs(row: ModelRow, pairs: Mapping[str, str], stamp: Stamp) -> list[dict[str, str | int]]:
    return [
        {
            "model_no": row.model_no,
            "key": key,
            "experiment_no": row.experiment_no,
            "value": value,
            "principal": stamp.actor.principal,
        }
        for key, value in pairs.items()
    ]


def _read_pairs(reader: Reader, table: str, numbers: Sequence[int]) -> dict[int, dict[str, str]]:
    places = ", ".join(str(number) for number in numbers)
    found: dict[int, dict[str, str]] = {}
    for row in reader.fetch_all(
        f"SELECT model_no, key, value FROM {table} WHERE model_no IN ({places}) ORDER BY model_no, key"  # noqa: S608
    ):
        found.setdefault(_whole(row["model_no"]), {})[str(row["key"])] = str(row["value"])
    return found


def _read_points(reader: Reader, numbers: Sequence[int]) -> dict[int, list[ModelMetric]]:
    places = ", ".join(str(number) for number in numbers)
    rows = reader.fetch_all(
        f"""
        SELECT q.*, r.run_id FROM (
          SELECT p.*, ROW_NUMBER() OVER (
            PARTITION BY p.model_no, p.key ORDER BY p.at DESC, p.step DESC, p.run_no
          ) AS place
          FROM logged_model_metrics p WHERE p.model_no IN ({places})
        ) q JOIN runs r ON r.run_no = q.run_no
        WHERE q.place <= :most ORDER BY q.model_no, q.key, q.place DESC
        """,  # noqa: S608 - whole numbers
        {"most": MAX_SHOWN_POINTS},
    )
    found: dict[int, list[ModelMetric]] = {}
    for row in rows:
        found.setdefault(_whole(row["model_no"]), []).append(_metric(row))
    return found


def _metric(row: Row) -> ModelMetric:
    value = row["value"]
    return ModelMetric(
        key=str(row["key"]),
        value=math.nan if value is None else float(cast(float, value)),
        step=_whole(row["step"]),
        at_micros=_whole(row["at"]),
        run_id=str(row["run_id"]),
        dataset_name=str(row["dataset_name"]),
        dataset_digest=str(row["dataset_digest"]),
    )


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
