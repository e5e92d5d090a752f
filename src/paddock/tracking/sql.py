"""The statements of this room. Values that go in were checked by `rules`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from paddock.kernel.clock import from_micros, to_micros
from paddock.kernel.digest import Digest
from paddock.kernel.ids import RunId
from paddock.kernel.refs import Actor, DatasetRef
from paddock.metadata import Reader, Row, SqlValue, Transaction
from paddock.tracking.records import (
    Artifact,
    Experiment,
    MetricPoint,
    Run,
    RunInput,
    RunStatus,
    decode_value,
    encode_value,
)

_STATUSES: Mapping[str, RunStatus] = {
    "running": "running",
    "finished": "finished",
    "failed": "failed",
    "killed": "killed",
}


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who writes, and when: the columns that every row has."""

    actor: Actor
    at_micros: int

    def columns(self) -> dict[str, SqlValue]:
        return {
            "project_id": self.actor.project_id,
            "principal": self.actor.principal,
            "now": self.at_micros,
        }


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to list; empty means all. before: position behind which to go on."""

    project_id: str
    experiment: str
    parent_id: str
    before: tuple[int, str] | None
    limit: int


def ensure_experiment(tx: Transaction, name: str, stamp: Stamp) -> None:
    tx.execute(
        """
        INSERT INTO experiments (project_id, name, principal, created_at)
        VALUES (:project_id, :name, :principal, :now)
        ON CONFLICT (project_id, name) DO NOTHING
        """,
        {"name": name, **stamp.columns()},
    )


def insert_run(tx: Transaction, run: Run, stamp: Stamp) -> None:
    tx.execute(
        """
        INSERT INTO runs (run_id, project_id, principal, experiment, name, status, parent_id,
                          environment_digest, started_at, ended_at, created_at)
        VALUES (:run_id, :project_id, :principal, :experiment, :name, :status, :parent_id,
                :environment_digest, :started_at, NULL, :now)
        """,
        {
            "run_id": run.run_id,
            "experiment": run.experiment,
            "name": run.name,
            "status": run.status,
            "parent_id": run.parent_id,
            "environment_digest": run.environment_digest,
            "started_at": to_micros(run.started_at),
            **stamp.columns(),
        },
    )


def end_run(tx: Transaction, run_id: str, status: RunStatus, stamp: Stamp) -> None:
    tx.execute(
        "UPDATE runs SET status = :status, ended_at = :now WHERE run_id = :run_id AND status = 'running'",
        {"run_id": run_id, "status": status, "now": stamp.at_micros},
    )


def insert_params(tx: Transaction, run_id: str, params: Mapping[str, str], stamp: Stamp) -> None:
    tx.execute_many(
        """
        INSERT INTO run_params (run_id, key, value, project_id, principal, created_at)
        VALUES (:run_id, :key, :value, :project_id, :principal, :now)
        """,
        [{"run_id": run_id, "key": key, "value": params[key], **stamp.columns()} for key in params],
    )


def set_tags(tx: Transaction, run_id: str, tags: Mapping[str, str], stamp: Stamp) -> None:
    tx.execute_many(
        """
        INSERT INTO run_tags (run_id, key, value, project_id, principal, created_at)
        VALUES (:run_id, :key, :value, :project_id, :principal, :now)
        ON CONFLICT (run_id, key) DO UPDATE SET
          value = excluded.value, principal = excluded.principal, created_at = excluded.created_at
        """,
        [{"run_id": run_id, "key": key, "value": tags[key], **stamp.columns()} for key in tags],
    )


def insert_points(tx: Transaction, run_id: str, points: Sequence[MetricPoint], stamp: Stamp) -> None:
    """Add points; one that is stored already, in all its parts, stays one."""
    tx.execute_many(
        """
        INSERT INTO metric_points (run_id, key, step, at, kind, value, project_id, principal, received_at)
        VALUES (:run_id, :key, :step, :at, :kind, :value, :project_id, :principal, :now)
        ON CONFLICT (run_id, key, step, at, kind, value) DO NOTHING
        """,
        _point_rows(run_id, points, stamp),
    )


def set_latest_metrics(tx: Transaction, run_id: str, points: Sequence[MetricPoint], stamp: Stamp) -> None:
    """Take each point as its key's latest value unless a later one is stored."""
    tx.execute_many(
        """
        INSERT INTO run_metrics (run_id, key, step, at, kind, value, project_id, principal, received_at)
        VALUES (:run_id, :key, :step, :at, :kind, :value, :project_id, :principal, :now)
        ON CONFLICT (run_id, key) DO UPDATE SET
          step = excluded.step, at = excluded.at, kind = excluded.kind, value = excluded.value,
          principal = excluded.principal, received_at = excluded.received_at
        WHERE (excluded.step, excluded.at) >= (run_metrics.step, run_metrics.at)
        """,
        _point_rows(run_id, points, stamp),
    )


def insert_input(tx: Transaction, run_id: str, used: RunInput, stamp: Stamp) -> None:
    tx.execute(
        """
        INSERT INTO run_inputs (run_id, dataset_name, dataset_version, role,
                                project_id, principal, created_at)
        VALUES (:run_id, :dataset_name, :dataset_version, :role, :project_id, :principal, :now)
        ON CONFLICT (run_id, dataset_name, dataset_version, role) DO NOTHING
        """,
        {
            "run_id": run_id,
            "dataset_name": used.dataset.name,
            "dataset_version": used.dataset.version,
            "role": used.role,
            **stamp.columns(),
        },
    )


def set_artifact(tx: Transaction, run_id: str, artifact: Artifact, stamp: Stamp) -> None:
    tx.execute(
        """
        INSERT INTO run_artifacts (run_id, path, digest, size_bytes, project_id, principal, created_at)
        VALUES (:run_id, :path, :digest, :size_bytes, :project_id, :principal, :now)
        ON CONFLICT (run_id, path) DO UPDATE SET
          digest = excluded.digest, size_bytes = excluded.size_bytes,
          principal = excluded.principal, created_at = excluded.created_at
        """,
        {
            "run_id": run_id,
            "path": artifact.path,
            "digest": artifact.digest,
            "size_bytes": artifact.size_bytes,
            **stamp.columns(),
        },
    )


def find_run(reader: Reader, project_id: str, run_id: str) -> Run | None:
    """Return the bare run, without what was logged to it."""
    row = reader.fetch_one(
        "SELECT * FROM runs WHERE run_id = :run_id AND project_id = :project_id",
        {"run_id": run_id, "project_id": project_id},
    )
    return None if row is None else _run(row)


def has_run_id(reader: Reader, run_id: str) -> bool:
    """Say whether any project has a run of this id."""
    return (
        reader.fetch_one("SELECT 1 AS one FROM runs WHERE run_id = :run_id", {"run_id": run_id}) is not None
    )


def list_runs(reader: Reader, wanted: RunFilter) -> list[Run]:
    """Return bare runs, newest first."""
    conditions = ["project_id = :project_id"]
    params: dict[str, SqlValue] = {"project_id": wanted.project_id, "limit": wanted.limit}
    if wanted.experiment:
        conditions.append("experiment = :experiment")
        params["experiment"] = wanted.experiment
    if wanted.parent_id:
        conditions.append("parent_id = :parent_id")
        params["parent_id"] = wanted.parent_id
    if wanted.before is not None:
        conditions.append("(started_at, run_id) < (:before_at, :before_id)")
        params["before_at"], params["before_id"] = wanted.before
    where = " AND ".join(conditions)
    rows = reader.fetch_all(
        f"SELECT * FROM runs WHERE {where} ORDER BY started_at DESC, run_id DESC LIMIT :limit",  # noqa: S608
        params,
    )
    return [_run(row) for row in rows]


def fill_runs(reader: Reader, runs: Sequence[Run]) -> tuple[Run, ...]:
    """Return the runs with everything logged to them, in the same order; five statements for all."""
    if not runs:
        return ()
    params = _by_run(reader, "run_params", "key", runs)
    tags = _by_run(reader, "run_tags", "key", runs)
    metrics = _by_run(reader, "run_metrics", "key", runs)
    inputs = _by_run(reader, "run_inputs", "dataset_name, dataset_version, role", runs)
    artifacts = _by_run(reader, "run_artifacts", "path", runs)
    return tuple(
        replace(
            run,
            params={str(row["key"]): str(row["value"]) for row in params.get(run.run_id, ())},
            tags={str(row["key"]): str(row["value"]) for row in tags.get(run.run_id, ())},
            metrics={str(row["key"]): _value(row) for row in metrics.get(run.run_id, ())},
            inputs=tuple(_input(row) for row in inputs.get(run.run_id, ())),
            artifacts=tuple(_artifact(row) for row in artifacts.get(run.run_id, ())),
        )
        for run in runs
    )


def get_params(reader: Reader, run_id: str) -> Mapping[str, str]:
    rows = reader.fetch_all("SELECT key, value FROM run_params WHERE run_id = :run_id", {"run_id": run_id})
    return {str(row["key"]): str(row["value"]) for row in rows}


def find_artifact(reader: Reader, run_id: str, path: str) -> Artifact | None:
    row = reader.fetch_one(
        "SELECT path, digest, size_bytes FROM run_artifacts WHERE run_id = :run_id AND path = :path",
        {"run_id": run_id, "path": path},
    )
    return None if row is None else _artifact(row)


def list_points(reader: Reader, run_id: str, key: str) -> tuple[MetricPoint, ...]:
    rows = reader.fetch_all(
        """
        SELECT key, step, at, kind, value FROM metric_points
        WHERE run_id = :run_id AND key = :key
        ORDER BY step, at, kind, value
        """,
        {"run_id": run_id, "key": key},
    )
    return tuple(
        MetricPoint(str(row["key"]), _value(row), _whole(row["step"]), from_micros(_whole(row["at"])))
        for row in rows
    )


def list_experiments(reader: Reader, project_id: str) -> tuple[Experiment, ...]:
    """Return the experiments with the count of their runs, the one with the newest run first."""
    rows = reader.fetch_all(
        """
        SELECT e.name, e.principal, e.created_at,
               COUNT(r.run_id) AS run_count, COALESCE(MAX(r.started_at), e.created_at) AS last_run_at
        FROM experiments e
        LEFT JOIN runs r ON r.project_id = e.project_id AND r.experiment = e.name
        WHERE e.project_id = :project_id
        GROUP BY e.name, e.principal, e.created_at
        ORDER BY last_run_at DESC, e.name
        """,
        {"project_id": project_id},
    )
    return tuple(
        Experiment(
            name=str(row["name"]),
            principal=str(row["principal"]),
            created_at=from_micros(_whole(row["created_at"])),
            run_count=_whole(row["run_count"]),
            last_run_at=from_micros(_whole(row["last_run_at"])),
        )
        for row in rows
    )


def _by_run(reader: Reader, table: str, order: str, runs: Sequence[Run]) -> dict[str, list[Row]]:
    names = {f"run_{position}": run.run_id for position, run in enumerate(runs)}
    places = ", ".join(f":{name}" for name in names)
    rows = reader.fetch_all(
        f"SELECT * FROM {table} WHERE run_id IN ({places}) ORDER BY run_id, {order}",  # noqa: S608 - own names
        names,
    )
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row["run_id"]), []).append(row)
    return found


def _point_rows(run_id: str, points: Sequence[MetricPoint], stamp: Stamp) -> list[Mapping[str, SqlValue]]:
    columns = stamp.columns()
    rows: list[Mapping[str, SqlValue]] = []
    for point in points:
        kind, value = encode_value(point.value)
        rows.append(
            {
                "run_id": run_id,
                "key": point.key,
                "step": point.step,
                "at": to_micros(point.at),
                "kind": kind,
                "value": value,
                **columns,
            }
        )
    return rows


def _run(row: Row) -> Run:
    ended_at = row["ended_at"]
    return Run(
        run_id=RunId(str(row["run_id"])),
        experiment=str(row["experiment"]),
        name=str(row["name"]),
        status=_STATUSES[str(row["status"])],
        started_at=from_micros(_whole(row["started_at"])),
        ended_at=None if ended_at is None else from_micros(_whole(ended_at)),
        parent_id=str(row["parent_id"]),
        principal=str(row["principal"]),
        environment_digest=str(row["environment_digest"]),
    )


def _value(row: Row) -> float:
    value = row["value"]
    assert isinstance(value, int | float)
    return decode_value(str(row["kind"]), float(value))


def _input(row: Row) -> RunInput:
    return RunInput(DatasetRef(str(row["dataset_name"]), _whole(row["dataset_version"])), str(row["role"]))


def _artifact(row: Row) -> Artifact:
    return Artifact(str(row["path"]), Digest(str(row["digest"])), _whole(row["size_bytes"]))


def _whole(value: SqlValue) -> int:
    assert isinstance(value, int)
    return value
