"""Fill a store of MLflow by SQL into its own schema. Runs in the environment of MLflow.

    python fill_mlflow.py create URI ARTIFACTS | runs URI FIRST END | points URI COUNT

`create` makes the tables, the two experiments and the runs that are written to; MLflow itself does that.
What its server would do run by run takes hours; the rows are those it would write.
"""

import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from peers import rows
from peers.bulk import Cells, Target, connect

CHUNK = 2_000
RUN_COLUMNS = (
    "run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,"
    " source_version, lifecycle_stage, artifact_uri, experiment_id"
)
POINT_COLUMNS = "key, value, timestamp, step, is_nan, run_uuid"
PAIR_COLUMNS = "key, value, run_uuid"


def main() -> None:
    what, uri, *rest = sys.argv[1:]
    if what == "create":
        create_experiments(uri, rest[0])
    target = connect(uri)
    if what == "create":
        add_targets(target)
    elif what == "runs":
        add_runs(target, int(rest[0]), int(rest[1]))
    else:
        add_points(target, int(rest[0]))
    target.close()


def create_experiments(uri: str, artifacts: str) -> None:
    store = import_module("mlflow.store.tracking.sqlalchemy_store").SqlAlchemyStore(uri, artifacts)
    for name in (rows.SEARCHED, rows.TARGETS):
        store.create_experiment(name, None, [])
    import_module("mlflow.server.fastapi_app")  # so that no start that is measured compiles it


def add_targets(target: Target) -> None:
    names = rows.target_names()
    target.add(
        "runs",
        RUN_COLUMNS,
        [_run_row(run_id, name, rows.STARTED_MS, None, rows.TARGETS_ID) for run_id, name in names],
    )
    tags = [(*pair, run_id) for run_id, name in names for pair in rows.run_tags(name, "draft")]
    target.add("tags", PAIR_COLUMNS, tags)


def add_runs(target: Target, first: int, end: int) -> None:
    runs = rows.filled_runs(first, end)
    while chunk := list(islice(runs, CHUNK)):
        target.add(
            "runs",
            RUN_COLUMNS,
            [_run_row(run.run_id, run.name, run.started_ms, run.ended_ms, rows.SEARCHED_ID) for run in chunk],
        )
        target.add("params", PAIR_COLUMNS, [(*pair, run.run_id) for run in chunk for pair in run.params])
        target.add("tags", PAIR_COLUMNS, [(*pair, run.run_id) for run in chunk for pair in run.tags])
        points = list(_points(chunk))
        target.add("metrics", POINT_COLUMNS, points)
        target.add("latest_metrics", POINT_COLUMNS, points)


def add_points(target: Target, count: int) -> None:
    run_id, points = rows.history_id(), rows.history(count)
    last: Cells = ()
    while chunk := [
        (rows.POINT_KEY, value, millis, step, False, run_id) for step, millis, value in islice(points, 50_000)
    ]:
        target.add("metrics", POINT_COLUMNS, chunk)
        last = chunk[-1]
    target.add("latest_metrics", POINT_COLUMNS, [last])


def _points(runs: Sequence[rows.FilledRun]) -> Iterator[Cells]:
    for run in runs:
        for key, value in run.metrics:
            yield key, value, run.ended_ms, 0, False, run.run_id


def _run_row(run_id: str, name: str, started_ms: int, ended_ms: int | None, experiment: int) -> Cells:
    status = "RUNNING" if ended_ms is None else "FINISHED"
    artifacts = f"mlflow-artifacts:/{experiment}/{run_id}/artifacts"
    head = (run_id, name, "UNKNOWN", "", "", "bench", status, started_ms, ended_ms)
    return (*head, "", "active", artifacts, experiment)


if __name__ == "__main__":
    main()
