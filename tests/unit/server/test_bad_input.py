"""What cannot be right, sent to the whole application: each time a problem, and nothing is written."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from paddock.app import App, open_app
from paddock.kernel.errors import QueueFull
from paddock.kernel.settings import resolve_settings
from paddock.server import build_application
from paddock.server.exchange import Application
from paddock.wire import Answer, Call, Permission, RouteSpec

RUNS = "/api/v1/runs"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
LARGE = 2_000


@dataclass(frozen=True, slots=True)
class Bad:
    """A request, and what is answered. words: what the detail must say; host: None leaves it out."""

    status: int
    code: str
    words: str
    method: str = "GET"
    path: str = RUNS
    query: str = ""
    body: bytes = b""
    media_type: str = "application/json"
    host: str | None = "localhost"
    headers: dict[str, str] = field(default_factory=dict)


def post(status: int, code: str, words: str, body: bytes, **others: str) -> Bad:
    return Bad(status, code, words, "POST", body=body, **others)


FOREIGN = {"Origin": "http://evil.test"}
TABLE = {
    "unknown path": Bad(404, "route_not_found", "address `/nowhere`", path="/nowhere"),
    "unknown path of the API": Bad(404, "route_not_found", "/api/v1/nowhere", path="/api/v1/nowhere"),
    "unknown thing": Bad(404, "not_found", "no model `dela`", path="/models/dela"),
    "wrong method": Bad(405, "method_not_allowed", "GET, HEAD, POST is", "DELETE"),
    "wrong method of a page": Bad(405, "method_not_allowed", "GET, HEAD is", "POST", "/models"),
    "body too large": post(413, "body_too_large", f"the limit is {LARGE}", b'"' + b"a" * LARGE + b'"'),
    "too deep": post(400, "too_deep", "deeper than 64", b'{"a":' * 65 + b"1" + b"}" * 65),
    "duplicate key": post(400, "duplicate_key", "`tags` twice", b'{"tags": {}, "tags": {}}'),
    "invalid UTF-8": post(400, "malformed_json", "not UTF-8", b'{"experiment": "\xff"}'),
    "no JSON": post(400, "malformed_json", "not JSON", b"experiment=e"),
    "wrong type of body": post(415, "unsupported_body", "`text/plain`", b"{}", media_type="text/plain"),
    "unknown field": post(422, "invalid_input", "nearest is `experiment`", b'{"experimnt": "e"}'),
    "wrong type of field": post(422, "invalid_input", "expected `str`", b'{"experiment": 1}'),
    "id with a path": post(422, "invalid_input", "../../etc", b'{"experiment": "e", "run_id": "../../etc"}'),
    "name with NUL": post(422, "invalid_input", "experiment", b'{"experiment": "a\\u0000b"}'),
    "no Host": Bad(421, "misdirected_request", "names nothing", host=None),
    "foreign Host": Bad(421, "misdirected_request", "`evil.test`", path="/", host="evil.test"),
    "foreign Origin": Bad(403, "cross_site_request", "evil.test", "POST", body=b"{}", headers=FOREIGN),
    "encoded traversal": Bad(400, "bad_path", "segment", path="/models/%2e%2e/%2e%2e/etc"),
    "encoded slash": Bad(400, "bad_path", "encoded slash", path="/models/..%2f..%2fetc"),
    "encoded twice": Bad(400, "bad_path", "twice", path="/models/%252e%252e"),
    "NUL in the path": Bad(400, "bad_path", "control character", path="/models/a%00"),
    "NUL in the query": Bad(422, "invalid_input", "experiment", query="experiment=%00"),
    "no UTF-8 in the query": Bad(400, "bad_request", "UTF-8", query="experiment=%ff"),
    "unknown parameter": Bad(400, "bad_request", "`limt` is no query", query="limt=1"),
    "repeated parameter": Bad(400, "bad_request", "`limit` twice", query="limit=1&limit=2"),
    "limit out of range": Bad(422, "invalid_input", "from 1 to 1000", query="limit=0"),
    "secret in the address": Bad(400, "token_in_url", "kept by logs", query="token=x"),
    "project with a path": Bad(422, "invalid_input", "../x", headers={"Paddock-Project": "../x"}),
    "compressed body": Bad(415, "unsupported_body", "`gzip`", headers={"Content-Encoding": "gzip"}),
}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    settings = resolve_settings(
        {"store": str(tmp_path / "store"), "max_body_bytes": LARGE, "project": "flights"}, {}, {}
    )
    with closing(open_app(settings)) as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class Seen:
    status: int
    headers: dict[str, str]
    text: str


def ask(application: Application, bad: Bad, accept: str = "*/*") -> Seen:
    """Send the request straight to the ASGI application."""
    head = {"Accept": accept, "Content-Length": str(len(bad.body)), **bad.headers}
    if bad.body:
        head["Content-Type"] = bad.media_type
    if bad.host is not None:
        head["Host"] = bad.host
    scope = {
        "type": "http",
        "method": bad.method,
        "path": bad.path,
        "raw_path": bad.path.encode(),
        "root_path": "",
        "query_string": bad.query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in head.items()],
    }
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": bad.body, "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Seen(sent[0]["status"], headers, b"".join(part["body"] for part in sent[1:]).decode())


@pytest.mark.parametrize("name", TABLE)
def test_bad_request_is_a_problem_and_writes_nothing(app: App, name: str):
    """A program gets code, reason and request id, never a trace or a path, and the ledger stays empty."""
    bad = TABLE[name]

    seen = ask(build_application(app), bad)

    problem = json.loads(seen.text)
    assert (seen.status, problem["status"], problem["code"]) == (bad.status, bad.status, bad.code)
    assert bad.words in problem["detail"]
    assert problem["request_id"] == seen.headers["x-request-id"]
    assert seen.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in seen.text
    assert str(app.store.folder) not in seen.text
    assert app.metadata.latest_events("flights") == ()


@pytest.mark.parametrize("name", TABLE)
def test_browser_gets_a_page_outside_of_the_api(app: App, name: str):
    """Who prefers HTML reads the same reason and request id on a page; below `/api` it stays a problem."""
    bad = TABLE[name]

    seen = ask(build_application(app), bad, accept=BROWSER)

    assert seen.status == bad.status
    assert seen.headers["x-request-id"] in seen.text
    is_api = bad.path.startswith("/api/")
    expected = "application/problem+json" if is_api else "text/html; charset=utf-8"
    assert seen.headers["content-type"] == expected
    assert seen.text.startswith("{" if is_api else "<!doctype html>")


def test_page_of_a_wrong_method_names_the_right_ones(app: App):
    """The headers that a problem has are those of the page, too."""
    seen = ask(build_application(app), TABLE["wrong method of a page"], accept=BROWSER)

    assert seen.headers["allow"] == "GET, HEAD"
    assert "<h1>Method not allowed</h1>" in seen.text
    assert re.search(r'href="/models" aria-current="page"', seen.text)


def test_foreign_name_is_told_nothing_of_the_store(app: App):
    """The page for a foreign Host names no project; that for one of ours does."""
    application = build_application(app)

    assert "flights" not in ask(application, TABLE["foreign Host"], accept=BROWSER).text
    assert "flights" in ask(application, TABLE["unknown path"], accept=BROWSER).text


@pytest.mark.parametrize(
    "accept",
    ["application/json, text/html;q=0.9", "text/html;q=0", "application/problem+json,text/html;q=.5"],
)
def test_who_prefers_json_gets_it_everywhere(app: App, accept: str):
    """Naming HTML is not enough: it must not stand behind JSON."""
    seen = ask(build_application(app), TABLE["unknown path"], accept=accept)

    assert seen.headers["content-type"] == "application/problem+json"


def failing(app: App, error: Exception) -> Application:
    """Return an application whose one page, `/boom`, raises `error`."""

    def handler(_: Call) -> Answer:
        raise error

    return build_application(app, [lambda _: [RouteSpec("GET", "/boom", Permission.READ, handler, "Boom")]])


def test_fault_of_ours_is_a_page_without_its_trace(app: App):
    """An exception nobody foresaw shows a browser the request id and nothing of itself."""
    application = failing(app, RuntimeError("password=hunter2"))

    seen = ask(application, Bad(500, "internal_error", "", path="/boom"), accept=BROWSER)

    assert seen.status == 500
    assert "<h1>Internal server error</h1>" in seen.text
    assert seen.headers["x-request-id"] in seen.text
    assert "hunter2" not in seen.text


def test_page_of_a_full_store_says_when_to_come_back(app: App):
    """A store that takes nothing more now is 503 with Retry-After, on pages as well."""
    application = failing(app, QueueFull("4 writes are waiting for the store already"))

    seen = ask(application, Bad(503, "queue_full", "", path="/boom"), accept=BROWSER)

    assert (seen.status, seen.headers["retry-after"]) == (503, "1")
    assert "4 writes are waiting" in seen.text


def test_document_lists_the_api_and_no_page(app: App):
    """`/api/v1/openapi.json` has no address that answers HTML."""
    seen = ask(build_application(app), Bad(200, "", "", path="/api/v1/openapi.json"))

    document = json.loads(seen.text)
    assert {path for path in document["paths"] if not path.startswith("/api/v1/")} == set()
    assert "/api/v1/runs" in document["paths"]
    assert "text/html" not in seen.text


def test_waiting_and_refused_calls_of_the_store_are_told(app: App):
    """`/metrics` has how many calls wait for the store and how many it has refused."""
    seen = ask(build_application(app), Bad(200, "", "", path="/metrics"))

    assert "# TYPE paddock_metadata_waiting_calls gauge\npaddock_metadata_waiting_calls 0.0" in seen.text
    assert "# TYPE paddock_metadata_refused_calls_total counter" in seen.text
    assert "\npaddock_metadata_refused_calls_total 0.0" in seen.text
