"""One request through the whole of the server's own code, without sockets."""

import asyncio
import json
import logging
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
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
from paddock.wire import (
    LOCAL_GRANTS,
    Answer,
    BodyKind,
    Call,
    FileAnswer,
    Handler,
    Permission,
    RouteSpec,
    StreamAnswer,
)
from paddock.wire.structs import Request

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


async def ask(
    app: Application,
    path: str = "/x",
    *,
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Seen:
    sent: list[dict[str, object]] = []
    given = {"host": "localhost", "content-length": str(len(body)), **(headers or {})}

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    await app(scope, receive, send)
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Seen(sent[0]["status"], answered, b"".join(part["body"] for part in sent[1:]))


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
    (record,) = caplog.records
    assert (record.getMessage(), vars(record)["request_id"]) == ("request.crashed", problem["request_id"])
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


def test_slow_route_has_a_time_of_its_own():
    """Where an ordinary request is given up, one that runs a model goes on to its end."""
    gate = threading.Event()

    def wait(_: Call) -> Answer:
        gate.wait(20)
        return Answer(b"held")

    async def both() -> tuple[Seen, Seen]:
        limits = replace(DEFAULTS, request_timeout_s=0.05, slow_timeout_s=20.0)
        exchange = Exchange(limits, HandlerPool(2, 2), ServerMetrics(), ACTOR, LOCAL_GRANTS)
        specs = [
            RouteSpec("GET", "/slow", Permission.READ, wait, "slow", is_slow=True),
            RouteSpec("GET", "/x", Permission.READ, wait, "x"),
        ]
        app = Application(exchange, build_router(specs, exchange.serve))
        slow = asyncio.create_task(ask(app, "/slow"))
        ordinary = await ask(app)
        gate.set()
        return ordinary, await slow

    ordinary, slow = asyncio.run(both())

    assert (ordinary.status, json.loads(ordinary.body)["code"]) == (503, "answer_too_slow")
    assert (slow.status, slow.body) == (200, b"held")


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


@pytest.mark.parametrize("chunks", [[], [b"a"], [b"a" * 300_000, b"b", b"c" * 10]])
def test_stream_of_unknown_length_is_sent_to_its_end(chunks: list[bytes]):
    """All of it arrives, and no length is announced that nobody knew."""
    seen = ask_once(application(lambda _: StreamAnswer(iter(chunks), None, "text/csv")))

    assert (seen.status, seen.body) == (200, b"".join(chunks))
    assert "content-length" not in seen.headers
    assert seen.headers["content-type"] == "text/csv"


def test_stream_that_fails_at_once_is_a_problem():
    """What goes wrong before the first byte is answered as an error, not as an empty file."""

    def fail() -> Iterator[bytes]:
        raise StorageFull("no space is left")
        yield b""

    assert ask_once(application(lambda _: StreamAnswer(fail(), None))).status == 507


def test_stream_that_fails_later_cuts_the_connection():
    """A receiver never takes the half of a file for the whole."""

    def fail() -> Iterator[bytes]:
        yield b"half"
        raise StorageFull("no space is left")

    with pytest.raises(ConnectionAbortedError):
        ask_once(application(lambda _: StreamAnswer(fail(), None)))


class Change(Request, frozen=True, kw_only=True):
    runs: tuple[str, ...] = ()


def test_form_reaches_its_handler_as_a_struct():
    """The route of a form gets its fields; from a client that does not say it is our page it is refused."""
    exchange = Exchange(DEFAULTS, HandlerPool(1, 1), ServerMetrics(), ACTOR, LOCAL_GRANTS)
    spec = RouteSpec(
        "POST",
        "/x",
        Permission.LOG_RUNS,
        lambda call: Answer(",".join(call.read(Change).runs).encode()),
        "x",
        request=Change,
        body=BodyKind.FORM,
    )
    app = Application(exchange, build_router([spec], exchange.serve))

    def send(**headers: str) -> Seen:
        own = {"content-type": "application/x-www-form-urlencoded", **headers}
        return asyncio.run(ask(app, method="POST", body=b"runs=a&runs=b", headers=own))

    assert send(origin="http://localhost").body == b"a,b"
    assert json.loads(send().body)["code"] == "cross_site_request"


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/html"}])
def test_any_type_is_taken_where_the_route_says_so(headers: Mapping[str, str]):
    """A file without a type, or of a page's, is received by a route for any type and refused by others."""
    exchange = Exchange(DEFAULTS, HandlerPool(1, 1), ServerMetrics(), ACTOR, LOCAL_GRANTS)
    strict = RouteSpec(
        "PUT",
        "/x",
        Permission.LOG_RUNS,
        lambda call: Answer(call.file().read_bytes()),
        "x",
        body=BodyKind.FILE,
    )

    def send(spec: RouteSpec) -> Seen:
        app = Application(exchange, build_router([spec], exchange.serve))
        return asyncio.run(ask(app, method="PUT", body=b"bytes", headers=headers))

    assert send(replace(strict, takes_any_type=True)).body == b"bytes"
    assert json.loads(send(strict).body)["code"] == "unsupported_body"


def test_metrics_are_named_by_route_only():
    """Addresses that clients make up do not become time series."""
    app = application(lambda _: Answer(b""))
    for number in range(50):
        ask_once(app, f"/made/up/{number}")
    ask_once(app)

    text = app._exchange.metrics.render().decode()
    routes = {line.split('route="')[1].split('"')[0] for line in text.splitlines() if 'route="' in line}
    assert routes == {"none", "/x"}
