"""Requests that mean harm, sent to a real server process over real sockets.

Each is answered with a complete problem, changes nothing, and leaves the server answering others.
"""

import json
import socket
import time
from collections.abc import Iterator

import pytest
from server_process import ServerProcess, read_reply, running_server, send_all

RUNS = "/api/v1/runs"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with running_server(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(autouse=True)
def still_serves(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every request here must leave the server alive and the list of runs as it was."""
    if "server" not in request.fixturenames:
        yield
        return
    running: ServerProcess = request.getfixturevalue("server")
    before = count_runs(running)
    yield
    assert running.is_alive()
    assert count_runs(running) == before


def count_runs(server: ServerProcess) -> int:
    return len(json.loads(server.ask("GET", RUNS).body)["runs"])


def start(server: ServerProcess, body: bytes, **headers: str) -> tuple[int, object]:
    """Try to start a run; return status and problem code."""
    reply = server.ask(
        "POST", RUNS, body=body, headers={name.replace("_", "-"): v for name, v in headers.items()}
    )
    return reply.status, reply.code


# Host, origin, method


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "localhost.evil.test",
        "127.0.0.1.evil.test",
        "evil.test:8321",
        "127.0.0.1@evil.test",
        "",
        "0",
        "[::",
    ],
)
@pytest.mark.parametrize("path", ["/health", "/", RUNS, "/nowhere", "/metrics"])
def test_foreign_host_is_misdirected(server: ServerProcess, host: str, path: str):
    """A name that is not ours is 421 on every address, so DNS rebinding reaches nothing."""
    reply = server.ask("GET", path, headers={"Host": host})

    assert (reply.status, reply.code) == (421, "misdirected_request")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_foreign_host_is_refused_on_every_method(server: ServerProcess, method: str):
    """The check of the Host knows no exception by method."""
    assert server.ask(method, RUNS, headers={"Host": "evil.test"}).status == 421


@pytest.mark.parametrize(
    "hosts", [b"", b"Host: 127.0.0.1\r\nHost: evil.test\r\n", b"Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n"]
)
def test_exactly_one_host_is_needed(server: ServerProcess, hosts: bytes):
    """No Host and two of them are refused, even when both are ours."""
    assert server.send(b"GET /health HTTP/1.1\r\n" + hosts + b"\r\n").status == 421


@pytest.mark.parametrize(
    "target", [b"http://evil.test/health", b"http://127.0.0.1/health", b"*", b"/health#x"]
)
def test_only_plain_paths_are_served(server: ServerProcess, target: bytes):
    """Absolute addresses, `*` and fragments are no paths, whoever they name."""
    reply = server.send(b"GET " + target + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    assert (reply.status, reply.is_closed) == (400, True)
    reply.problem()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_pages_of_other_origins_change_nothing(server: ServerProcess, method: str, headers: dict[str, str]):
    """A browser that says a foreign page sends the request is refused, on every unsafe method."""
    reply = server.ask(method, RUNS, body=b'{"experiment": "e"}', headers={"Host": "127.0.0.1", **headers})

    assert (reply.status, reply.code) == (403, "cross_site_request")


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_forms_are_not_taken(server: ServerProcess, media_type: str):
    """What a foreign page can send without being asked is not read as JSON."""
    reply = server.ask("POST", RUNS, body=b'{"experiment": "e"}', media_type=media_type)

    assert (reply.status, reply.code) == (415, "unsupported_body")


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_method_override_is_ignored(server: ServerProcess, name: str):
    """A GET stays a GET, and a POST a POST, whatever a header says."""
    reply = server.ask("GET", RUNS, headers={name: "DELETE"})

    assert reply.status == 200


def test_unknown_method_is_named_with_what_is_taken(server: ServerProcess):
    """405 lists the methods of the address."""
    reply = server.ask("DELETE", RUNS)

    assert (reply.status, reply.code, reply.headers["allow"]) == (
        405,
        "method_not_allowed",
        "GET, HEAD, POST",
    )


# Paths and queries


@pytest.mark.parametrize(
    "path",
    [
        "//api/v1/runs",
        "/api//v1/runs",
        "/api/./v1/runs",
        "/api/v1/x/../runs",
        "/api/v1/%2e%2e/runs",
        "/api/v1/%2E/runs",
        "/api%2fv1/runs",
        "/api/v1%2Fruns",
        "/api/v1/runs;x=1",
        "/api/v1/runs/..;/x",
        "/api/v1\\runs",
        "/api/v1/%5cruns",
        "/api/v1/runs%00",
        "/api/v1/runs%0d%0aX:%20y",
        "/api/v1/runs/%c0%ae%c0%ae",
        "/api/v1/runs/%ff",
        "/api/v1/runs/%252e%252e",
        "/api/v1/runs/%zz",
        "/api/v1/runs/..%2f..%2fetc/passwd",
        "/api/v1/runs/../../../../etc/passwd",
    ],
)
def test_path_confusion_is_refused(server: ServerProcess, path: str):
    """A path that two readers could read differently is 400, never some other resource."""
    reply = server.ask("GET", path)

    assert (reply.status, reply.code) == (400, "bad_path")


@pytest.mark.parametrize(
    "path", ["/API/v1/runs", "/api/v1/Runs", "/api/v1/runs/", "/api/v1/runs%20", "/api/v1/runs."]
)
def test_near_paths_are_other_paths(server: ServerProcess, path: str):
    """Case, a trailing slash or a trailing dot make an address that does not exist, without a redirect."""
    reply = server.ask("GET", path)

    assert reply.status == 404
    reply.problem()


@pytest.mark.parametrize(
    "query", ["token=x", "access_token=x", "API_KEY=x", "password=x", "limit=paddock_srv_abc"]
)
def test_secrets_in_the_address_are_refused(server: ServerProcess, query: str):
    """A secret in the query would be kept by logs and histories."""
    reply = server.ask("GET", f"{RUNS}?{query}")

    assert (reply.status, reply.code) == (400, "token_in_url")


@pytest.mark.parametrize(
    "query",
    ["limit=1&limit=2", "limt=1", "next=//evil", "limit", "&".join(["limit=1"] * 100), "limit=%ff", "%"],
)
def test_odd_queries_are_refused(server: ServerProcess, query: str):
    """Repeated, unknown, broken and too many query parameters are 400."""
    assert server.ask("GET", f"{RUNS}?{query}").status == 400


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "1e3", "\u0661", "9" * 30])
def test_page_size_is_bounded(server: ServerProcess, limit: str):
    """A page has 1 to 1,000 rows."""
    assert server.ask("GET", f"{RUNS}?limit={limit.encode().decode('latin-1')}").status in (400, 422)


# Bodies


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[" * 100_000, (400, "too_deep")),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, (400, "too_deep")),
        (b'{"experiment": "a", "experiment": "b"}', (400, "duplicate_key")),
        (b'{"experiment": "a", "\\u0065xperiment": "b"}', (400, "duplicate_key")),
        (b'{"experiment": "a", "params": {"x": "1", "x": "2"}}', (400, "duplicate_key")),
        (b'{"experiment": 9223372036854775808}', (422, "number_out_of_range")),
        (b'{"experiment": -9223372036854775809}', (422, "number_out_of_range")),
        (b'{"experiment": NaN}', (400, "malformed_json")),
        (b'{"experiment": Infinity}', (400, "malformed_json")),
        (b'{"experiment": 1e999}', (400, "malformed_json")),
        (b'{"experiment": "\\ud800"}', (400, "malformed_json")),
        (b'{"experiment": "\xed\xa0\x80"}', (400, "malformed_json")),
        (b'{"experiment": "\xff"}', (400, "malformed_json")),
        (b'{"experiment": "a"', (400, "malformed_json")),
        (b'{"experiment": "a",}', (400, "malformed_json")),
        (b'{"experiment": "a"} x', (400, "malformed_json")),
        (b'\xef\xbb\xbf{"experiment": "a"}', (400, "malformed_json")),
        (b"", (422, "invalid_input")),
        (b"[]", (422, "invalid_input")),
        (b'{"experiment": "a", "principal": "root"}', (422, "invalid_input")),
        (b'{"experiment": "a", "status": "finished"}', (422, "invalid_input")),
        (b'{"experiment": "a", "run_id": "../../etc"}', (422, "invalid_input")),
        (b'{"experiment": "a\\u0000b"}', (422, "invalid_input")),
        (b'{"experiment": "a", "params": {"x\\u0000": "1"}}', (422, "invalid_input")),
        (b'{"experiment": "a", "run_id": "--help"}', (422, "invalid_input")),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_hostile_json_is_refused(server: ServerProcess, body: bytes, expected: tuple[int, str]):
    """JSON that two parsers read differently, or that asks for more than it may, starts no run."""
    assert start(server, body) == expected


def test_deep_json_does_no_harm(server: ServerProcess):
    """100,000 levels are refused by name, and the server goes on."""
    assert start(server, b"[" * 100_000 + b"]" * 100_000) == (400, "too_deep")
    assert server.is_alive()


def test_every_answered_field_of_the_server_is_refused_in_a_request(server: ServerProcess):
    """What the server owns cannot be set by sending it back."""
    for name in (
        "status",
        "started_at",
        "ended_at",
        "metrics",
        "artifacts",
        "environment_digest",
        "principal",
    ):
        assert start(server, json.dumps({"experiment": "e", name: "x"}).encode())[0] == 422


def test_large_json_is_refused_before_it_is_read(server: ServerProcess):
    """An announced body beyond 8 MB is 413 and its bytes are not kept."""
    assert start(server, b'{"experiment": "' + b"a" * 9_000_000 + b'"}') == (413, "body_too_large")


def test_announced_size_alone_is_enough(server: ServerProcess):
    """A length nobody could mean is refused without waiting for it."""
    reply = server.ask("POST", RUNS, headers={"Content-Length": "99999999999999999999"})

    assert reply.status in (400, 413)
    reply.problem()


def test_chunked_body_is_counted(server: ServerProcess):
    """A body without a length is cut off at the limit."""
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    head = f"POST {RUNS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"

    reply = server.send(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 10 + b"0\r\n\r\n")

    assert (reply.status, reply.code) == (413, "body_too_large")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip", "chunked"])
def test_compressed_bodies_are_not_taken(server: ServerProcess, encoding: str):
    """A bomb cannot go off that is never unpacked."""
    assert start(server, b'{"experiment": "e"}', Content_Encoding=encoding) == (415, "unsupported_body")


@pytest.mark.parametrize("key", ["a b", "a\tb", "k\x7f", "x" * 256, "\xe4"])
def test_odd_idempotency_keys_are_refused(server: ServerProcess, key: str):
    """A key is visible ASCII of bounded length."""
    assert start(server, b'{"experiment": "e"}', Idempotency_Key=key + "!")[0] == 400


# Framing


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"Content-Length: 2, 2\r\n\r\n{}",
        b"Content-Length: +2\r\n\r\n{}",
        b"Content-Length: 0x2\r\n\r\n{}",
        b"Content-Length : 2\r\n\r\n{}",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
        b"X: a\r\n b\r\n\r\n",
        b"X: a\x00b\r\n\r\n",
        b"X: a\nY: b\r\n\r\n",
        b"X\x00: a\r\n\r\n",
    ],
    ids=repr,
)
def test_ambiguous_framing_closes_the_connection(server: ServerProcess, framing: bytes):
    """A request that a proxy could cut elsewhere is 400, and nothing behind it is read."""
    head = f"POST {RUNS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n".encode()
    smuggled = f"GET {RUNS} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with server.connect() as connection:
        send_all(connection, head + framing + smuggled)

        reply = read_reply(connection)

        assert (reply.status, reply.is_closed) == (400, True)
        reply.problem()
        assert read_rest(connection) == b""


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /health HTTP/1.1\nHost: 127.0.0.1\n\n",
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/2.0\r\nHost: 127.0.0.1\r\n\r\n",
        b"FOO /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"CONNECT evil.test:443 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /\xc3\xa4 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"\x00" * 1000,
    ],
    ids=repr,
)
def test_what_is_no_http_is_refused(server: ServerProcess, raw: bytes):
    """Bytes that are no HTTP/1.1 request are answered once and the connection ends."""
    reply = server.send(raw)

    assert (reply.status, reply.is_closed) == (400, True)
    reply.problem()


def test_trailers_add_no_headers(server: ServerProcess):
    """A field behind a chunked body cannot take part in a decision that was made before it."""
    head = f"POST {RUNS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n".encode()
    body = (
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nHost: evil.test\r\nPaddock-Project: other\r\n\r\n"
    )

    reply = server.send(head + body)

    assert (reply.status, reply.code) == (422, "invalid_input")


def test_two_requests_in_one_packet_get_two_answers(server: ServerProcess):
    """Pipelined requests are answered in order, each for itself."""
    one = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with server.connect() as connection:
        send_all(connection, one + one.replace(b"127.0.0.1", b"evil.test"))

        data = b""
        while data.count(b"HTTP/1.1 ") < 2 or not data.endswith(b"}"):
            data += connection.recv(65_536)

        assert data.startswith(b"HTTP/1.1 200")
        assert b"HTTP/1.1 421" in data


# Sizes and times of the head


@pytest.mark.parametrize(
    "head",
    [
        b"".join(b"X-%d: a\r\n" % number for number in range(200)),
        b"X: " + b"a" * 65_536 + b"\r\n",
        b"".join(b"X-%d: %s\r\n" % (number, b"a" * 1_000) for number in range(60)),
    ],
    ids=["200 headers", "one of 64 KB", "60 of 1 KB"],
)
def test_large_heads_are_refused(server: ServerProcess, head: bytes):
    """Headers beyond 32 KB or 100 fields are 431."""
    reply = server.send(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n" + head + b"\r\n")

    assert (reply.status, reply.code, reply.is_closed) == (431, "headers_too_large", True)


def test_endless_header_is_cut_off(server: ServerProcess):
    """A header that never ends is refused at the limit, not kept until it does."""
    with server.connect() as connection:
        send_all(connection, b"GET /health HTTP/1.1\r\nX: " + b"a" * 200_000)

        assert read_reply(connection).status == 431


def test_long_address_is_refused(server: ServerProcess):
    """An address beyond 8 KB is 431."""
    assert server.ask("GET", f"{RUNS}?cursor={'a' * 9_000}").status == 431


def test_slow_clients_are_ended_and_do_not_hold_up_others(tmp_path_factory: pytest.TempPathFactory):
    """One byte a second, in the head or in the body, is 408 at the limit while others are served."""
    with running_server(tmp_path_factory.mktemp("slow"), request_timeout_s="1") as server:
        head = f"POST {RUNS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n".encode()
        with server.connect() as slow_head, server.connect() as slow_body, server.connect() as silent:
            send_all(slow_head, head)
            send_all(slow_body, head + b"Content-Length: 100\r\n\r\n{")
            for _ in range(8):
                send_all(slow_head, b"X")
                send_all(slow_body, b" ")
                assert server.ask("GET", "/health").body == b"OK"
                time.sleep(0.1)

            assert read_reply(slow_head).status == 408
            assert read_reply(slow_body).status == 408
            assert silent.recv(1) == b""


def test_client_that_leaves_in_the_middle_changes_nothing(server: ServerProcess):
    """A body that is cut off is no request."""
    for _ in range(20):
        with server.connect() as connection:
            send_all(
                connection,
                f"POST {RUNS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                'Content-Length: 19\r\n\r\n{"experiment": "e"'.encode(),
            )
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    assert server.is_alive()


def read_rest(connection: socket.socket) -> bytes:
    """Return what comes until the server closes; a reset is a close, too."""
    data = b""
    try:
        while chunk := connection.recv(65_536):
            data += chunk
    except ConnectionResetError:
        return data
    return data
