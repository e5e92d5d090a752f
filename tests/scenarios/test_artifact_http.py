"""Artifacts over HTTP, at a real server: whole, in parts, by range, through several processes."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from server_process import Reply, ServerProcess, running_server

from paddock.kernel.digest import digest_bytes

BODY = bytes(range(256)) * 4096  # 1 MiB
LARGE = BODY * 3 + b"the end"
BYTES = "application/octet-stream"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServerProcess]:
    with running_server(folder) as running:
        yield running


@pytest.fixture
def run(server: ServerProcess) -> str:
    """The address of a new run."""
    reply = server.ask("POST", "/api/v1/runs", body=b'{"experiment": "delay"}')
    return f"/api/v1/runs/{json.loads(reply.body)['run_id']}"


def put(server: ServerProcess, address: str, body: bytes) -> dict[str, object]:
    reply = server.ask("PUT", address, body=body, media_type=BYTES)
    assert reply.status == 201, reply
    return json.loads(reply.body)


def post(server: ServerProcess, address: str, body: object) -> Reply:
    return server.ask("POST", address, body=json.dumps(body).encode())


def get(server: ServerProcess, address: str, **headers: str) -> Reply:
    return server.ask(
        "GET", address, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


@pytest.fixture
def large(server: ServerProcess, run: str) -> str:
    """The address of a file of more than 3 MiB."""
    put(server, f"{run}/artifacts/model/large.bin", LARGE)
    return f"{run}/artifacts/model/large.bin"


def test_file_goes_up_and_comes_down(server: ServerProcess, run: str):
    """A file is answered with its digest, and comes back as it went."""
    address = f"{run}/artifacts/sp%C3%A4ne/a%20b.csv"
    stored = put(server, address, BODY)

    reply = get(server, address)
    assert stored == {"path": "späne/a b.csv", "digest": digest_bytes(BODY), "size_bytes": len(BODY)}
    assert reply.body == BODY
    assert reply.headers["etag"] == f'"{digest_bytes(BODY)}"'
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"


def test_whole_file_is_streamed(server: ServerProcess, large: str):
    """A file larger than one piece comes whole, and its head alone without a body."""
    reply = get(server, large)
    head = server.ask("HEAD", large)

    assert (reply.status, reply.body == LARGE) == (200, True)
    assert (head.status, head.body) == (200, b"")
    told = {name: value for name, value in reply.headers.items() if name != "x-request-id"}
    assert {**head.headers, "date": ""} == {**told, "date": "", "x-request-id": head.headers["x-request-id"]}
    assert head.headers["content-length"] == str(len(LARGE))
    assert head.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        ("bytes=1048570-1048580", 1_048_570, 1_048_581),
        ("bytes=3145700-", 3_145_700, len(LARGE)),
        ("bytes=-7", len(LARGE) - 7, len(LARGE)),
        ("bytes=0-99999999999", 0, len(LARGE)),
        ("bytes=-99999999999", 0, len(LARGE)),
    ],
)
def test_part_is_answered(server: ServerProcess, large: str, asked: str, start: int, stop: int):
    """One range is answered with exactly its bytes, and says where they stand."""
    reply = get(server, large, Range=asked)

    assert (reply.status, reply.body == LARGE[start:stop]) == (206, True)
    assert reply.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(LARGE)}"
    assert reply.headers["content-length"] == str(stop - start)


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-1,5-6", "lines=0-5", "bytes=", "bytes=-", "bytes=9-5", "bytes=a-b", "bytes=0-1;x", "bytes 0-1"],
)
def test_range_of_another_kind_is_passed_over(server: ServerProcess, run: str, asked: str):
    """Several ranges, other units and what cannot be read are answered with the whole file."""
    put(server, f"{run}/artifacts/a", b"0123456789")

    assert (get(server, f"{run}/artifacts/a", Range=asked).status, asked) == (200, asked)
    assert get(server, f"{run}/artifacts/a", Range=asked).body == b"0123456789"


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_range_behind_the_end_is_refused(server: ServerProcess, run: str, asked: str):
    """What begins behind the end cannot be answered; the size is told."""
    put(server, f"{run}/artifacts/a", b"0123456789")
    reply = get(server, f"{run}/artifacts/a", Range=asked)

    assert (reply.status, reply.code) == (416, "range_not_satisfiable")
    assert reply.headers["content-range"] == "bytes */10"


def test_known_file_is_not_sent_again(server: ServerProcess, run: str):
    """With its ETag a file is 304 without a body; with another one, or after it has changed, it is sent."""
    address = f"{run}/artifacts/a"
    put(server, address, b"one")
    tag = get(server, address).headers["etag"]

    for condition in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        reply = server.ask(
            "HEAD", address, headers={"Host": f"127.0.0.1:{server.port}", "If-None-Match": condition}
        )
        assert (reply.status, reply.headers["etag"], "content-length" in reply.headers) == (304, tag, False)
    assert get(server, address, If_None_Match='"x"').body == b"one"
    put(server, address, b"two")
    assert get(server, address, If_None_Match=tag).body == b"two"


def test_changed_file_is_not_pieced_together(server: ServerProcess, run: str):
    """A client that resumes a download gets the rest of what it has begun, or all of what is there now."""
    address = f"{run}/artifacts/a"
    put(server, address, b"0123456789")
    tag = get(server, address).headers["etag"]

    assert get(server, address, Range="bytes=5-", If_Range=tag).body == b"56789"
    put(server, address, b"abcdefghij")
    assert get(server, address, Range="bytes=5-", If_Range=tag).body == b"abcdefghij"


@pytest.mark.parametrize(
    "name", ["page.html", "drawing.svg", "page.xhtml", "doc.pdf", "note.md", "x.png", "x"]
)
def test_file_is_saved_and_never_shown(server: ServerProcess, run: str, name: str):
    """Whatever a file is, a browser saves it, does not guess its type and runs nothing of it."""
    address = f"{run}/artifacts/{name}"
    put(server, address, b"<script>alert(1)</script>")

    for headers in (get(server, address).headers, get(server, address, Range="bytes=0-5").headers):
        assert headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert "set-cookie" not in headers
        assert headers["content-type"] in ("application/octet-stream", "image/png")


def test_file_name_stays_inside_its_header(server: ServerProcess, run: str):
    """Quotes and line ends in a name end neither the value nor the header."""
    put(server, f"{run}/artifacts/a%22%3B%20filename%3Dx.html", b"x")

    found = get(server, f"{run}/artifacts/a%22%3B%20filename%3Dx.html").headers["content-disposition"]
    assert found == "attachment; filename*=UTF-8''a%22%3B%20filename%3Dx.html"
    refused = server.ask("PUT", f"{run}/artifacts/a%22%0d%0aSet-Cookie:", body=b"x", media_type=BYTES)
    assert (refused.status, refused.code) == (400, "bad_path")


def test_folders_are_listed_by_page(server: ServerProcess, run: str):
    """A folder shows its files and folders; everything below it comes when it is asked for."""
    for path in ("a/1", "a/2/x", "b", "c"):
        put(server, f"{run}/artifacts/{path}", path.encode())

    def listed(query: str) -> list[str]:
        found = json.loads(get(server, f"{run}/artifacts{query}").body)
        return [entry["path"] + "/" * entry["is_folder"] for entry in found["entries"]]

    first = json.loads(get(server, f"{run}/artifacts?limit=2").body)
    assert [entry["path"] for entry in first["entries"]] == ["a", "b"]
    assert listed(f"?limit=2&cursor={first['next_cursor']}") == ["c"]
    assert listed("?path=a") == ["a/1", "a/2/"]
    assert listed("?depth=all") == ["a/1", "a/2/x", "b", "c"]
    assert listed("?path=a&depth=all") == ["a/1", "a/2/x"]
    assert listed("?path=none") == []


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("?path=../x", 400, "bad_path"),
        ("?path=/etc", 400, "bad_path"),
        ("?path=a%5Cb", 400, "bad_path"),
        ("?path=a%00", 400, "bad_path"),
        ("?path=%2e%2e", 400, "bad_path"),
        ("?depth=deep", 422, "invalid_input"),
        ("?cursor=eGE", 422, "invalid_input"),
        ("?limit=1001", 422, "invalid_input"),
    ],
)
def test_list_is_asked_for_rightly(server: ServerProcess, run: str, query: str, status: int, code: str):
    """A bad folder, a foreign cursor and a page too large are refused with the reason."""
    reply = get(server, f"{run}/artifacts{query}")

    assert (reply.status, reply.code) == (status, code)


def test_deleted_files_are_gone(server: ServerProcess, run: str):
    """A file and a folder are deleted by their names, and the answer says how much that was."""
    for path in ("a/1", "a/2", "b"):
        put(server, f"{run}/artifacts/{path}", b"1234")

    assert json.loads(server.ask("DELETE", f"{run}/artifacts/a").body) == {"file_count": 2, "size_bytes": 8}
    assert get(server, f"{run}/artifacts/a/1").status == 404
    assert server.ask("DELETE", f"{run}/artifacts/a").status == 404
    assert get(server, f"{run}/artifacts/b").status == 200


def test_bytes_that_are_not_those_announced_are_refused(server: ServerProcess, run: str):
    """A digest that does not fit is 422, and nothing is stored; one that fits changes nothing."""
    address = f"{run}/artifacts/a?digest={digest_bytes(b'other')}"
    reply = server.ask("PUT", address, body=b"bytes", media_type=BYTES)

    assert (reply.status, reply.code) == (422, "digest_mismatch")
    assert get(server, f"{run}/artifacts/a").status == 404
    put(server, f"{run}/artifacts/a?digest={digest_bytes(b'bytes')}", b"bytes")


def test_run_that_is_not_there_has_no_files(server: ServerProcess):
    """Whatever is asked of the files of an unknown run is 404."""
    run = "/api/v1/runs/0192f0c1aabb7ccc8dddeeeeffff0a1b"
    answers = (
        get(server, f"{run}/artifacts"),
        get(server, f"{run}/artifacts/a"),
        server.ask("PUT", f"{run}/artifacts/a", body=b"x", media_type=BYTES),
        server.ask("DELETE", f"{run}/artifacts/a"),
        post(server, f"{run}/uploads", {"path": "a"}),
    )

    assert {(reply.status, reply.code) for reply in answers} == {(404, "not_found")}


def test_upload_goes_on_at_another_process(tmp_path: Path):
    """Nothing of an upload is in the memory of a server: the next process takes the rest and ends it."""
    with running_server(tmp_path / "store") as server:
        run_id = json.loads(server.ask("POST", "/api/v1/runs", body=b'{"experiment": "delay"}').body)[
            "run_id"
        ]
        run = f"/api/v1/runs/{run_id}"
        begun = json.loads(post(server, f"{run}/uploads", {"path": "model/a.bin", "part_count": 2}).body)
        upload = f"/api/v1/uploads/{begun['upload_id']}"
        second = server.ask("PUT", f"{upload}/parts/2", body=LARGE[2_000_000:], media_type=BYTES)
        server.process.kill()
        server.process.wait()
    with running_server(tmp_path / "store") as server:
        arrived = json.loads(get(server, upload).body)
        first = server.ask("PUT", f"{upload}/parts/1", body=LARGE[:2_000_000], media_type=BYTES)
        digests = (first.headers["etag"].strip('"'), second.headers["etag"].strip('"'))
        parts = [{"number": number, "digest": digest} for number, digest in enumerate(digests, start=1)]
        done = post(server, f"{upload}/complete", {"parts": parts})

        assert [part["number"] for part in arrived["parts"]] == [2]
        assert json.loads(done.body)["digest"] == digest_bytes(LARGE)
        assert get(server, f"{run}/artifacts/model/a.bin").body == LARGE
        assert post(server, f"{upload}/complete", {}).status == 200
        assert json.loads(get(server, upload).body)["state"] == "complete"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([{"number": 1}, {"number": 1}], "twice"),
        ([{"number": 2}, {"number": 1}], "order"),
        ([{"number": 1}], "missing"),
        ([{"number": 1}, {"number": 2}, {"number": 3}], "3 has not arrived"),
        ([{"number": 1, "digest": "0" * 64}, {"number": 2}], "digest"),
    ],
)
def test_parts_that_are_no_file_are_a_conflict(
    server: ServerProcess, run: str, parts: list[dict[str, object]], words: str
):
    """Parts missing, named twice, out of order or of other bytes are 409, and the upload stays open."""
    begun = json.loads(post(server, f"{run}/uploads", {"path": "a", "part_count": 2}).body)
    upload = f"/api/v1/uploads/{begun['upload_id']}"
    for number in (1, 2):
        assert server.ask("PUT", f"{upload}/parts/{number}", body=b"x", media_type=BYTES).status == 201

    reply = post(server, f"{upload}/complete", {"parts": parts})
    assert (reply.status, reply.code, words in str(reply.problem()["detail"])) == (409, "conflict", True)
    assert get(server, f"{run}/artifacts/a").status == 404
    assert post(server, f"{upload}/complete", {}).status == 200


def test_upload_is_dropped(server: ServerProcess, run: str):
    """What is dropped is gone for whoever asks, and nothing of it is visible."""
    begun = json.loads(post(server, f"{run}/uploads", {"path": "a"}).body)
    upload = f"/api/v1/uploads/{begun['upload_id']}"
    server.ask("PUT", f"{upload}/parts/1", body=b"x", media_type=BYTES)

    assert json.loads(server.ask("DELETE", upload).body)["path"] == "a"
    answers = (
        get(server, upload),
        server.ask("PUT", f"{upload}/parts/1", body=b"x", media_type=BYTES),
        post(server, f"{upload}/complete", {}),
        server.ask("DELETE", upload),
    )
    assert {reply.status for reply in answers} == {404}


@pytest.mark.parametrize("number", ["0", "-1", "x", "1e3", "10001", "%D9%A1", "9" * 30])
def test_part_number_is_a_number(server: ServerProcess, run: str, number: str):
    """What is no number from 1 to 10,000 names no part."""
    begun = json.loads(post(server, f"{run}/uploads", {"path": "a"}).body)
    address = f"/api/v1/uploads/{begun['upload_id']}/parts/{number}"

    assert server.ask("PUT", address, body=b"x", media_type=BYTES).status == 422


def test_large_files_take_no_memory(server: ServerProcess, run: str):
    """Parts, their file, and its download pass through in pieces: the server does not grow by their size."""
    part = bytes(range(256)) * (256 * 1024)  # 64 MiB
    begun = json.loads(post(server, f"{run}/uploads", {"path": "large"}).body)
    upload = f"/api/v1/uploads/{begun['upload_id']}"
    before = peak_kib(server)
    for number in (1, 2):
        address = f"{upload}/parts/{number}"
        assert server.ask("PUT", address, body=part, media_type=BYTES).status == 201
    assert post(server, f"{upload}/complete", {}).status == 200
    assert get(server, f"{run}/artifacts/large", Range="bytes=134217700-").body == part[-28:]
    with urlopen(f"{server.url}{run}/artifacts/large") as answer:
        assert sum(map(len, iter(lambda: answer.read(1 << 20), b""))) == 2 * len(part)

    assert peak_kib(server) - before < 48 * 1024


def peak_kib(server: ServerProcess) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])
