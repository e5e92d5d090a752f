"""Fill a store of Paddock with the rows that `fill_mlflow` writes.

Experiments, targets and points go through the services. The many runs go into the tables by thousands at a
time, with what `start_run`, `log_batch` and `finish_run` would write, which takes minutes; only their events
are missing in the ledger.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice

from paddock.kernel.clock import SystemClock
from paddock.kernel.ids import RunId
from paddock.kernel.refs import DEFAULT_PROJECT, Actor
from paddock.metadata import Metadata, open_metadata
from paddock.objects import MemoryBackend, ObjectStore
from paddock.tracking import Experiments, MetricPoint, Tracking
from paddock.tracking.points.tail import encode_batch
from paddock.tracking.summary import Summary, encode_summary
from peers import rows
from peers.bulk import Target, connect

WHO = "bench"
ACTOR = Actor(DEFAULT_PROJECT, WHO)
CHUNK = 2_000
BATCH = 1_000  # points, as many as a client of MLflow sends at once
RUN_COLUMNS = (
    "run_no, run_id, project_id, experiment_no, name, status, lifecycle, parent_id, user_name, principal,"
    " environment_digest, started_at, ended_at, created_at"
)
PAIR_COLUMNS = "run_no, key, experiment_no, value, principal"
METRIC_COLUMNS = "run_no, key, experiment_no, value, step, at, principal"
TAIL_COLUMNS = "run_no, batch_no, points_before, point_count, principal, received_at, body"

Numbered = Sequence[tuple[int, rows.FilledRun]]


def create(url: str) -> None:
    """Make the store, the two experiments and the runs that are written to."""
    metadata = open_metadata(url, clock=SystemClock())
    experiments = Experiments(metadata, SystemClock(), ACTOR)
    experiments.ensure_default()
    for name in (rows.SEARCHED, rows.TARGETS):
        experiments.create(name)
    started = datetime.fromtimestamp(rows.STARTED_MS / 1000, UTC)
    for run_id, name in rows.target_names():
        _tracking(metadata).start_run(
            experiment=rows.TARGETS,
            name=name,
            tags=dict(rows.run_tags(name, "draft")),
            run_id=RunId(run_id),
            started_at=started,
        )
    metadata.close()


def add_runs(url: str, first: int, end: int) -> None:
    """Add the runs from number `first` to before `end`."""
    target = connect(url if url.startswith("postgresql://") else f"{url}/metadata.db")
    experiment_no = target.ask(f"SELECT experiment_no FROM experiments WHERE name = '{rows.SEARCHED}'")  # noqa: S608
    run_no = target.ask("SELECT MAX(run_no) FROM runs")
    numbered = enumerate(rows.filled_runs(first, end), start=run_no + 1)
    while chunk := list(islice(numbered, CHUNK)):
        _add_chunk(target, chunk, experiment_no)
    if url.startswith("postgresql://"):
        target.ask("SELECT setval(pg_get_serial_sequence('runs', 'run_no'), MAX(run_no)) FROM runs")
    target.close()


def add_points(url: str, count: int) -> None:
    """Log the long history."""
    metadata = open_metadata(url, clock=SystemClock())
    tracking, points = _tracking(metadata), rows.history(count)
    while batch := [
        MetricPoint(rows.POINT_KEY, value, step, millis * 1000)
        for step, millis, value in islice(points, BATCH)
    ]:
        tracking.log_metrics(rows.history_id(), batch)
    metadata.close()


def _tracking(metadata: Metadata) -> Tracking:
    return Tracking(metadata, ObjectStore(MemoryBackend()), SystemClock(), ACTOR)


def _add_chunk(target: Target, chunk: Numbered, experiment: int) -> None:
    target.add(
        "runs",
        RUN_COLUMNS,
        [
            (
                number,
                run.run_id,
                ACTOR.project_id,
                experiment,
                run.name,
                "finished",
                "active",
                "",
                WHO,
                WHO,
                "",
                run.started_ms * 1000,
                run.ended_ms * 1000,
                run.started_ms * 1000,
            )
            for number, run in chunk
        ],
    )
    params = [(number, key, experiment, value, WHO) for number, run in chunk for key, value in run.params]
    target.add("run_params", PAIR_COLUMNS, params)
    tags = [(number, key, experiment, value, WHO) for number, run in chunk for key, value in run.tags]
    target.add("run_tags", PAIR_COLUMNS, tags)
    metrics = [
        (number, key, experiment, value, 0, run.ended_ms * 1000, WHO)
        for number, run in chunk
        for key, value in run.metrics
    ]
    target.add("run_metrics", METRIC_COLUMNS, metrics)
    tails = [
        (number, 1, 0, len(run.metrics), WHO, run.ended_ms * 1000, encode_batch(_points(run)))
        for number, run in chunk
    ]
    target.add("metric_tail", TAIL_COLUMNS, tails)
    target.add("run_summaries", "run_no, body", [(number, _summary(run)) for number, run in chunk])


def _summary(run: rows.FilledRun) -> str:
    measured = Summary().with_metrics(_points(run))
    return encode_summary(measured.with_params(dict(run.params)).with_tags(dict(run.tags)))


def _points(run: rows.FilledRun) -> list[MetricPoint]:
    return [MetricPoint(key, value, 0, run.ended_ms * 1000) for key, value in run.metrics]
