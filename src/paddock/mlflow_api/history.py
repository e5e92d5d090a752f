"""Points of metrics as they are read: page by page in order of time, or a few that draw the same curve."""

import base64
import binascii
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import msgspec

from paddock.app import App
from paddock.kernel.errors import InvalidInput, NotFound
from paddock.mlflow_api.answers import answer_page
from paddock.mlflow_api.binding import READ, Face
from paddock.mlflow_api.bodies import Int32, Int64, Message, OfRun, require, run_id_of
from paddock.mlflow_api.rules import check_results
from paddock.wire import Answer, Call, RouteSpec

MAX_BULK_POINTS = 25_000
MAX_SAMPLED_POINTS = 2_500
MAX_RUNS = 100

_encode = msgspec.json.Encoder().encode


class GetHistory(OfRun, frozen=True):
    metric_key: str = ""
    page_token: str = ""
    max_results: Int32 | None = None


class GetBulk(Message, frozen=True):
    run_id: tuple[str, ...] = ()
    metric_key: str = ""
    max_results: Int32 = MAX_BULK_POINTS


class GetSampled(Message, frozen=True):
    run_ids: tuple[str, ...] = ()
    metric_key: str = ""
    start_step: Int64 | None = None
    end_step: Int64 | None = None
    max_results: Int32 = MAX_SAMPLED_POINTS


class Point(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A point as it is sent. value: `NaN`, or a number, the infinities as the largest ones there are."""

    key: str
    value: float | str
    timestamp: int
    step: int
    run_id: str = ""


Row = tuple[int, int, float]  # step, microseconds, value


def routes(face: Face) -> tuple[RouteSpec, ...]:
    """Return the routes by which metrics are read."""
    at, few = "/mlflow/metrics", "Get a few points of each run that draw the same curve"
    return (
        *face.routes("GET", f"{at}/get-history", READ, get_history, "Get a metric's points", GetHistory),
        *face.routes("GET", f"{at}/get-history-bulk", READ, get_bulk, "Get those of several runs", GetBulk),
        *face.routes("GET", f"{at}/get-history-bulk-interval", READ, get_sampled, few, GetSampled),
    )


def get_history(app: App, call: Call) -> Answer:
    wanted = call.read(GetHistory)
    require(wanted, "metric_key")
    most = wanted.max_results
    bound = None if most is None else check_results(most, 2**31)
    try:
        found = app.tracking.metric_columns(run_id_of(wanted), wanted.metric_key).by_time()
    except NotFound:
        return answer_page("metrics", (), "")
    start = 0
    if wanted.page_token:
        after_micros, passed = parse_page_token(wanted.page_token)
        start = min(int(found.at_micros.searchsorted(after_micros)) + passed, len(found))
    end = len(found) if bound is None else start + bound
    page = found.take(slice(start, end))
    at_micros = page.at_micros.tolist()
    token = ""
    if end < len(found):
        last = at_micros[-1]
        token = format_page_token(last, end - int(found.at_micros.searchsorted(last)))
    rows = zip(page.steps.tolist(), at_micros, page.values.tolist(), strict=True)
    return answer_page("metrics", write_points(wanted.metric_key, rows), token)


def get_bulk(app: App, call: Call) -> Answer:
    wanted = call.read(GetBulk)
    if not wanted.run_id:
        raise InvalidInput("GetMetricHistoryBulk request must specify at least one run_id.")
    _check_run_count("GetMetricHistoryBulk request cannot specify more than", wanted.run_id)
    if not wanted.metric_key:
        raise InvalidInput("GetMetricHistoryBulk request must specify a metric_key.")
    left = min(check_results(wanted.max_results, 2**31), MAX_BULK_POINTS)
    body: list[bytes] = []
    for run_id in sorted(set(wanted.run_id)):
        with suppress(NotFound):  # a chart shows the runs that are left
            found = app.tracking.metric_columns(run_id, wanted.metric_key).by_time().take(slice(0, left))
            rows = zip(found.steps.tolist(), found.at_micros.tolist(), found.values.tolist(), strict=True)
            body += write_points(wanted.metric_key, rows, run_id)
            left -= len(found)
    return answer_page("metrics", body, "")


def get_sampled(app: App, call: Call) -> Answer:
    wanted = call.read(GetSampled)
    require(wanted, "run_ids", "metric_key")
    _check_run_count("GetMetricHistoryBulkInterval request must specify at most", wanted.run_ids)
    if not 1 <= wanted.max_results <= MAX_SAMPLED_POINTS:
        raise InvalidInput(f"max_results must be between 1 and {MAX_SAMPLED_POINTS}.")
    steps = _read_interval(wanted)
    body: list[bytes] = []
    for run_id in wanted.run_ids:
        with suppress(NotFound):
            rows = _sample(app, run_id, wanted.metric_key, steps, wanted.max_results)
            body += write_points(wanted.metric_key, rows, run_id)
    return answer_page("metrics", body, "")


def write_points(key: str, rows: Iterable[Row], run_id: str = "") -> Iterator[bytes]:
    """Yield each point as JSON.

    >>> list(write_points("auc", [(3, 5_000, float("nan"))]))
    [b'{"key":"auc","value":"NaN","timestamp":5,"step":3}']
    """
    largest = sys.float_info.max
    for step, at_micros, value in rows:
        shown = "NaN" if math.isnan(value) else min(max(value, -largest), largest)
        yield _encode(Point(key, shown, at_micros // 1000, step, run_id))


def format_page_token(at_micros: int, count: int) -> str:
    """Return the token of the page behind `count` points of that moment.

    >>> parse_page_token(format_page_token(5, 2))
    (5, 2)
    """
    return base64.urlsafe_b64encode(f"h1.{at_micros}.{count}".encode()).decode()


def parse_page_token(token: str) -> tuple[int, int]:
    """Return (moment in microseconds, points of it that were passed), or raise InvalidInput."""
    try:
        version, at_micros, count = base64.b64decode(token, altchars=b"-_", validate=True).decode().split(".")
        if version != "h1" or len(at_micros) > 20 or not (count.isdecimal() and len(count) < 10):
            raise ValueError(version)
        if int(at_micros) not in range(-(2**63), 2**63):
            raise ValueError(at_micros)
        return int(at_micros), int(count)
    except (ValueError, binascii.Error) as error:
        raise InvalidInput("Invalid page token: it is not one of this history") from error


def _sample(app: App, run_id: str, key: str, steps: tuple[int, int] | None, most: int) -> Sequence[Row]:
    """Return at most `most` points of a run in order of the step, the last one always among them."""
    found = app.tracking.metric_sample(run_id, key, bucket_count=max(most // 4, 1), steps=steps)
    rows = list(zip(found.steps.tolist(), found.at_micros.tolist(), found.values.tolist(), strict=True))
    return rows if len(rows) <= most else [*rows[: most - 1], rows[-1]]


def _read_interval(wanted: GetSampled) -> tuple[int, int] | None:
    start, end = wanted.start_step, wanted.end_step
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise InvalidInput("If either start step or end step are specified, both must be specified.")
    if start > end:
        raise InvalidInput(
            f"end_step must be greater than start_step. Found start_step={start} and end_step={end}."
        )
    return start, end


def _check_run_count(words: str, run_ids: Sequence[str]) -> None:
    if len(run_ids) > MAX_RUNS:
        raise InvalidInput(f"{words} {MAX_RUNS} run_ids. Received {len(run_ids)} run_ids.")
