"""Time calls of MLflow's own client against several servers, in turn. Runs in the environment of MLflow.

    python mlflow_client.py < plan.json

plan: {"urls": {label: url}, "repeats": N, "seconds": S, "condition": FILTER, "order": ORDER, "limit": N}.
Prints {call: {label: [median milliseconds of each repetition]}}.
"""

import json
import statistics
import sys
from collections.abc import Callable
from importlib import import_module
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Protocol

sys.path.append(str(Path(__file__).resolve().parent.parent))

from peers import rows

_ticks = count(10_000_000)


class Client(Protocol):
    """Of MLflow's client what is used here."""

    def log_metric(self, run_id: str, key: str, value: float, timestamp: int, step: int) -> object: ...

    def log_batch(self, run_id: str, metrics: list[object]) -> object: ...

    def create_run(
        self, experiment_id: str, start_time: int, tags: dict[str, str], run_name: str
    ) -> object: ...

    def search_runs(
        self, experiment_ids: list[str], *, filter_string: str, order_by: list[str], max_results: int
    ) -> object: ...


def main() -> None:
    plan = json.load(sys.stdin)
    make = import_module("mlflow").MlflowClient
    metric = import_module("mlflow.entities").Metric
    clients: dict[str, Client] = {label: make(tracking_uri=url) for label, url in plan["urls"].items()}
    runs = rows.target_ids()

    def log_metric(client: Client) -> None:
        step = next(_ticks)
        client.log_metric(runs[0], "loss", 1 / step, rows.STARTED_MS + step, step)

    def log_batch(client: Client) -> None:
        first = 1_000 * next(_ticks)
        points = [
            metric(f"metric_{place % 10}", 0.5, rows.STARTED_MS + place, first + place // 10)
            for place in range(1_000)
        ]
        client.log_batch(runs[1], points)

    def create_run(client: Client) -> None:
        name = f"made-{next(_ticks)}"
        client.create_run(str(rows.TARGETS_ID), rows.STARTED_MS, dict(rows.run_tags(name, "draft")), name)

    def search_runs(client: Client) -> None:
        client.search_runs(
            [str(rows.SEARCHED_ID)],
            filter_string=plan["condition"],
            order_by=[plan["order"]],
            max_results=plan["limit"],
        )

    calls = {
        "log_metric": log_metric,
        "log_batch of 1,000": log_batch,
        "create_run": create_run,
        "search_runs": search_runs,
    }
    taken = {name: measure(call, clients, plan["repeats"], plan["seconds"]) for name, call in calls.items()}
    print(json.dumps(taken))


def measure(
    call: Callable[[Client], None], clients: dict[str, Client], repeats: int, seconds: float
) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {label: [] for label in clients}
    for client in clients.values():
        call(client)  # connections, imports, caches
    for _ in range(repeats):
        for label, client in clients.items():
            times: list[float] = []
            until = perf_counter() + seconds
            while not times or perf_counter() < until:
                begun = perf_counter()
                call(client)
                times.append(perf_counter() - begun)
            taken[label].append(1e3 * statistics.median(times))
    return taken


if __name__ == "__main__":
    main()
