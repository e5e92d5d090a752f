"""What is asked of both servers over HTTP: the rows of the table, each a plan for the client."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, repeat
from typing import Literal
from urllib.parse import urlencode

import msgspec

from peers import rows
from peers.load import Plan, Request

API = "/api/2.0/mlflow"
BATCH_POINTS = 1_000
PAGE_RUNS = 100
PAGE_POINTS = 25_000
DRAWN_POINTS = 320  # as many as a browser asks for to draw a curve
CLIENTS = 32

FILTER = "metrics.metric_0 > 0.5 and params.optimizer = 'adam'"
BY_METRIC, BY_PARAM = "metrics.metric_1 DESC", "params.param_1 ASC"

_ticks = count(1)  # no two points of this run are the same one


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured. small and large: runs that are searched; workers: of the peer, in turn."""

    small: int = 10_000
    large: int = 100_000
    points: int = 1_000_000
    seconds: float = 1.0
    repeats: int = 3
    workers: tuple[int, ...] = (4, 1)


QUICK = Sizes(small=1_000, large=3_000, points=20_000, seconds=0.4, repeats=1, workers=(1,))


@dataclass(frozen=True, slots=True)
class Step:
    """What is asked again and again. shows: `rate` also as requests a second, `time` without the p99."""

    name: str
    plan: Plan
    shows: Literal["rate", "latency", "time"]


def write_steps(sizes: Sizes) -> list[Step]:
    """Return the writes. Each client has a run of its own."""
    steps = []
    for clients in (1, CLIENTS):
        who = "1 client" if clients == 1 else f"{clients} clients"
        for is_kept, how in ((True, "keep-alive"), (False, "new connections")):
            plan = Plan(_points, sizes.seconds, clients, least=4, is_kept=is_kept)
            name = f"log_metric, {who}, {how}"
            steps.append(Step(name, plan, "latency" if clients == 1 else "rate"))
    tens, thousands = Plan(_batches_of_ten_keys, sizes.seconds), Plan(_batches_of_new_keys, sizes.seconds)
    return [
        *steps,
        Step("log_batch of 1,000: 10 keys, 100 steps", tens, "time"),
        Step("log_batch of 1,000: 1,000 keys", thousands, "time"),
        Step("create run with 5 tags", Plan(_new_runs, sizes.seconds), "time"),
    ]


def search_steps(sizes: Sizes, run_count: int) -> list[Step]:
    """Return what is asked of the searched experiment while it has so many runs."""
    among = f"of {run_count:,} runs"
    pages = {
        f"first page, {PAGE_RUNS} {among}": search_body(),
        f"search {among}: filter by metric and param, order by metric": search_body(FILTER, BY_METRIC),
        f"search {among}: order by param": search_body("", BY_PARAM),
    }
    return [
        Step(name, _same(Request("POST", f"{API}/runs/search", body), sizes), "time")
        for name, body in pages.items()
    ]


def history_steps(sizes: Sizes) -> list[Step]:
    """Return what is asked of the long history."""
    run_id = rows.history_id()
    drawn = {"run_ids": run_id, "metric_key": rows.POINT_KEY, "max_results": DRAWN_POINTS}
    page = {"run_id": run_id, "metric_key": rows.POINT_KEY, "max_results": PAGE_POINTS}
    bulk = Request("GET", f"/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?{urlencode(drawn)}")
    whole = Request("GET", f"{API}/metrics/get-history?{urlencode(page)}")
    of = f"history of {sizes.points:,} points"
    return [
        Step(f"{of}, sampled to {DRAWN_POINTS}", _same(bulk, sizes), "time"),
        Step(f"{of}, page of {PAGE_POINTS:,}", _same(whole, sizes), "time"),
    ]


def warm_up_plans() -> list[Plan]:
    """Return a call of each kind, so that no call that is measured is a server's first."""
    page = Request("POST", f"{API}/runs/search", search_body())
    kinds = (_points, _batches_of_ten_keys, _new_runs, lambda _: repeat(page))
    return [Plan(requests, 0.0, least=3) for requests in kinds]


def search_body(condition: str = "", order: str = "", most: int = PAGE_RUNS) -> bytes:
    body: dict[str, object] = {"experiment_ids": [str(rows.SEARCHED_ID)], "max_results": most}
    if condition:
        body["filter"] = condition
    if order:
        body["order_by"] = [order]
    return msgspec.json.encode(body)


def new_run_body() -> bytes:
    name = f"made-{next(_ticks)}"
    tags = [{"key": key, "value": value} for key, value in rows.run_tags(name, "draft")]
    body = {
        "experiment_id": str(rows.TARGETS_ID),
        "user_id": "bench",
        "start_time": rows.STARTED_MS,
        "run_name": name,
        "tags": tags,
    }
    return msgspec.json.encode(body)


def _points(client: int) -> Iterator[Request]:
    run_id = rows.target_ids()[client]
    for step in _ticks:
        body = {
            "run_id": run_id,
            "run_uuid": run_id,
            "key": "loss",
            "value": 1 / step,
            "timestamp": rows.STARTED_MS + step,
            "step": step,
        }
        yield Request("POST", f"{API}/runs/log-metric", msgspec.json.encode(body))


def _batches_of_ten_keys(_: int) -> Iterator[Request]:
    for first in _ticks:
        names = [(f"metric_{place % 10}", 1_000 * first + place // 10) for place in range(BATCH_POINTS)]
        yield _batch(rows.target_ids()[-1], names)


def _batches_of_new_keys(_: int) -> Iterator[Request]:
    """Yield batches of 1,000 keys, the same ones at a later step each time."""
    for step in _ticks:
        yield _batch(rows.target_ids()[-2], [(f"layer/{place}/norm", step) for place in range(BATCH_POINTS)])


def _batch(run_id: str, names: list[tuple[str, int]]) -> Request:
    metrics = [
        {"key": key, "value": 1 / (step + 1), "timestamp": rows.STARTED_MS + step, "step": step}
        for key, step in names
    ]
    body = {"run_id": run_id, "metrics": metrics, "params": [], "tags": []}
    return Request("POST", f"{API}/runs/log-batch", msgspec.json.encode(body))


def _new_runs(_: int) -> Iterator[Request]:
    while True:
        yield Request("POST", f"{API}/runs/create", new_run_body())


def _same(request: Request, sizes: Sizes) -> Plan:
    return Plan(lambda _: repeat(request), sizes.seconds, most=30)
