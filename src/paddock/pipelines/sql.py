"""The statements of this room."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from paddock.kernel.clock import from_micros, to_micros
from paddock.kernel.refs import Actor
from paddock.metadata import Reader, Row, SqlValue, Transaction
from paddock.pipelines.records import (
    CacheEntry,
    PipelineRun,
    PipelineStatus,
    StepInput,
    StepRun,
    StepState,
)

_STATUSES: Mapping[str, PipelineStatus] = {
    "running": "running",
    "succeeded": "succeeded",
    "failed": "failed",
    "killed": "killed",
}
_STATES: Mapping[str, StepState] = {
    "queued": "queued",
    "running": "running",
    "succeeded": "succeeded",
    "cached": "cached",
    "failed": "failed",
    "skipped": "skipped",
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
class Request:
    """An idempotency key and the address of what was asked with it; both empty without a key."""

    key: str
    digest: str


def insert_run(tx: Transaction, run: PipelineRun, request: Request, stamp: Stamp) -> None:
    tx.execute(
        """
        INSERT INTO pipeline_runs (pipeline_run_id, project_id, principal, pipeline, status, params,
                                   idempotency_key, request_digest, reason, started_at, ended_at, created_at)
        VALUES (:pipeline_run_id, :project_id, :principal, :pipeline, :status, :params,
                :idempotency_key, :request_digest, '', :started_at, NULL, :now)
        """,
        {
            "pipeline_run_id": run.pipeline_run_id,
            "pipeline": run.pipeline,
            "status": run.status,
            "params": msgspec.json.encode(run.params).decode(),
            "idempotency_key": request.key,
            "request_digest": request.digest,
            "started_at": to_micros(run.started_at),
            **stamp.columns(),
        },
    )


def end_run(tx: Transaction, pipeline_run_id: str, status: PipelineStatus, reason: str, stamp: Stamp) -> int:
    """End a run that still runs; returns how many rows changed."""
    return tx.execute(
        """
        UPDATE pipeline_runs SET status = :status, reason = :reason, ended_at = :now
        WHERE pipeline_run_id = :pipeline_run_id AND status = 'running' AND project_id = :project_id
        """,
        {
            "pipeline_run_id": pipeline_run_id,
            "status": status,
            "reason": reason,
            "now": stamp.at_micros,
            "project_id": stamp.actor.project_id,
        },
    )


def end_open_steps(tx: Transaction, pipeline_run_id: str, reason: str, stamp: Stamp) -> None:
    """Mark steps that run as failed and steps that wait as skipped."""
    tx.execute(
        """
        UPDATE step_runs
        SET state = CASE state WHEN 'running' THEN 'failed' ELSE 'skipped' END,
            reason = :reason, ended_at = :now
        WHERE pipeline_run_id = :pipeline_run_id AND state IN ('queued', 'running')
        """,
        {"pipeline_run_id": pipeline_run_id, "reason": reason, "now": stamp.at_micros},
    )


def set_steps(tx: Transaction, steps: Sequence[StepRun], stamp: Stamp) -> None:
    """Write the state of steps; one that has ended in the store stays as it is."""
    tx.execute_many(
        """
        INSERT INTO step_runs (step_run_id, project_id, principal, pipeline_run_id, position, name, state,
                               cache_key, code_digest, inputs, output_kind, output_digest, output_bytes,
                               log_digest, started_at, ended_at, reason, created_at)
        VALUES (:step_run_id, :project_id, :principal, :pipeline_run_id, :position, :name, :state,
                :cache_key, :code_digest, :inputs, :output_kind, :output_digest, :output_bytes,
                :log_digest, :started_at, :ended_at, :reason, :now)
        ON CONFLICT (step_run_id) DO UPDATE SET
          state = excluded.state, cache_key = excluded.cache_key, code_digest = excluded.code_digest,
          inputs = excluded.inputs, output_kind = excluded.output_kind,
          output_digest = excluded.output_digest, output_bytes = excluded.output_bytes,
          log_digest = excluded.log_digest, started_at = excluded.started_at,
          ended_at = excluded.ended_at, reason = excluded.reason
        WHERE step_runs.state IN ('queued', 'running')
        """,
        [_step_columns(step, stamp) for step in steps],
    )


def set_entries(tx: Transaction, entries: Sequence[CacheEntry], stamp: Stamp) -> None:
    """Keep outputs under their keys; a newer output of the same key takes the place of the old."""
    tx.execute_many(
        """
        INSERT INTO step_cache (project_id, cache_key, principal, step, step_run_id, output_kind,
                                output_digest, output_bytes, code_digest, inputs_digest,
                                environment_digest, created_at)
        VALUES (:project_id, :cache_key, :principal, :step, :step_run_id, :output_kind,
                :output_digest, :output_bytes, :code_digest, :inputs_digest,
                :environment_digest, :now)
        ON CONFLICT (project_id, cache_key) DO UPDATE SET
          principal = excluded.principal, step_run_id = excluded.step_run_id,
          output_kind = excluded.output_kind, output_digest = excluded.output_digest,
          output_bytes = excluded.output_bytes, created_at = excluded.created_at
        """,
        [
            {
                "cache_key": entry.cache_key,
                "step": entry.step,
                "step_run_id": entry.step_run_id,
                "output_kind": entry.output_kind,
                "output_digest": entry.output_digest,
                "output_bytes": entry.output_bytes,
                "code_digest": entry.code_digest,
                "inputs_digest": entry.inputs_digest,
                "environment_digest": entry.environment_digest,
                **stamp.columns(),
            }
            for entry in entries
        ],
    )


def set_values(tx: Transaction, values: Mapping[str, bytes], stamp: Stamp) -> None:
    """Keep small bodies; writing one again mends a damaged row."""
    tx.execute_many(
        """
        INSERT INTO step_values (project_id, digest, body, principal, created_at)
        VALUES (:project_id, :digest, :body, :principal, :now)
        ON CONFLICT (project_id, digest) DO UPDATE SET body = excluded.body
        """,
        [{"digest": digest, "body": values[digest], **stamp.columns()} for digest in sorted(values)],
    )


def find_value(reader: Reader, project_id: str, digest: str) -> bytes | None:
    row = reader.fetch_one(
        "SELECT body FROM step_values WHERE project_id = :project_id AND digest = :digest",
        {"project_id": project_id, "digest": digest},
    )
    if row is None:
        return None
    body = row["body"]
    assert isinstance(body, bytes)
    return body


def find_entry(reader: Reader, project_id: str, cache_key: str) -> CacheEntry | None:
    row = reader.fetch_one(
        "SELECT * FROM step_cache WHERE project_id = :project_id AND cache_key = :cache_key",
        {"project_id": project_id, "cache_key": cache_key},
    )
    return None if row is None else _entry(row)


def find_latest_entry(reader: Reader, project_id: str, step: str) -> CacheEntry | None:
    row = reader.fetch_one(
        """
        SELECT * FROM step_cache WHERE project_id = :project_id AND step = :step
        ORDER BY created_at DESC LIMIT 1
        """,
        {"project_id": project_id, "step": step},
    )
    return None if row is None else _entry(row)


def find_run(reader: Reader, project_id: str, pipeline_run_id: str) -> PipelineRun | None:
    """Return the run without its steps."""
    row = reader.fetch_one(
        """
        SELECT * FROM pipeline_runs WHERE pipeline_run_id = :pipeline_run_id AND project_id = :project_id
        """,
        {"pipeline_run_id": pipeline_run_id, "project_id": project_id},
    )
    return None if row is None else _run(row)


def list_runs_of_key(reader: Reader, actor: Actor, key: str) -> list[tuple[PipelineRun, str]]:
    """Return the runs of an idempotency key with the address of what was asked, newest first."""
    rows = reader.fetch_all(
        """
        SELECT * FROM pipeline_runs
        WHERE project_id = :project_id AND principal = :principal AND idempotency_key = :key
        ORDER BY created_at DESC, pipeline_run_id DESC
        """,
        {"project_id": actor.project_id, "principal": actor.principal, "key": key},
    )
    return [(_run(row), str(row["request_digest"])) for row in rows]


def list_runs(
    reader: Reader, project_id: str, pipeline: str, before: tuple[int, str] | None, limit: int
) -> list[PipelineRun]:
    """Return runs without their steps, newest first."""
    conditions = ["project_id = :project_id"]
    params: dict[str, SqlValue] = {"project_id": project_id, "limit": limit}
    if pipeline:
        conditions.append("pipeline = :pipeline")
        params["pipeline"] = pipeline
    if before is not None:
        conditions.append("(started_at, pipeline_run_id) < (:before_at, :before_id)")
        params["before_at"], params["before_id"] = before
    where = " AND ".join(conditions)
    rows = reader.fetch_all(
        f"SELECT * FROM pipeline_runs WHERE {where} "  # noqa: S608 - conditions of this function alone
        "ORDER BY started_at DESC, pipeline_run_id DESC LIMIT :limit",
        params,
    )
    return [_run(row) for row in rows]


def list_steps(reader: Reader, project_id: str, pipeline_run_id: str) -> tuple[StepRun, ...]:
    rows = reader.fetch_all(
        """
        SELECT * FROM step_runs
        WHERE pipeline_run_id = :pipeline_run_id AND project_id = :project_id ORDER BY position
        """,
        {"pipeline_run_id": pipeline_run_id, "project_id": project_id},
    )
    return tuple(_step(row) for row in rows)


def find_step(reader: Reader, project_id: str, step_run_id: str) -> StepRun | None:
    row = reader.fetch_one(
        "SELECT * FROM step_runs WHERE step_run_id = :step_run_id AND project_id = :project_id",
        {"step_run_id": step_run_id, "project_id": project_id},
    )
    return None if row is None else _step(row)


def _step_columns(step: StepRun, stamp: Stamp) -> dict[str, SqlValue]:
    return {
        "step_run_id": step.step_run_id,
        "pipeline_run_id": step.pipeline_run_id,
        "position": step.position,
        "name": step.name,
        "state": step.state,
        "cache_key": step.cache_key,
        "code_digest": step.code_digest,
        "inputs": msgspec.json.encode(step.inputs).decode(),
        "output_kind": step.output_kind,
        "output_digest": step.output_digest,
        "output_bytes": step.output_bytes,
        "log_digest": step.log_digest,
        "started_at": None if step.started_at is None else to_micros(step.started_at),
        "ended_at": None if step.ended_at is None else to_micros(step.ended_at),
        "reason": step.reason,
        **stamp.columns(),
    }


def _run(row: Row) -> PipelineRun:
    ended_at = row["ended_at"]
    return PipelineRun(
        pipeline_run_id=str(row["pipeline_run_id"]),
        pipeline=str(row["pipeline"]),
        status=_STATUSES[str(row["status"])],
        params=msgspec.json.decode(str(row["params"]), type=dict[str, str]),
        principal=str(row["principal"]),
        started_at=from_micros(_whole(row["started_at"])),
        ended_at=None if ended_at is None else from_micros(_whole(ended_at)),
        reason=str(row["reason"]),
    )


def _step(row: Row) -> StepRun:
    started_at, ended_at = row["started_at"], row["ended_at"]
    return StepRun(
        step_run_id=str(row["step_run_id"]),
        pipeline_run_id=str(row["pipeline_run_id"]),
        position=_whole(row["position"]),
        name=str(row["name"]),
        state=_STATES[str(row["state"])],
        cache_key=str(row["cache_key"]),
        code_digest=str(row["code_digest"]),
        inputs=msgspec.json.decode(str(row["inputs"]), type=tuple[StepInput, ...]),
        output_kind=str(row["output_kind"]),
        output_digest=str(row["output_digest"]),
        output_bytes=_whole(row["output_bytes"]),
        log_digest=str(row["log_digest"]),
        started_at=None if started_at is None else from_micros(_whole(started_at)),
        ended_at=None if ended_at is None else from_micros(_whole(ended_at)),
        reason=str(row["reason"]),
    )


def _entry(row: Row) -> CacheEntry:
    return CacheEntry(
        cache_key=str(row["cache_key"]),
        step=str(row["step"]),
        step_run_id=str(row["step_run_id"]),
        output_kind=str(row["output_kind"]),
        output_digest=str(row["output_digest"]),
        output_bytes=_whole(row["output_bytes"]),
        code_digest=str(row["code_digest"]),
        inputs_digest=str(row["inputs_digest"]),
        environment_digest=str(row["environment_digest"]),
    )


def _whole(value: SqlValue) -> int:
    assert isinstance(value, int)
    return value
