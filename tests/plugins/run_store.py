"""A store with as many runs as a test wants, made in seconds: of each 10 metrics, 10 params and 5 tags."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial

import msgspec

from paddock.app import App
from paddock.kernel.clock import to_micros
from paddock.metadata import SqlValue, Transaction
from paddock.tracking import MetricPoint
from paddock.tracking.summary import Summary, encode_summary

NEWEST = datetime(2026, 11, 11, tzinfo=UTC)
MODELS = ("forest", "boosting", "linear", "mlp")
_BATCH = 2_000
_TABLES = {
    "runs": (
        "run_no, run_id, project_id, experiment_no, name, status, lifecycle, parent_id, user_name, principal,"
        " environment_digest, started_at, ended_at, created_at"
    ),
    "run_params": "run_no, key, experiment_no, value, principal",
    "run_tags": "run_no, key, experiment_no, value, principal",
    "run_metrics": "run_no, key, experiment_no, value, step, at, principal",
    "run_summaries": "run_no, body",
}


class Kept(msgspec.Struct, frozen=True):
    """What one run has. auc rises with its number: the newest run is the best."""

    number: int
    run_id: str
    at: int
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]


def make_run(number: int, count: int) -> Kept:
    """Return the run of that number, from 1 to `count`."""
    return Kept(
        number,
        f"{number:032x}",
        to_micros(NEWEST) - (count - number) * 60_000_000,
        {
            "model": MODELS[number % 4],
            "depth": str(number % 11),
            "batch size": str(2 ** (4 + number % 5)),
            **{f"p{place}": str(number % (place + 2)) for place in range(7)},
        },
        {"owner": ("ann", "bob")[number % 2], **{f"t{place}": str(number % 3) for place in range(4)}},
        {"auc": 0.5 + number / (2 * count), **{f"m{place}": (number % 97) / 97 for place in range(9)}},
    )


def fill_runs(app: App, count: int, *, experiment: str = "search") -> None:
    """Put `count` active, finished runs into one experiment of an otherwise empty store."""
    made = app.experiments.create(experiment)
    number = app.metadata.read(
        lambda reader: reader.fetch_one("SELECT MAX(experiment_no) AS n FROM experiments")
    )
    assert number is not None
    experiment_no = int(str(number["n"]))
    assert made.name == experiment
    for start in range(1, count + 1, _BATCH):
        runs = [make_run(each, count) for each in range(start, min(start + _BATCH, count + 1))]
        app.metadata.write(partial(_insert, runs=runs, experiment_no=experiment_no))


def _insert(tx: Transaction, runs: list[Kept], experiment_no: int) -> None:
    rows: dict[str, list[dict[str, SqlValue]]] = {name: [] for name in _TABLES}
    for run in runs:
        for name, row in _rows(run, experiment_no):
            rows[name].append(row)
    for name, columns in _TABLES.items():
        places = ", ".join(f":{column}" for column in columns.split(", "))
        tx.execute_many(f"INSERT INTO {name} ({columns}) VALUES ({places})", rows[name])


def _rows(run: Kept, experiment_no: int) -> Iterator[tuple[str, dict[str, SqlValue]]]:
    own: dict[str, SqlValue] = {"run_no": run.number, "experiment_no": experiment_no, "principal": "ann"}
    yield (
        "runs",
        {
            **own,
            "run_id": run.run_id,
            "project_id": "default",
            "name": f"run-{run.number:05d}",
            "status": "finished",
            "lifecycle": "active",
            "parent_id": "",
            "user_name": "ann",
            "environment_digest": "",
            "started_at": run.at,
            "ended_at": run.at + 30_000_000,
            "created_at": run.at,
        },
    )
    for table, pairs in (("run_params", run.params), ("run_tags", run.tags)):
        for key, text in pairs.items():
            yield table, {**own, "key": key, "value": text}
    for key, value in run.metrics.items():
        yield "run_metrics", {**own, "key": key, "value": value, "step": 0, "at": run.at}
    points = [MetricPoint(key, value, 0, run.at) for key, value in run.metrics.items()]
    summary = Summary().with_metrics(points).with_params(run.params).with_tags(run.tags)
    yield "run_summaries", {"run_no": run.number, "body": encode_summary(summary)}
