"""The routes of artifacts and uploads on a store, without HTTP; and what a Range header asks for."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.api.artifacts import routes
from paddock.app import App, open_app
from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import InvalidInput, NotFound
from paddock.kernel.refusals import RangeNotSatisfiable
from paddock.kernel.settings import resolve_settings
from paddock.wire import Answer, AnyAnswer, Call, StreamAnswer, decode_json, structs
from paddock.wire.downloads import answer_object, parse_range

BODY = b"0123456789"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    settings = resolve_settings({"store": str(tmp_path / "store"), "principal": "ann"}, {}, {})
    with closing(open_app(settings)) as opened:
        yield opened


@pytest.fixture
def run_id(app: App) -> str:
    return app.tracking.start_run(experiment="delay").run_id


class Client:
    """Calls handlers as the server does; `upload` is what comes as a file."""

    def __init__(self, app: App, folder: Path) -> None:
        self.app = app
        self.folder = folder
        self.specs = {f"{spec.method} {spec.path.removeprefix('/api/v1')}": spec for spec in routes(app)}

    def ask(self, route: str, body: object = None, upload: bytes = b"", **values: str) -> AnyAnswer:
        spec = self.specs[route]
        path = {name: value for name, value in values.items() if f"{{{name}" in spec.path}
        query = {name: value for name, value in values.items() if name not in path}
        assert set(query) <= set(spec.query), "the server would refuse this query"
        (self.folder / "upload").write_bytes(upload)
        decoded = decode_json(json.dumps(body).encode(), spec.request) if spec.request else None
        call = Call(path, query, self.app.actor, "r1", body=decoded, upload=self.folder / "upload")
        return spec.handler(call)

    def get(self, route: str, body: object = None, upload: bytes = b"", **values: str) -> structs.Resource:
        answer = self.ask(route, body, upload, **values)
        spec = self.specs[route]
        assert isinstance(answer, Answer)
        assert answer.status == spec.status
        assert spec.response is not None
        return msgspec.json.decode(answer.body, type=spec.response)


@pytest.fixture
def client(app: App, tmp_path: Path) -> Client:
    return Client(app, tmp_path)


def test_files_are_put_listed_got_and_deleted(client: Client, run_id: str):
    """Each route answers with what its declaration says."""
    file = "/runs/{run_id}/artifacts/{path:path}"
    put = client.get(f"PUT {file}", upload=BODY, run_id=run_id, path="a/b.txt", digest=digest_bytes(BODY))
    page = client.get("GET /runs/{run_id}/artifacts", run_id=run_id, path="a", depth="all", limit="5")
    got = client.ask(f"GET {file}", run_id=run_id, path="a/b.txt")

    assert put == structs.Artifact(path="a/b.txt", digest=digest_bytes(BODY), size_bytes=10)
    entry = structs.ArtifactEntry(path="a/b.txt", is_folder=False, size_bytes=10, digest=digest_bytes(BODY))
    assert page == structs.ArtifactPage(entries=(entry,))
    assert isinstance(got, Answer)
    assert got.body == BODY
    gone = client.get(f"DELETE {file}", run_id=run_id, path="a")
    assert gone == structs.ArtifactTotal(file_count=1, size_bytes=10)
    with pytest.raises(NotFound):
        client.ask(f"GET {file}", run_id=run_id, path="a/b.txt")
    with pytest.raises(InvalidInput, match="`folder` or `all`"):
        client.ask("GET /runs/{run_id}/artifacts", run_id=run_id, depth="2")


def test_upload_is_begun_fed_completed_and_dropped(client: Client, run_id: str):
    """Each route answers with what its declaration says."""
    upload, wanted = "/uploads/{upload_id}", {"path": "a.bin", "size_bytes": 10, "part_count": 2}
    begun = client.get("POST /runs/{run_id}/uploads", wanted, run_id=run_id)
    assert isinstance(begun, structs.Upload)
    ids = {"upload_id": begun.upload_id}
    parts = [
        client.get(f"PUT {upload}/parts/{{number}}", upload=body, number=number, **ids)
        for number, body in (("2", BODY[4:]), ("1", BODY[:4]))
    ]
    found = client.get(f"GET {upload}", **ids)
    assert isinstance(found, structs.Upload)
    assert found.parts == tuple(reversed(parts))

    done = client.get(f"POST {upload}/complete", {"parts": [{"number": 1}, {"number": 2}]}, **ids)
    assert done == structs.Artifact(path="a.bin", digest=digest_bytes(BODY), size_bytes=10)
    dropped = client.get("POST /runs/{run_id}/uploads", {"path": "b.bin"}, run_id=run_id)
    assert isinstance(dropped, structs.Upload)
    assert client.get(f"DELETE {upload}", upload_id=dropped.upload_id) == dropped
    with pytest.raises(NotFound):
        client.ask(f"GET {upload}", upload_id=dropped.upload_id)


def test_part_of_a_file_is_streamed(app: App):
    """A range is answered by a stream of so many bytes, and nothing is read before it is asked for."""
    digest = app.objects.put(BODY)

    answer = answer_object(app.objects, digest, 10, "a", {"range": "bytes=2-4"})
    assert isinstance(answer, StreamAnswer)
    assert (answer.status, answer.size_bytes, b"".join(answer.chunks)) == (206, 3, b"234")


_NUMBERS = st.one_of(
    st.just(""), st.integers(0, 30).map(str), st.sampled_from(["99999999999999999999", "x", " 1"])
)


def ask_range(text: str, size: int) -> tuple[int, int] | RangeNotSatisfiable | None:
    try:
        return parse_range(text, size)
    except RangeNotSatisfiable as error:
        return error


@given(st.integers(0, 20), _NUMBERS, _NUMBERS)
def test_range_is_inside_or_refused(size: int, first: str, last: str):
    """Whatever is asked, the part has at least one byte of those there are, and is the one asked for."""
    part = ask_range(f"bytes={first}-{last}", size)

    if isinstance(part, RangeNotSatisfiable):
        assert part.details == {"size_bytes": size}
        assert size == 0 or last == "0" or int(first or 0) >= size
    elif part is not None:
        assert 0 <= part[0] < part[1] <= size
        stop = min(int(last) + 1, size) if first and last else size
        assert part == ((int(first) if first else max(size - int(last), 0)), stop)


@given(st.text(max_size=30))
def test_any_text_is_no_range_or_one(text: str):
    """A header that cannot be read is passed over and never a fault."""
    part = ask_range(text, 10)

    assert part is None or isinstance(part, RangeNotSatisfiable) or 0 <= part[0] < part[1] <= 10
