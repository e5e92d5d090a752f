"""Runs as plain values, put into a store by SQL, and what a search must find among them, said again."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cmp_to_key
from typing import cast

from paddock.metadata import SqlValue, Transaction
from paddock.tracking.search import And, Comparison, Expression, Not, Or, OrderKey, Target

PROJECT = "default"
_STATUS = "finished"


@dataclass(frozen=True, slots=True)
class ToyRun:
    """A run as a test says it. Times in microseconds. inputs: name, digest and context of datasets."""

    run_no: int
    run_id: str
    experiment_no: int = 1
    name: str = "a run"
    status: str = _STATUS
    lifecycle: str = "active"
    parent_id: str = ""
    user_name: str = "ann"
    started_at: int = 0
    ended_at: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[tuple[str, str, str], ...] = ()
    project_id: str = PROJECT


def insert_experiment(
    tx: Transaction, number: int, *, project_id: str = PROJECT, name: str = "", created_at: int = 0
) -> None:
    """Add the experiment with that number; its id is the same one."""
    tx.execute(
        "INSERT INTO experiments (experiment_no, project_id, experiment_id, name, artifact_location,"
        " lifecycle, principal, created_at, updated_at)"
        " VALUES (:number, :project_id, :number, :name, '', 'active', 'ann', :created_at, :created_at)",
        {
            "number": number,
            "project_id": project_id,
            "name": name or f"experiment {number}",
            "created_at": created_at,
        },
    )


def insert_runs(tx: Transaction, runs: Iterable[ToyRun]) -> None:
    """Add runs with all they have; their experiments must be there."""
    for run in runs:
        tx.execute(
            "INSERT INTO runs (run_no, run_id, project_id, experiment_no, name, status, lifecycle, parent_id,"
            " user_name, principal, environment_digest, started_at, ended_at, created_at)"
            " VALUES (:run_no, :run_id, :project_id, :experiment_no, :name, :status, :lifecycle, :parent_id,"
            " :user_name, 'ann', '', :started_at, :ended_at, 0)",
            {name: cast(SqlValue, getattr(run, name)) for name in _COLUMNS},
        )
        _insert_pairs(tx, run)
        _insert_inputs(tx, run)
        tx.execute(
            "INSERT INTO run_summaries (run_no, body) VALUES (:run_no, :body)",
            {"run_no": run.run_no, "body": f"summary of {run.run_id}"},
        )


_COLUMNS = (
    "run_no",
    "run_id",
    "project_id",
    "experiment_no",
    "name",
    "status",
    "lifecycle",
    "parent_id",
    "user_name",
    "started_at",
    "ended_at",
)


def _insert_pairs(tx: Transaction, run: ToyRun) -> None:
    own = {"run_no": run.run_no, "experiment_no": run.experiment_no}
    tx.execute_many(
        "INSERT INTO run_metrics (run_no, key, experiment_no, value, step, at, principal)"
        " VALUES (:run_no, :key, :experiment_no, :value, 0, 0, 'ann')",
        [
            {**own, "key": key, "value": None if math.isnan(value) else value}
            for key, value in run.metrics.items()
        ],
    )
    for table, pairs in (("run_params", run.params), ("run_tags", run.tags)):
        tx.execute_many(
            f"INSERT INTO {table} (run_no, key, experiment_no, value, principal)"
            " VALUES (:run_no, :key, :experiment_no, :value, 'ann')",
            [{**own, "key": key, "value": value} for key, value in pairs.items()],
        )


def _insert_inputs(tx: Transaction, run: ToyRun) -> None:
    """Datasets whose digest is a whole number are the store's own."""
    for number, (name, digest, context) in enumerate(run.inputs):
        own: dict[str, SqlValue] = {"run_no": run.run_no, "name": name, "context": context}
        if digest.isdecimal():
            tx.execute(
                "INSERT INTO run_inputs (run_no, dataset_name, dataset_version, role, principal)"
                " VALUES (:run_no, :name, :version, :context, 'ann')",
                {**own, "version": int(digest)},
            )
            continue
        dataset_no = run.run_no * 100 + number
        tx.execute(
            "INSERT INTO described_datasets (dataset_no, experiment_no, name, digest, source_type, source,"
            " schema_text, profile) VALUES (:dataset_no, :run_no, :name, :digest, '', '', '', '')",
            {"dataset_no": dataset_no, "run_no": run.run_no, "name": name, "digest": digest},
        )
        tx.execute(
            "INSERT INTO run_described_inputs (run_no, dataset_no, context, tags, principal)"
            " VALUES (:run_no, :dataset_no, :context, '[]', 'ann')",
            {"run_no": run.run_no, "dataset_no": dataset_no, "context": context},
        )


def holds(expression: Expression | None, run: ToyRun) -> bool:
    """Say whether a filter holds for a run."""
    if expression is None:
        return True
    if isinstance(expression, And):
        return all(holds(term, run) for term in expression.terms)
    if isinstance(expression, Or):
        return any(holds(term, run) for term in expression.terms)
    if isinstance(expression, Not):
        return not holds(expression.term, run)
    if expression.target.kind == "dataset":
        place = ("name", "digest", "context").index(expression.target.key)
        found = [each[place] for each in run.inputs if each[place]]
        if expression.operator == "IS NULL":
            return not found
        return any(_compares(expression, value) for value in found)
    return _compares(expression, value_of(expression.target, run))


def value_of(target: Target, run: ToyRun) -> float | str | None:
    """Return what a run has of a target; times in milliseconds, None for nothing."""
    if target.kind == "metric":
        return run.metrics.get(target.key)
    if target.kind == "param":
        return run.params.get(target.key)
    if target.kind == "tag":
        return run.tags.get(target.key)
    values: dict[str, float | str | None] = {
        "run_id": run.run_id,
        "run_name": run.name,
        "status": run.status,
        "user_id": run.user_name,
        "artifact_uri": f"mlflow-artifacts:/{run.experiment_no}/{run.run_id}/artifacts",
        "start_time": run.started_at // 1000,
        "end_time": None if run.ended_at is None else run.ended_at // 1000,
        "experiment_id": str(run.experiment_no),
        "parent_id": run.parent_id or None,
        "lifecycle": run.lifecycle,
    }
    return values[target.key]


def _compares(comparison: Comparison, value: float | str | None) -> bool:
    operator, wanted = comparison.operator, comparison.value
    if operator in ("IS NULL", "IS NOT NULL"):
        return (value is None) == (operator == "IS NULL")
    if value is None:
        return False
    if operator == "IS NAN":
        return isinstance(value, float) and math.isnan(value)
    if isinstance(wanted, tuple):
        return (value in wanted) == (operator == "IN")
    if operator in ("LIKE", "ILIKE"):
        return _is_like(str(value), str(wanted), is_folded=operator == "ILIKE")
    if operator in ("=", "!="):
        return (value == wanted) == (operator == "=")
    number, bound = cast(float, value), cast(float, wanted)
    return {">": number > bound, ">=": number >= bound, "<": number < bound, "<=": number <= bound}[operator]


def _is_like(value: str, pattern: str, *, is_folded: bool) -> bool:
    """Match `%` and `_`, by the lengths of the pattern that fit so far."""
    if is_folded:
        value, pattern = _fold(value), _fold(pattern)
    fits = {0}
    for character in pattern:
        if character == "%":
            fits = set(range(min(fits), len(value) + 1)) if fits else fits
        else:
            fits = {at + 1 for at in fits if at < len(value) and character in ("_", value[at])}
    return len(value) in fits


def _fold(text: str) -> str:
    return "".join(chr(ord(each) + 32) if "A" <= each <= "Z" else each for each in text)


def sort_runs(runs: Iterable[ToyRun], keys: Sequence[OrderKey]) -> list[ToyRun]:
    """Return runs by keys; then the newest first, then by run_id."""

    def compare(one: ToyRun, other: ToyRun) -> int:
        for key in keys:
            order = _compare_by(key, one, other)
            if order:
                return order
        older = (-one.started_at, one.run_id) < (-other.started_at, other.run_id)
        return -1 if older else 1

    return sorted(runs, key=cmp_to_key(compare))


def _compare_by(key: OrderKey, one: ToyRun, other: ToyRun) -> int:
    values = [_sortable(key.target, run) for run in (one, other)]
    ranks = [0 if value == value and value is not None else 1 if value is not None else 2 for value in values]
    if ranks[0] != ranks[1]:
        return ranks[0] - ranks[1]
    if ranks[0] or values[0] == values[1]:
        return 0
    is_less = cast(float, values[0]) < cast(float, values[1])
    return -1 if is_less != key.is_descending else 1


def _sortable(target: Target, run: ToyRun) -> float | str | None:
    if target.key == "start_time" and target.kind == "attribute":
        return run.started_at
    if target.key == "end_time" and target.kind == "attribute":
        return run.ended_at
    if target.key == "experiment_id" and target.kind == "attribute":
        return run.experiment_no
    value = value_of(target, run)
    return value[:256] if isinstance(value, str) else value
