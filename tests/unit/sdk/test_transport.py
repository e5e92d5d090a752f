"""When a request is sent again, under which key, and what becomes of answers that are no answers."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import msgspec
import pytest

from paddock.kernel.errors import InvalidInput, InvalidSettings, NotFound, PaddockError, Unavailable
from paddock.kernel.refusals import ServerBusy
from paddock.sdk.transport import Patience, Transport, address, check_url
from paddock.wire import describe_problem, structs

URL = "http://127.0.0.1:8321"
NO_WAIT = Patience(total_s=5.0, greet_s=0.0, first_wait_s=0.0, most_wait_s=0.0)
STORED = {"digest": "ab", "size_bytes": 3}
FINISH = structs.FinishRun(status="finished")

Answer = httpx.Response | Exception


def scripted(
    answers: Sequence[Answer], patience: Patience = NO_WAIT
) -> tuple[Transport, list[httpx.Request]]:
    """Return a transport whose network gives these answers, one for each try, and the list of the tries."""
    left, seen = iter(answers), list[httpx.Request]()

    def answer(request: httpx.Request) -> httpx.Response:
        request.read()
        seen.append(request)
        given = next(left)
        if isinstance(given, Exception):
            raise given
        return given

    return Transport(URL, patience=patience, wire=httpx.MockTransport(answer)), seen


def refusal(error: PaddockError, **headers: str) -> httpx.Response:
    problem = describe_problem(error, "r1")
    headers = {"Content-Type": "application/problem+json", **headers}
    return httpx.Response(problem.status, content=msgspec.json.encode(problem), headers=headers)


def busy(retry_after: str = "0") -> httpx.Response:
    return refusal(ServerBusy("all workers are taken"), **{"Retry-After": retry_after})


def stored() -> httpx.Response:
    return httpx.Response(201, json=STORED)


@pytest.mark.parametrize(
    "lost",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("disconnected without an answer"),
        httpx.ReadTimeout("too slow"),
        busy(),
    ],
    ids=lambda lost: type(lost).__name__,
)
def test_lost_request_is_sent_again_under_its_key(lost: Answer):
    """Without an answer, and after a 503 that asks for it, the same bytes go out under the same key."""
    transport, seen = scripted([lost, lost, stored()])

    found = transport.post("/p", FINISH, structs.StoredObject)

    assert found.size_bytes == 3
    assert len({request.headers["Idempotency-Key"] for request in seen}) == 1
    assert [json.loads(request.content) for request in seen] == [{"status": "finished", "ended_at": None}] * 3


def test_two_writes_have_two_keys():
    """A key of the transport's own is never used for another request; a given one is used as it is."""
    transport, seen = scripted([stored(), stored(), stored()])

    transport.post("/p", FINISH, structs.StoredObject)
    transport.post("/p", FINISH, structs.StoredObject)
    transport.post("/p", FINISH, structs.StoredObject, key="train-7")

    keys = [request.headers["Idempotency-Key"] for request in seen]
    assert len(set(keys)) == 3
    assert keys[2] == "train-7"


@pytest.mark.parametrize("error", [NotFound("no run `a`"), InvalidInput("wrong"), PaddockError("a fault")])
def test_refusal_is_raised_at_once(error: PaddockError):
    """A 4xx or a fault of the server is not asked for twice."""
    transport, seen = scripted([refusal(error)])

    with pytest.raises(type(error), match=error.message):
        transport.get("/p", structs.StoredObject)

    assert len(seen) == 1


def test_busy_server_that_names_no_time_is_not_asked_again():
    """503 without Retry-After is an answer."""
    transport, seen = scripted([refusal(ServerBusy("all workers are taken"))])

    with pytest.raises(ServerBusy):
        transport.get("/p", structs.StoredObject)

    assert len(seen) == 1


def test_patience_ends_before_a_wait_that_is_too_long():
    """A server that asks to come again in an hour is taken at its word, and told to the caller now."""
    transport, seen = scripted([busy("3600")])

    with pytest.raises(ServerBusy, match="all workers are taken"):
        transport.get("/p", structs.StoredObject)

    assert len(seen) == 1


def test_patience_ends_with_the_reason():
    """When nothing answers any more the error says where and why, and how to change the address."""
    transport, _ = scripted([httpx.ConnectError("connection refused")] * 3, Patience(0.0, 0.0, 0.0, 0.0))

    with pytest.raises(
        Unavailable, match=f"the server at `{URL}` does not answer: connection refused"
    ) as told:
        transport.get("/p", structs.StoredObject)

    assert told.value.hint.startswith("PADDOCK_URI")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(404, html="<h1>Not Found</h1>"), InvalidSettings),
        (httpx.Response(302, headers={"Location": "/login"}), InvalidSettings),
        (httpx.Response(200, html="<h1>Welcome</h1>"), InvalidSettings),
        (httpx.Response(200, json={"digest": 7}), InvalidSettings),
        (httpx.Response(502, html="Bad Gateway"), Unavailable),
    ],
)
def test_answer_of_somebody_else_is_told_as_such(answer: httpx.Response, kind: type[PaddockError]):
    """HTML, a login page or other JSON means that the address is not that of a Paddock server."""
    transport, _ = scripted([answer])

    with pytest.raises(
        kind, match=rf"`{URL}/p` answers {answer.status_code}, but not as a Paddock server does"
    ):
        transport.get("/p", structs.StoredObject)


def test_greeting_wants_a_paddock_server():
    """Something that answers at the address is not enough."""
    scripted([httpx.Response(200, text="OK")])[0].greet()

    with pytest.raises(InvalidSettings, match="not as a Paddock server"):
        scripted([httpx.Response(200, html="hello")])[0].greet()


@pytest.mark.parametrize("source", [b"abc", Path("weights.bin")], ids=["bytes", "file"])
def test_upload_is_sent_again_whole(source: bytes | Path, folder: Path):
    """A second try begins at the first byte again, under the same key."""
    (folder / "weights.bin").write_bytes(b"abc")
    transport, seen = scripted([httpx.WriteError("reset"), busy(), stored()])

    transport.upload("PUT", "/p", source, structs.StoredObject)

    assert [request.content for request in seen] == [b"abc"] * 3
    assert len({request.headers["Idempotency-Key"] for request in seen}) == 1
    assert seen[0].headers["Content-Length"] == "3"


def test_download_that_breaks_off_starts_again(folder: Path):
    """What a broken try has written is not mixed with the whole file."""

    def broken() -> Iterator[bytes]:
        yield b"half of"
        raise httpx.ReadError("reset")

    transport, _ = scripted([httpx.Response(200, content=broken()), httpx.Response(200, content=b"whole")])

    transport.download("/p", folder / "file")

    assert (folder / "file").read_bytes() == b"whole"


def test_download_of_what_is_not_there(folder: Path):
    """A refused download is the server's error, and no file."""
    transport, _ = scripted([refusal(NotFound("no version 9"))])

    with pytest.raises(NotFound, match="no version 9"):
        transport.download("/p", folder / "file")

    assert not (folder / "file").exists()


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8321", "ftp://x", "http://", "http://u:p@x", "http://x?a=1", "http://x:port"],
)
def test_address_that_names_no_server(url: str):
    """What cannot be the address of a server is told before anything is sent."""
    with pytest.raises(InvalidSettings):
        check_url(url)


@pytest.mark.parametrize("path", ["../finish", "a//b", "/a", ".", "a/..", ""])
def test_path_cannot_leave_its_place(path: str):
    """Segments that another route could be reached by are refused here, not cleaned up."""
    with pytest.raises(InvalidInput):
        address("runs", "r1", "artifacts", path)


def test_project_is_sent_when_it_is_named():
    """The server acts in the project of the client; without one in its own."""
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("Paddock-Project"))
        return stored()

    wire: Callable[[], httpx.MockTransport] = lambda: httpx.MockTransport(answer)  # noqa: E731
    for project in ("flights", ""):
        Transport(URL, project=project, wire=wire()).get("/p", structs.StoredObject)

    assert seen == ["flights", None]
