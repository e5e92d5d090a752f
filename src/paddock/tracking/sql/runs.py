"""Runs, and what is logged to them beside metric points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from paddock.kernel.clock import from_micros, to_micros
from paddock.kernel.ids import RunId
from paddock.metadata import Reader, Row, SqlValue, Transaction
from paddock.tracking.records import (
    DescribedDataset,
    DescribedInput,
    Direction,
    Lifecycle,
    ModelLink,
    Run,
    RunInput,
    RunStatus,
)
from paddock.tracking.sql.stamps import RunKey, Stamp

# of a join of `runs r` and `experiments e`
RUN_COLUMNS = (
    "r.run_no, r.run_id, r.experiment_no, r.name, r.status, r.lifecycle, r.parent_id, r.user_name,"
    " r.principal, r.environment_digest, r.started_at, r.ended_at, e.name AS experiment, e.experiment_id,"
    " e.artifact_location"
)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run without what was logged to it. summary: empty when it must be put together."""

    key: RunKey
    run: Run
    summary: str


def insert_run(tx: Transaction, run: Run, experiment_no: int, stamp: Stamp) -> RunKey:
    row = tx.fetch_one(
        """
        INSERT INTO runs (run_id, project_id, principal, experiment_no, name, status, lifecycle, deleted_at,
                          parent_id, user_name, environment_digest, started_at, ended_at, created_at)
        VALUES (:run_id, :project_id, :principal, :experiment_no, :name, :status, 'active', NULL, :parent_id,
                :user_name, :environment_digest, :started_at, :ended_at, :now)
        RETURNING run_no
        """,
        {
            "run_id": run.run_id,
            "project_id": stamp.actor.project_id,
            "principal": stamp.actor.principal,
            "experiment_no": experiment_no,
            "name": run.name,
            "status": run.status,
            "parent_id": run.parent_id,
            "user_name": run.user_name,
            "environment_digest": run.environment_digest,
            "started_at": to_micros(run.started_at),
            "ended_at": None if run.ended_at is None else to_micros(run.ended_at),
            "now": stamp.at_micros,
        },
    )
    assert row is not None, "an INSERT returns its row"
    return RunKey(_whole(row["run_no"]), experiment_no)


def set_status(tx: Transaction, run_no: int, status: RunStatus, ended_at: int | None) -> None:
    tx.execute(
        "UPDATE runs SET status = :status, ended_at = :ended_at WHERE run_no = :run_no",
        {"run_no": run_no, "status": status, "ended_at": ended_at},
    )


def set_name(tx: Transaction, run_no: int, name: str) -> None:
    tx.execute("UPDATE runs SET name = :name WHERE run_no = :run_no", {"run_no": run_no, "name": name})


def set_parent(tx: Transaction, run_no: int, parent_id: str) -> None:
    tx.execute(
        "UPDATE runs SET parent_id = :parent_id WHERE run_no = :run_no",
        {"run_no": run_no, "parent_id": parent_id},
    )


def set_lifecycle(tx: Transaction, run_no: int, lifecycle: Lifecycle, deleted_at: int | None) -> None:
    tx.execute(
        "UPDATE runs SET lifecycle = :lifecycle, deleted_at = :deleted_at WHERE run_no = :run_no",
        {"run_no": run_no, "lifecycle": lifecycle, "deleted_at": deleted_at},
    )


def delete_runs_of(tx: Transaction, experiment_no: int, at_micros: int) -> None:
    """Delete the active runs of an experiment that is deleted at that moment."""
    tx.execute(
        """
        UPDATE runs SET lifecycle = 'deleted', deleted_at = :now
        WHERE experiment_no = :experiment_no AND lifecycle = 'active'
        """,
        {"experiment_no": experiment_no, "now": at_micros},
    )


def restore_runs_of(tx: Transaction, experiment_no: int, at_micros: int) -> None:
    """Restore the runs that were deleted with their experiment, at that moment."""
    tx.execute(
        """
        UPDATE runs SET lifecycle = 'active', deleted_at = NULL
        WHERE experiment_no = :experiment_no AND lifecycle = 'deleted' AND deleted_at = :then
        """,
        {"experiment_no": experiment_no, "then": at_micros},
    )


def set_summary(tx: Transaction, run_no: int, body: str) -> None:
    tx.execute(
        """
        INSERT INTO run_summaries (run_no, body) VALUES (:run_no, :body)
        ON CONFLICT (run_no) DO UPDATE SET body = excluded.body
        """,
        {"run_no": run_no, "body": body},
    )


def insert_params(tx: Transaction, run: RunKey, params: Mapping[str, str], stamp: Stamp) -> None:
    tx.execute_many(
        """
        INSERT INTO run_params (run_no, key, experiment_no, value, principal)
        VALUES (:run_no, :key, :experiment_no, :value, :principal)
        """,
        _pairs(run, params, stamp),
    )


def set_tags(tx: Transaction, run: RunKey, tags: Mapping[str, str], stamp: Stamp) -> None:
    tx.execute_many(
        """
        INSERT INTO run_tags (run_no, key, experiment_no, value, principal)
        VALUES (:run_no, :key, :experiment_no, :value, :principal)
        ON CONFLICT (run_no, key) DO UPDATE SET value = excluded.value, principal = excluded.principal
        """,
        _pairs(run, tags, stamp),
    )


def delete_tag(tx: Transaction, run_no: int, key: str) -> int:
    return tx.execute(
        "DELETE FROM run_tags WHERE run_no = :run_no AND key = :key", {"run_no": run_no, "key": key}
    )


def insert_input(tx: Transaction, run_no: int, used: RunInput, stamp: Stamp) -> None:
    tx.execute(
        """
        INSERT INTO run_inputs (run_no, dataset_name, dataset_version, role, principal)
        VALUES (:run_no, :dataset_name, :dataset_version, :role, :principal)
        ON CONFLICT (run_no, dataset_name, dataset_version, role) DO NOTHING
        """,
        {
            "run_no": run_no,
            "dataset_name": used.dataset.name,
            "dataset_version": used.dataset.version,
            "role": used.role,
            "principal": stamp.actor.principal,
        },
    )


def ensure_dataset(tx: Transaction, experiment_no: int, dataset: DescribedDataset) -> int:
    """Return the number of a described dataset, made if it is new; what was said of it first stays."""
    key: dict[str, SqlValue] = {
        "experiment_no": experiment_no,
        "name": dataset.name,
        "digest": dataset.digest,
    }
    tx.execute(
        """
        INSERT INTO described_datasets (experiment_no, name, digest, source_type, source, schema_text,
                                        profile)
        VALUES (:experiment_no, :name, :digest, :source_type, :source, :schema_text, :profile)
        ON CONFLICT (experiment_no, name, digest) DO NOTHING
        """,
        {
            **key,
            "source_type": dataset.source_type,
            "source": dataset.source,
            "schema_text": dataset.schema_text,
            "profile": dataset.profile,
        },
    )
    row = tx.fetch_one(
        """
        SELECT dataset_no FROM described_datasets
        WHERE experiment_no = :experiment_no AND name = :name AND digest = :digest
        """,
        key,
    )
    assert row is not None, "it was inserted in this transaction or before"
    return _whole(row["dataset_no"])


def insert_described_input(
    tx: Transaction, run_no: int, dataset_no: int, context: str, tags: str, stamp: Stamp
) -> None:
    """Link a described dataset; the first link of a run to it stays. tags: JSON."""
    tx.execute(
        """
        INSERT INTO run_described_inputs (run_no, dataset_no, context, tags, principal)
        VALUES (:run_no, :dataset_no, :context, :tags, :principal)
        ON CONFLICT (run_no, dataset_no) DO NOTHING
        """,
        {
            "run_no": run_no,
            "dataset_no": dataset_no,
            "context": context,
            "tags": tags,
            "principal": stamp.actor.principal,
        },
    )


def insert_model_links(
    tx: Transaction, run_no: int, direction: Direction, links: Sequence[ModelLink], stamp: Stamp
) -> None:
    """Link logged models; the first link of a run to one in a direction stays."""
    tx.execute_many(
        """
        INSERT INTO run_models (run_no, direction, model_id, step, principal)
        VALUES (:run_no, :direction, :model_id, :step, :principal)
        ON CONFLICT (run_no, direction, model_id) DO NOTHING
        """,
        [
            {
                "run_no": run_no,
                "direction": direction,
                "model_id": link.model_id,
                "step": link.step,
                "principal": stamp.actor.principal,
            }
            for link in links
        ],
    )


def find_run(reader: Reader, project_id: str, run_id: str) -> RunRow | None:
    """Return the run with its summary."""
    row = reader.fetch_one(
        f"""
        SELECT {RUN_COLUMNS}, s.body AS summary
        FROM runs r JOIN experiments e ON e.experiment_no = r.experiment_no
        LEFT JOIN run_summaries s ON s.run_no = r.run_no
        WHERE r.run_id = :run_id AND r.project_id = :project_id
        """,  # noqa: S608 - own columns
        {"run_id": run_id, "project_id": project_id},
    )
    return None if row is None else run_row_of(row)


def has_run_id(reader: Reader, run_id: str) -> bool:
    """Say whether any project has a run of this id."""
    row = reader.fetch_one("SELECT 1 AS one FROM runs WHERE run_id = :run_id", {"run_id": run_id})
    return row is not None


def list_runs(
    reader: Reader,
    project_id: str,
    experiment: str,
    parent_id: str,
    before: tuple[int, str] | None,
    limit: int,
) -> list[RunRow]:
    """Return active runs, newest first, of one experiment or parent where one is named."""
    params: dict[str, SqlValue] = {"project_id": project_id, "limit": limit}
    conditions = ["r.project_id = :project_id", "r.lifecycle = 'active'"]
    if experiment:
        conditions.append(
            "r.experiment_no = (SELECT experiment_no FROM experiments"
            " WHERE project_id = :project_id AND name = :experiment)"
        )
        params["experiment"] = experiment
    if parent_id:
        conditions.append("r.parent_id = :parent_id")
        params["parent_id"] = parent_id
    if before is not None:
        conditions.append(
            "(r.started_at < :before_at OR (r.started_at = :before_at AND r.run_id > :before_id))"
        )
        params["before_at"], params["before_id"] = before
    rows = reader.fetch_all(
        f"""
        SELECT {RUN_COLUMNS}, s.body AS summary
        FROM runs r JOIN experiments e ON e.experiment_no = r.experiment_no
        LEFT JOIN run_summaries s ON s.run_no = r.run_no
        WHERE {" AND ".join(conditions)}
        ORDER BY r.started_at DESC, r.run_id LIMIT :limit
        """,  # noqa: S608 - conditions of this function alone
        params,
    )
    return [run_row_of(row) for row in rows]


def get_params(reader: Reader, run_no: int) -> dict[str, str]:
    return _read_pairs(reader, "run_params", run_no)


def get_tags(reader: Reader, run_no: int) -> dict[str, str]:
    return _read_pairs(reader, "run_tags", run_no)


def list_inputs(reader: Reader, run_no: int) -> list[tuple[str, int, str]]:
    """Return (dataset, version, role) of each dataset version the run has read."""
    rows = reader.fetch_all(
        """
        SELECT dataset_name, dataset_version, role FROM run_inputs WHERE run_no = :run_no
        ORDER BY dataset_name, dataset_version, role
        """,
        {"run_no": run_no},
    )
    return [(str(row["dataset_name"]), _whole(row["dataset_version"]), str(row["role"])) for row in rows]


def list_described_inputs(reader: Reader, run_no: int) -> list[tuple[DescribedInput, str]]:
    """Return each described dataset of a run; its tags stand beside it as JSON."""
    rows = reader.fetch_all(
        """
        SELECT d.name, d.digest, d.source_type, d.source, d.schema_text, d.profile, i.tags
        FROM run_described_inputs i JOIN described_datasets d ON d.dataset_no = i.dataset_no
        WHERE i.run_no = :run_no ORDER BY i.dataset_no
        """,
        {"run_no": run_no},
    )
    names = ("name", "digest", "source_type", "source", "schema_text", "profile")
    return [
        (DescribedInput(DescribedDataset(*(str(row[name]) for name in names))), str(row["tags"]))
        for row in rows
    ]


def list_model_links(reader: Reader, run_no: int, direction: Direction) -> list[ModelLink]:
    rows = reader.fetch_all(
        """
        SELECT model_id, step FROM run_models WHERE run_no = :run_no AND direction = :direction
        ORDER BY step, model_id
        """,
        {"run_no": run_no, "direction": direction},
    )
    return [ModelLink(str(row["model_id"]), _whole(row["step"])) for row in rows]


def run_row_of(row: Row) -> RunRow:
    """Return a row of RUN_COLUMNS and `summary`."""
    ended_at = row["ended_at"]
    run = Run(
        run_id=RunId(str(row["run_id"])),
        experiment=str(row["experiment"]),
        name=str(row["name"]),
        status=cast(RunStatus, row["status"]),
        started_at=from_micros(_whole(row["started_at"])),
        ended_at=None if ended_at is None else from_micros(_whole(ended_at)),
        parent_id=str(row["parent_id"]),
        principal=str(row["principal"]),
        environment_digest=str(row["environment_digest"]),
        experiment_id=str(row["experiment_id"]),
        lifecycle=cast(Lifecycle, row["lifecycle"]),
        user_name=str(row["user_name"]),
        artifact_location=str(row["artifact_location"]),
    )
    key = RunKey(_whole(row["run_no"]), _whole(row["experiment_no"]))
    return RunRow(key, run, str(row["summary"] or ""))


def _pairs(run: RunKey, pairs: Mapping[str, str], stamp: Stamp) -> list[Mapping[str, SqlValue]]:
    return [
        {
            "run_no": run.run_no,
            "key": key,
            "experiment_no": run.experiment_no,
            "value": value,
            "principal": stamp.actor.principal,
        }
        for key, value in pairs.items()
    ]


def _read_pairs(reader: Reader, table: str, run_no: int) -> dict[str, str]:
    rows = reader.fetch_all(
        f"SELECT key, value FROM {table} WHERE run_no = :run_no ORDER BY key",  # noqa: S608 - own names
        {"run_no": run_no},
    )
    return {str(row["key"]): str(row["value"]) for row in rows}


def _whole(value: SqlValue) -> int:
    assert isinstance(value, int)
    return value
