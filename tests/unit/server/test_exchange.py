"""One request through the whole of the server's own code, without sockets."""

import asyncio
import json
import logging
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from paddock.kernel.errors import StorageFull
from paddock.kernel.refs import Actor, ProjectId
from paddock.kernel.settings import resolve_settings
from paddock.server.exchange import Application, Exchange
from paddock.server.limits import limits_of
from paddock.server.metrics import ServerMetrics
from paddock.server.pool import HandlerPool
from paddock.server.routing import build_router
from paddock.wire import LOCAL_GRANTS, Answer, Call, FileAnswer, Handler, Permission, RouteSpec

ACTOR = Actor(ProjectId("default"), "ann")
SECRET = "password=hunter2"
DEFAULTS = limits_of(resolve_settings({}, {}, {}))


@dataclass(frozen=True, slots=True)
class Seen:
    status: int
    headers: dict[str, str]
    body: bytes


def application(
    handler: Handler,
    *,
    threads: int = 2,
    waiting: int = 2,
    granted: Collection[Permission] = LOCAL_GRANTS,
    timeout_s: float = 5.0,
) -> Application:
    limits = replace(DEFAULTS, request_timeout_s=timeout_s)
    exchange = Exchange(limits, HandlerPool(threads, waiting), ServerMetrics(), ACTOR, granted)
    specs = [RouteSpec("GET", "/x", Permission.READ, handler, "x")]
    return Application(exchange, build_router(specs, exchange.serve))


async def ask(app: Application, path: str = "/x") -> Seen:
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Seen(sent[0]["status"], headers, b"".join(part["body"] for part in sent[1:]))


def ask_once(app: Application, path: str = "/x") -> Seen:
    return asyncio.run(ask(app, path))


def test_unforeseen_fault_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture):
    """The client gets a request id, the log has the trace under it, and no word of it is in the answer."""

    def crash(_: Call) -> Answer:
        raise RuntimeError(SECRET)

    with caplog.at_level(logging.ERROR, logger="paddock.server"):
        seen = ask_once(application(crash))

    problem = json.loads(seen.body)
    assert (seen.status, problem["code"]) == (500, "internal_error")
    assert SECRET not in seen.body.decode()
    assert "Traceback" not in seen.body.decode()
    assert problem["request_id"] in caplog.text
    assert SECRET in caplog.text


def test_foreseen_error_keeps_its_status():
    """A full disk is 507, in words."""

    def fail(_: Call) -> Answer:
        raise StorageFull("no space is left")

    seen = ask_once(application(fail))

    assert (seen.status, json.loads(seen.body)["code"]) == (507, "storage_full")


def test_what_is_not_granted_never_reaches_the_handler():
    """Without the permission of the route there is no call."""
    calls: list[Call] = []

    def note(call: Call) -> Answer:
        calls.append(call)
        return Answer(b"")

    seen = ask_once(application(note, granted={Permission.PROMOTE}))

    assert (seen.status, calls) == (403, [])


def test_ten_times_too_many_requests_are_refused_at_once():
    """Threads and queue are full: the rest is 503 with Retry-After, and those admitted are answered."""
    gate = threading.Event()

    def wait(_: Call) -> Answer:
        gate.wait(20)
        return Answer(b"done")

    async def overload() -> Sequence[Seen]:
        app = application(wait, threads=2, waiting=2)
        tasks = [asyncio.create_task(ask(app)) for _ in range(40)]
        refused = [await task for task in await first(tasks, 36)]
        gate.set()
        admitted = [await task for task in tasks if task not in refused]
        return [*refused, *(each for each in admitted if each.status == 200)]

    async def first(tasks: Sequence["asyncio.Task[Seen]"], count: int) -> Sequence["asyncio.Task[Seen]"]:
        while sum(task.done() for task in tasks) < count:
            await asyncio.sleep(0.01)
        return [task for task in tasks if task.done()]

    seen = asyncio.run(overload())

    busy = [each for each in seen if each.status == 503]
    assert len(busy) == 36
    assert {json.loads(each.body)["code"] for each in busy} == {"server_busy"}
    assert all(int(each.headers["retry-after"]) > 0 for each in busy)
    assert sum(each.status == 200 for each in seen) == 4


def test_slow_work_is_answered_in_time():
    """A call beyond the limit is 503; its thread is given back when it ends."""
    gate = threading.Event()

    def wait(_: Call) -> Answer:
        gate.wait(20)
        return Answer(b"late")

    async def twice() -> tuple[Seen, Seen]:
        app = application(wait, threads=1, waiting=0, timeout_s=0.05)
        slow = await ask(app)
        gate.set()
        while (again := await ask(app)).status == 503:
            await asyncio.sleep(0.01)
        return slow, again

    slow, again = asyncio.run(twice())

    assert (slow.status, json.loads(slow.body)["code"]) == (503, "answer_too_slow")
    assert again.body == b"late"


def test_timeout_of_the_work_itself_is_a_fault_of_ours():
    """A TimeoutError that a handler raises is not taken for the server's own limit."""

    def fail(_: Call) -> Answer:
        raise TimeoutError("inside")

    assert ask_once(application(fail)).status == 500


@pytest.mark.parametrize("size", [0, 1, 262_144, 600_000])
def test_temporary_files_are_sent_whole_and_removed(tmp_path: Path, size: int):
    """A file goes out in pieces with its length, and is gone afterwards."""
    path = tmp_path / "body"
    path.write_bytes(b"x" * size)

    seen = ask_once(application(lambda _: FileAnswer(path, temporary=True)))

    assert (len(seen.body), seen.headers["content-length"]) == (size, str(size))
    assert not path.exists()


def test_metrics_are_named_by_route_only():
    """Addresses that clients make up do not become time series."""
    app = application(lambda _: Answer(b""))
    for number in range(50):
        ask_once(app, f"/made/up/{number}")
    ask_once(app)

    text = app._exchange.metrics.render().decode()
    routes = {line.split('route="')[1].split('"')[0] for line in text.splitlines() if 'route="' in line}
    assert routes == {"none", "/x"}
