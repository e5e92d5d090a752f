"""The API over real HTTP: what a client sees."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_process import ServerProcess, running_server

from paddock.kernel.digest import digest_bytes

CSV = b"carrier,delay\nUA,3.5\nAA,-1.0\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with running_server(tmp_path_factory.mktemp("store")) as running:
        yield running


def post(server: ServerProcess, path: str, body: object, key: str = "") -> tuple[int, dict[str, object]]:
    headers = {"Idempotency-Key": key} if key else {}
    reply = server.ask("POST", path, body=json.dumps(body).encode(), headers=headers)
    return reply.status, json.loads(reply.body)


def start_run(server: ServerProcess, **fields: object) -> str:
    status, run = post(server, "/api/v1/runs", {"experiment": "delay", **fields})
    assert status == 201
    return str(run["run_id"])


def test_a_run_from_start_to_finish(server: ServerProcess):
    """Start, log, finish, get, search and history tell one story."""
    run_id = start_run(server, params={"depth": "6"})
    logged = post(
        server,
        f"/api/v1/runs/{run_id}/log",
        {
            "metrics": [
                {"key": "loss/train", "value": 0.5, "step": 1},
                {"key": "loss/train", "value": "NaN", "step": 2},
            ],
            "params": {"rate": "0.1"},
            "tags": {"stage": "try"},
        },
    )
    ended = post(server, f"/api/v1/runs/{run_id}/finish", {"status": "finished"})
    run = json.loads(server.ask("GET", f"/api/v1/runs/{run_id}").body)
    history = json.loads(server.ask("GET", f"/api/v1/runs/{run_id}/metrics/loss/train").body)

    assert logged[1]["metric_count"] == 2
    assert ended == (200, run)
    assert run["params"] == {"depth": "6", "rate": "0.1"}
    assert run["metrics"] == {"loss/train": "NaN"}
    assert [(point["step"], point["value"]) for point in history["points"]] == [(1, 0.5), (2, "NaN")]
    assert run_id in [
        each["run_id"] for each in json.loads(server.ask("GET", "/api/v1/runs?experiment=delay").body)["runs"]
    ]


def test_the_same_request_twice_is_one_effect(server: ServerProcess):
    """The key makes a retry the first request; another body under it is refused."""
    first = post(server, "/api/v1/runs", {"experiment": "once"}, key="k1")
    again = post(server, "/api/v1/runs", {"experiment": "once"}, key="k1")
    other = post(server, "/api/v1/runs", {"experiment": "other"}, key="k1")

    assert first == again
    assert (other[0], other[1]["code"]) == (422, "idempotency_conflict")


@pytest.mark.parametrize(
    "changed",
    [
        {"metrics": [{"key": "a", "value": 2, "at": "2013-04-01T00:00:00Z"}]},
        {"metrics": [{"key": "a", "value": 1, "at": "2013-04-01T00:00:00Z"}], "params": {"x": "1"}},
        {"metrics": [{"key": "a", "value": 1, "at": "2013-04-01T00:00:00Z"}], "tags": {"x": "1"}},
        {},
    ],
    ids=["value", "more params", "more tags", "less"],
)
def test_a_keyed_batch_is_one_batch(server: ServerProcess, changed: dict[str, object]):
    """A batch under a used key must be the same in all its parts."""
    run_id = start_run(server)
    batch = {"metrics": [{"key": "a", "value": 1, "at": "2013-04-01T00:00:00Z"}]}
    path = f"/api/v1/runs/{run_id}/log"

    assert post(server, path, batch, key=run_id)[0] == 200
    assert post(server, path, batch, key=run_id)[0] == 200
    assert post(server, path, changed, key=run_id)[0] == 422


def test_keyed_points_need_their_time(server: ServerProcess):
    """Without `at` a retry could not be told from another measurement."""
    run_id = start_run(server)

    status, problem = post(
        server, f"/api/v1/runs/{run_id}/log", {"metrics": [{"key": "a", "value": 1}]}, key="k9"
    )

    assert (status, problem["code"]) == (422, "invalid_input")


def test_logging_to_no_run_is_not_found(server: ServerProcess):
    """An empty batch tells, too, that there is no such run."""
    assert post(server, f"/api/v1/runs/{'0' * 32}/log", {})[0] == 404


@pytest.mark.parametrize("name", ["page.html", "logo.svg", "data.xml", "notes.md", "report.pdf", "page.HTML"])
def test_artifacts_are_never_shown_in_our_origin(server: ServerProcess, name: str):
    """What a browser could run comes back as bytes to save, sandboxed."""
    run_id = start_run(server)
    body = b"<script>alert(1)</script>"
    path = f"/api/v1/runs/{run_id}/artifacts/plots/{name}"
    stored = server.ask("PUT", path, body=body, media_type="application/octet-stream")
    reply = server.ask("GET", path)

    assert stored.status == 201
    assert reply.body == body
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"
    assert reply.headers["content-security-policy"].startswith("sandbox")
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["a%0d%0ab.txt", "..%2f..%2fx", "a%00.txt", "C:%5cx", "%2e%2e", "a//b"])
def test_artifact_names_stay_inside_the_run(server: ServerProcess, path: str):
    """Names that would leave the run, or end a header, are refused on the way in and out."""
    run_id = start_run(server)
    address = f"/api/v1/runs/{run_id}/artifacts/{path}"

    assert server.ask("PUT", address, body=b"x", media_type="application/octet-stream").status == 400
    assert server.ask("GET", address).status == 400


def test_large_artifacts_come_back_whole(server: ServerProcess):
    """What does not fit into one piece of memory is streamed both ways."""
    run_id = start_run(server)
    body = bytes(range(256)) * 20_000
    path = f"/api/v1/runs/{run_id}/artifacts/model.bin"

    assert server.ask("PUT", path, body=body, media_type="application/octet-stream").status == 201
    assert server.ask("GET", path).body == body
    assert len(server.ask("HEAD", path).body) == 0


def test_datasets_are_uploaded_once(server: ServerProcess):
    """The same bytes are the same version; they come back as they went in."""
    address = "/api/v1/datasets/flights/versions"
    first = server.ask("POST", f"{address}?file_name=flights.csv", body=CSV, media_type="text/csv")
    again = server.ask("POST", f"{address}?file_name=flights.csv", body=CSV, media_type="text/csv")
    listed = json.loads(server.ask("GET", "/api/v1/datasets").body)["datasets"]

    assert (first.status, json.loads(first.body)["row_count"]) == (201, 2)
    assert again.body == first.body
    assert [(each["name"], each["version_count"]) for each in listed] == [("flights", 1)]
    assert server.ask("GET", f"{address}/1/content").body == CSV


@pytest.mark.parametrize(
    ("file_name", "body"),
    [
        ("a.parquet", b"PAR1 cut off"),
        ("a.csv", b""),
        ("a.exe", b"x"),
        ("../a.csv", CSV),
        ("a.arrow", b"\x00" * 100),
    ],
)
def test_bad_files_make_no_version(server: ServerProcess, file_name: str, body: bytes):
    """An empty, truncated or unknown file is 4xx with a reason, and no version."""
    reply = server.ask(
        "POST",
        f"/api/v1/datasets/bad/versions?file_name={file_name}",
        body=body,
        media_type="application/octet-stream",
    )

    assert reply.status == 422
    reply.problem()
    assert server.ask("GET", "/api/v1/datasets/bad/versions").status == 404


def test_an_object_has_the_digest_it_is_sent_under(server: ServerProcess):
    """Bytes under a wrong digest are refused and not kept."""
    body = b"weights"
    right, wrong = digest_bytes(body), digest_bytes(b"other")

    stored = server.ask("PUT", f"/api/v1/objects/{right}", body=body, media_type="application/octet-stream")
    refused = server.ask("PUT", f"/api/v1/objects/{wrong}", body=body, media_type="application/octet-stream")

    assert json.loads(stored.body) == {"digest": right, "size_bytes": 7}
    assert refused.status == 422


def test_nothing_is_promoted_without_evidence(server: ServerProcess):
    """Promoting and rolling back what is not there is refused in words."""
    for path, body in (("promotions", {"version": 1, "reason": "r"}), ("rollbacks", {"reason": "r"})):
        status, problem = post(server, f"/api/v1/models/none/{path}", body)

        assert status in (404, 409)
        assert problem["detail"]


def test_a_gate_is_told_what_is_wrong_with_it(server: ServerProcess):
    """An unknown version, a key that no gate has, and too many gates are refused before anything is run."""
    path = "/api/v1/models/none/versions/1/gate"
    exam = {"rows": "flights@1", "label": "late"}
    sound, misspelled = {"metric": "roc_auc", "at_least": 0.6}, {"metric": "roc_auc", "at_lest": 0.6}

    unknown = post(server, path, {**exam, "gates": [sound]})
    wrong = post(server, path, {**exam, "gates": [misspelled]})
    many = post(server, path, {**exam, "gates": [sound] * 101})

    assert (unknown[0], unknown[1]["code"]) == (404, "not_found")
    assert wrong[0] == many[0] == 422
    assert "the nearest is `at_least`" in str(wrong[1]["detail"])


def test_events_are_read_from_a_position_on(server: ServerProcess):
    """Reading in pages of one gives every event once, in order, and the chain holds."""
    start_run(server)
    whole = json.loads(server.ask("GET", "/api/v1/events?limit=1000").body)["events"]
    found: list[object] = []
    after = 0
    while page := json.loads(server.ask("GET", f"/api/v1/events?limit=1&after={after}").body)["events"]:
        found += page
        after = page[0]["position"]

    assert found == whole
    assert json.loads(server.ask("GET", "/api/v1/audit/verify").body)["ok"] is True


def test_projects_do_not_see_each_other(server: ServerProcess):
    """The header chooses the project; what is in another one is not found."""
    run_id = start_run(server)
    other = {"Paddock-Project": "other"}

    assert server.ask("GET", f"/api/v1/runs/{run_id}", headers=other).status == 404
    assert json.loads(server.ask("GET", "/api/v1/runs", headers=other).body)["runs"] == []
    assert server.ask("GET", "/api/v1/runs", headers={"Paddock-Project": "../x"}).status == 422


def test_pages_of_a_list_hold_every_row_once(server: ServerProcess):
    """Following the cursor gives all runs, each once."""
    for _ in range(5):
        start_run(server, tags={"paged": "yes"})
    everything = [
        run["run_id"] for run in json.loads(server.ask("GET", "/api/v1/runs?limit=1000").body)["runs"]
    ]
    found: list[str] = []
    cursor = ""
    while True:
        page = json.loads(server.ask("GET", f"/api/v1/runs?limit=2&cursor={cursor}").body)
        found += [run["run_id"] for run in page["runs"]]
        cursor = page["next_cursor"]
        if not cursor:
            break

    assert found == everything
    assert server.ask("GET", "/api/v1/runs?cursor=forged").status == 422


def test_uploads_leave_nothing_behind(server: ServerProcess, tmp_path: Path):
    """Received files are removed after the call, also after a refused one."""
    import tempfile

    left = list(Path(tempfile.gettempdir()).glob("paddock-upload-*")) + list(
        Path(tempfile.gettempdir()).glob("paddock-download-*")
    )

    assert left == []
