"""What one running gateway answers, to good requests and to bad ones."""

import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from gateway_kit import Client, Fleet, Reply, infer_body, make_fleet, make_rows

from paddock.prediction_log import join_labels, read_labels, read_predictions
from paddock.serving import GatewayOptions, GatewayProcess, start_gateway

REFERENCE = Path(__file__).parent.parent.parent / "docs" / "reference" / "gateway.md"
GOOD = {"carrier": ["AA"], "hour": [7], "wind": [3.5]}


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return make_fleet()


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def gateway(fleet: Fleet, state: Path) -> Iterator[GatewayProcess]:
    fleet.publish(state, {1: 1.0})
    options = GatewayOptions(
        state=state, port=0, max_batch_rows=500, max_body_bytes=200_000, request_timeout_s=1
    )
    with start_gateway(options) as running:
        running.wait_ready()
        yield running


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[Client]:
    connected = Client(gateway.url)
    yield connected
    connected.close()


def test_answers_are_those_of_the_model(client, fleet):
    """Each row gets the model's own answer, in order, with an id of its own."""
    rows = make_rows(200)

    reply = client.infer(rows)

    np.testing.assert_allclose(reply.predictions, fleet.answers(1, rows), rtol=0, atol=1e-12)
    assert len(set(reply.ids)) == 200
    assert reply.versions == [1] * 200
    assert (reply.json()["model_name"], reply.json()["model_version"]) == ("delay", "1")


def test_what_was_answered_stands_in_the_log(client, state):
    """The row behind a prediction id has the features, key, event time and answer of the request."""
    reply = client.infer(GOOD, idempotency_key=["logged"], event_time=["2013-04-01T06:00:00-04:00"])

    row = next(
        row
        for row in read_predictions(state / "predictions").to_pylist()
        if row["idempotency_key"] == "logged"
    )
    assert row["prediction_id"] == reply.ids[0]
    assert row["prediction"] == reply.predictions[0]
    assert row["event_time"].isoformat() == "2013-04-01T10:00:00+00:00"
    assert (row["carrier"], row["hour"], row["wind"], row["stage"]) == ("AA", 7.0, 3.5, "champion")


def test_order_of_columns_does_not_matter(client):
    """Columns are known by their names."""
    assert client.infer(dict(reversed(GOOD.items()))).predictions == client.infer(GOOD).predictions


def test_many_requests_at_once_are_not_mixed_up(gateway, fleet):
    """Requests that share a batch each get their own answers."""

    def ask(seed: int) -> bool:
        rows = make_rows(1 + seed % 5, seed=seed)
        mine = Client(gateway.url)
        reply = mine.infer(rows)
        mine.close()
        return bool(np.allclose(reply.predictions, fleet.answers(1, rows), rtol=0, atol=1e-12))

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(200)))


BAD_COLUMNS = [
    ({"carrier": ["AA"], "hour": [7]}, "column `wind` is missing"),
    ({**GOOD, "wing": [1.0]}, "column `wing` is not one of the model's columns; the nearest is `wind`"),
    ({**GOOD, "carrier": ["ZZ"]}, "column `carrier`"),
    ({**GOOD, "carrier": [3]}, "column `carrier` of datatype BYTES must hold texts, but row 0 holds 3"),
    ({**GOOD, "hour": [7.5]}, "column `hour` of datatype INT64 must hold whole numbers, but row 0 holds 7.5"),
    ({**GOOD, "hour": ["7"]}, "column `hour` of datatype INT64 must hold whole numbers"),
    ({**GOOD, "wind": [True]}, "column `wind` of datatype FP64 must hold numbers, but row 0 holds True"),
    ({**GOOD, "wind": [None]}, "column `wind`"),
    ({**GOOD, "hour": [2**63]}, "column `hour`"),
    ({**GOOD, "wind": [1.0, 2.0]}, "column `wind` has 2 rows, column `carrier` has 1"),
    ({**GOOD, "paddock.event_tim": ["x"]}, "the nearest is `paddock.event_time`"),
    ({"carrier": [], "hour": [], "wind": []}, "the request has no rows"),
]

NO_TIMES = ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "2013-04-01", "soon"]


@pytest.mark.parametrize(("rows", "words"), BAD_COLUMNS)
def test_fault_of_a_column_is_named(client, rows, words):
    """A request that does not fit the signature is refused with the column named, and not logged."""
    before = client.status()["log"]["rows"]

    reply = client.infer(rows)

    problem = reply.json()
    assert (reply.status, problem["code"]) == (422, "invalid_rows"), problem
    assert words in problem["detail"]
    assert problem["request_id"] == reply.headers["x-request-id"]
    assert client.status()["log"]["rows"] == before


@pytest.mark.parametrize("text", NO_TIMES)
def test_event_time_nothing_can_have_is_refused(client, text):
    """A row before 1970, or from the future, is refused with its place and not logged."""
    before = client.status()["log"]["rows"]
    rows = {name: values * 2 for name, values in GOOD.items()}

    reply = client.infer(rows, event_time=["2013-04-01T06:00:00Z", text])

    assert (reply.status, reply.json()["code"]) == (422, "invalid_rows")
    assert "column `paddock.event_time` must hold" in reply.json()["detail"]
    assert f"but row 1 holds '{text}'" in reply.json()["detail"]
    assert client.status()["log"]["rows"] == before


def test_all_faults_are_reported_together(client):
    """Two wrong columns are two errors of one answer."""
    errors = client.infer({"hour": [7], "wind": [1.0], "x": [1.0]}).json()["errors"]

    assert sorted(error.split("`")[1] for error in errors) == ["carrier", "x"]


def with_input(text: str) -> bytes:
    good = json.dumps(infer_body(GOOD)["inputs"][:2])[1:-1]
    return f'{{"inputs": [{good}, {text}]}}'.encode()


BAD_BODIES = [
    (b"{", 400, "malformed_json"),
    (b"\xff", 400, "malformed_json"),
    (b'{"inputs": [], "inputs": []}', 400, "duplicate_key"),
    (
        with_input('{"name": "wind", "name": "wind", "shape": [1], "datatype": "FP64", "data": [1]}'),
        400,
        "duplicate_key",
    ),
    (
        with_input('{"name": "wind", "n\\u0061me": "wind", "shape": [1], "datatype": "FP64", "data": [1]}'),
        400,
        "duplicate_key",
    ),
    (with_input('{"name": "wind", "shape": [1], "datatype": "FP64", "data": [NaN]}'), 400, "malformed_json"),
    (with_input('{"name": "wind", "shape": [1], "datatype": "FP64", "data": [1e999]}'), 400, "bad_request"),
    (
        with_input('{"name": "wind", "shape": [1], "datatype": "FP64", "data": ["\\ud800 "]}'),
        400,
        "malformed_json",
    ),
    (with_input('{"name": "wind", "shape": [1], "datatype": "FP64", "data": [[1]]}'), 400, "bad_request"),
    (
        with_input('{"name": "wind", "shape": [1], "datatype": "FP64", "data": [1], "dat": 1}'),
        400,
        "bad_request",
    ),
    (with_input('{"name": "wind", "shape": [1], "datatype": "FP99", "data": [1]}'), 422, "invalid_rows"),
    (with_input('{"name": "wind", "shape": [2], "datatype": "FP64", "data": [1]}'), 422, "invalid_rows"),
    (with_input('{"name": "hour", "shape": [1], "datatype": "FP64", "data": [1]}'), 422, "invalid_rows"),
    (b'{"inputs": ' + b"[" * 90_000, 400, "bad_request"),
    (b"[" * 90_000, 400, "bad_request"),
    (b'{"inputs": []}', 422, "invalid_rows"),
    (b" " * 200_001, 413, "limit_exceeded"),
]


@pytest.mark.parametrize(("body", "status", "code"), BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_hostile_body_is_refused(client, body, status, code):
    """Broken, ambiguous, deep or oversized JSON is refused with a problem, and the gateway goes on."""
    reply = client.ask("POST", "/v2/models/delay/infer", body)

    assert (reply.status, reply.json()["code"]) == (status, code), reply
    assert reply.headers["content-type"] == "application/problem+json"
    assert client.infer(GOOD).status == 200


def test_colons_and_escapes_in_texts_are_no_duplicates(client):
    """Texts may hold what the search for duplicate keys counts."""
    body = json.dumps(
        {**infer_body(GOOD, idempotency_key=["a:b\\:\u00e9"]), "id": "x:y", "parameters": {"a:b": "c:d"}}
    )

    assert client.ask("POST", "/v2/models/delay/infer", body.encode()).json()["id"] == "x:y"


def test_too_many_rows_are_refused(client):
    """The row limit is said in the answer."""
    reply = client.infer(make_rows(501))

    assert (reply.status, reply.json()["code"]) == (413, "limit_exceeded")
    assert "at most 500" in reply.json()["detail"]


HEADERS = [
    ({"Host": "evil.test"}, 421, "misdirected_request"),
    ({"Host": "localhost.evil"}, 421, "misdirected_request"),
    ({"Content-Encoding": "gzip"}, 415, "unsupported_body"),
    ({"X-Long": "x" * 40_000}, 431, "headers_too_large"),
]


@pytest.mark.parametrize(("headers", "status", "code"), HEADERS, ids=range(len(HEADERS)))
def test_wrong_headers_are_refused(client, headers, status, code):
    """A foreign Host, a compressed body and oversized headers are refused before anything is read."""
    reply = client.ask("POST", "/v2/models/delay/infer", infer_body(GOOD), headers)

    assert (reply.status, reply.json()["code"]) == (status, code)


def raw(gateway: GatewayProcess, request: bytes) -> bytes:
    host, _, port = gateway.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(request)
        return connection.recv(65_536)


INFER = b"POST /v2/models/delay/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
SMUGGLING = [
    INFER + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    INFER + b"Content-Length: 6\r\n\r\nabcdef",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n",
    b"GET /health HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("request_bytes", SMUGGLING, ids=range(len(SMUGGLING)))
def test_ambiguous_http_is_refused(gateway, client, request_bytes):
    """A request that two readers could read differently gets a 4xx."""
    assert raw(gateway, request_bytes).startswith((b"HTTP/1.1 400", b"HTTP/1.1 421"))
    assert client.get("/health").body == b"OK"


def test_body_that_does_not_come_is_given_up(gateway, client):
    """A body that trickles in ends with 408, and others are served meanwhile."""
    request = b"POST /v2/models/delay/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"

    assert raw(gateway, request).startswith(b"HTTP/1.1 408")
    assert client.infer(GOOD).status == 200


ROUTES = [
    ("GET", "/health", 200),
    ("GET", "/v2", 200),
    ("GET", "/v2/health/live", 200),
    ("GET", "/v2/health/ready", 200),
    ("GET", "/v2/models/delay", 200),
    ("GET", "/v2/models/delay/ready", 200),
    ("GET", "/v2/models/delay/versions/1", 200),
    ("GET", "/v2/models/delay/versions/1/ready", 200),
    ("GET", "/v2/models/delay/versions/7", 404),
    ("GET", "/v2/models/delay/versions/0", 404),
    ("GET", "/v2/models/delay/versions/01", 404),
    ("GET", "/v2/models/delay/versions/1/", 404),
    ("GET", "/v2/models/delay/versions/1ready", 404),
    ("GET", "/v2/models/delay/versions/10000000001", 404),
    ("GET", "/v2/models/delay/versions/7/ready", 404),
    ("POST", "/v2/models/delay/versions/1/labels", 404),
    ("GET", "/v2/models/delay/versions/1/infer", 405),
    ("POST", "/v2/models/delay/versions/1", 405),
    ("POST", "/v2/repository/index", 200),
    ("GET", "/v2/repository/index", 405),
    ("GET", "/v2/models/other", 404),
    ("GET", "/v2/models/delay/nothing", 404),
    ("GET", "//health", 404),
    ("GET", "/%68ealth", 404),
    ("GET", "/health/", 404),
    ("GET", "/v2/models/delay/infer", 405),
    ("POST", "/health", 405),
]


@pytest.mark.parametrize(("method", "path", "status"), ROUTES)
def test_routes(client, method, path, status):
    """Each route answers, and nothing else does."""
    assert client.ask(method, path).status == status


def test_every_route_is_described(client):
    """The reference names each route once, and each route it names is there."""
    headings = re.findall(r"^## `(GET|POST) ([^`]+)`$", REFERENCE.read_text(), re.MULTILINE)
    described = [(method, path.format(model="delay", version=1)) for method, path in headings]
    known = {(method, path) for method, path, status in ROUTES if status == 200}
    known |= {("POST", f"/v2/models/delay/{route}") for route in ("infer", "labels", "versions/1/infer")}

    assert sorted(described) == sorted(known | {("GET", "/metrics"), ("GET", "/status")})
    assert {client.ask(method, path).status for method, path in described} <= {200, 400}


def test_metadata_describes_the_signature(client):
    """A client learns columns and datatypes from the model's metadata."""
    inputs = client.get("/v2/models/delay").json()["inputs"]

    assert {one["name"]: one["datatype"] for one in inputs} == {
        "carrier": "BYTES",
        "hour": "INT64",
        "wind": "FP64",
    }


def test_only_named_outputs_are_sent(client):
    """A client that names outputs gets these."""
    body = {**infer_body(GOOD), "outputs": [{"name": "probability"}]}

    outputs = client.ask("POST", "/v2/models/delay/infer", body).json()["outputs"]

    assert [one["name"] for one in outputs] == ["probability"]


@pytest.mark.parametrize("path", ["/v2/models/delay/infer", "/v2/models/delay/versions/1/infer"])
def test_unknown_output_is_refused(client, path):
    """An output that does not exist is named beside those that do, and nothing is answered or logged."""
    before = client.status()["log"]["rows"]

    reply = client.ask("POST", path, {**infer_body(GOOD), "outputs": [{"name": "nope"}]})

    assert (reply.status, reply.json()["code"]) == (400, "bad_request")
    assert reply.json()["detail"] == (
        "there is no output `nope`; there are `probability`, `paddock.prediction_id`, `paddock.model_version`"
    )
    assert client.status()["log"]["rows"] == before


def test_retry_gets_the_logged_answer(client, state):
    """The same key again gets the same id and answer, alone or among new rows, and is logged once."""
    first = client.infer(
        {"carrier": ["AA", "UA"], "hour": [1, 2], "wind": [3.0, 4.0]}, idempotency_key=["r1", "r2"]
    )
    second = client.infer(
        {"carrier": ["DL", "AA"], "hour": [9, 1], "wind": [5.0, 3.0]}, idempotency_key=["r3", "r1"]
    )

    keys = read_predictions(state / "predictions", columns=["idempotency_key"])["idempotency_key"].to_pylist()
    assert second.ids[1] == first.ids[0]
    assert second.predictions[1] == first.predictions[0]
    assert (keys.count("r1"), keys.count("r3")) == (1, 1)


def test_same_key_for_other_features_is_a_conflict(client):
    """A key that stands for another row is refused."""
    client.infer(GOOD, idempotency_key=["conflict"])

    reply = client.infer({**GOOD, "hour": [8]}, idempotency_key=["conflict"])

    assert (reply.status, reply.json()["code"]) == (422, "idempotency_conflict")


def test_same_key_at_the_same_time_is_answered_once(gateway, state):
    """Of many requests with one key that come at once, one is scored and all get its answer."""

    def ask(_: int) -> Reply:
        mine = Client(gateway.url)
        reply = mine.infer(GOOD, idempotency_key=["at-once"])
        mine.close()
        return reply

    with ThreadPoolExecutor(16) as pool:
        ids = {reply.ids[0] for reply in pool.map(ask, range(16))}

    logged = read_predictions(state / "predictions", columns=["idempotency_key"])[
        "idempotency_key"
    ].to_pylist()
    assert len(ids) == 1
    assert logged.count("at-once") == 1


def test_key_twice_in_one_request_is_answered_once(client):
    """Two rows with one key and equal features are one prediction."""
    rows = {name: values * 2 for name, values in GOOD.items()}

    assert len(set(client.infer(rows, idempotency_key=["twice", "twice"]).ids)) == 1


def test_labels_join_their_predictions(client, state):
    """A label sent later stands beside its prediction."""
    ids = client.infer(make_rows(3)).ids
    body = {"prediction_id": ids, "label": [1, 0, 1], "event_time": ["2013-04-08T00:00:00Z"] * 3}

    reply = client.ask("POST", "/v2/models/delay/labels", body)

    joined = join_labels(read_predictions(state / "predictions"), read_labels(state / "predictions")).table
    by_id = dict(zip(joined["prediction_id"].to_pylist(), joined["label"].to_pylist(), strict=True))
    assert reply.json() == {"accepted": 3}
    assert [by_id[one] for one in ids] == [1.0, 0.0, 1.0]


def label_body(*labels: str, prediction_id: str = "a" * 32, times: str = "") -> bytes:
    """Return a request with these labels, each as it stands in JSON."""
    ids = ", ".join([f'"{prediction_id}"'] * len(labels))
    return f'{{"prediction_id": [{ids}], "label": [{", ".join(labels)}], "event_time": [{times}]}}'.encode()


BAD_LABELS = [
    (label_body("0", "true"), 400, "got `bool` - at `$.label[1]`"),
    (label_body('"1"'), 400, "got `str` - at `$.label[0]`"),
    (label_body("0", "0", "null"), 400, "got `null` - at `$.label[2]`"),
    (label_body("[1]"), 400, "got `array` - at `$.label[0]`"),
    (label_body("1e999"), 400, "Number out of range - at `$.label[0]`"),
    (label_body("1", "-" + "9" * 400), 400, "Number out of range - at `$.label[1]`"),
    (label_body("NaN"), 400, "the body is not JSON: `NaN` at byte"),
    (label_body("Infinity"), 400, "the body is not JSON: `Infinity` at byte"),
    (label_body("1", prediction_id="x"), 422, "column `prediction_id` is wrong in row 0: `x` is not an id"),
    (label_body("1", times='"2013-04-08"'), 422, "but row 0 holds '2013-04-08'"),
    (label_body("1", times='"9999-12-31T00:00:00Z"'), 422, "but row 0 holds '9999-12-31T00:00:00Z'"),
    (label_body("1", times='"", ""'), 422, "`prediction_id` has 1 rows, `label` 1 and `event_time` 2"),
    (label_body(), 422, "at least one"),
    (label_body(*["1"] * 501), 413, "the request has 501 labels; at most 500 are taken at once"),
]


@pytest.mark.parametrize(("body", "status", "words"), BAD_LABELS, ids=range(len(BAD_LABELS)))
def test_wrong_labels_are_refused(client, body, status, words):
    """What is no finite number, and a wrong id, time or count, is refused whole with its place named."""
    before = client.status()["log"]["labels"]

    reply = client.ask("POST", "/v2/models/delay/labels", body)

    assert reply.status == status
    assert words in reply.json()["detail"]
    assert client.status()["log"]["labels"] == before


def test_labels_up_to_the_limit_are_taken(client):
    """As many labels as rows are taken at once, whole numbers and the largest float among them."""
    body = label_body(*["1.7976931348623157e308", str(2**80)], *["0"] * 498)

    assert client.ask("POST", "/v2/models/delay/labels", body).json() == {"accepted": 500}


def test_metrics_count_requests_and_rows(client):
    """The counters move with what is answered."""
    names = ("paddock_prediction_requests_total", "paddock_prediction_log_rows_total")
    before = [client.metric(name) for name in names]

    client.infer(make_rows(7))

    after = [client.metric(name) for name in names]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 7]
    assert client.metric("paddock_model_info") == 1
