"""Names of files that mean harm, sent to a real server: each is refused, or is an ordinary name of a file."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from server_process import Reply, ServerProcess, running_server

from paddock.app import open_app
from paddock.kernel.refusals import BadPath
from paddock.kernel.settings import resolve_settings
from paddock.tracking.artifacts.rules import find_path_problem

BYTES = "application/octet-stream"
SECRET = b"root:x:0:0"

# Forms of a path on the wire. What they mean is one question, and the server must not give two answers.
ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": lambda path: quote(path, safe="/.~!$&'()*+,;=:@\\"),
    "quoted": lambda path: quote(path, safe="/"),
    "dots": lambda path: quote(path, safe="/").replace(".", "%2e"),
    "all": lambda path: "".join(f"%{byte:02x}" for byte in path.encode()),
    "twice": lambda path: quote(quote(path, safe="/").replace(".", "%2e"), safe="/"),
    "overlong": lambda path: quote(path, safe="/").replace(".", "%c0%ae"),
    "overlong slash": lambda path: quote(path, safe="").replace("%2F", "%c0%af"),
    "semicolon": lambda path: quote(path, safe="/").replace("/", "/;/"),
    "backslash": lambda path: quote(path, safe="/").replace("/", "\\"),
    "fullwidth": lambda path: quote(path.replace(".", "\uff0e").replace("/", "\uff0f"), safe="/"),
}
_SEGMENTS = st.one_of(
    st.sampled_from(["..", ".", "", "etc", "passwd", "C:", "con", "a.txt", "...", "a ", "~", "\u2025"]),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=6),
)
_PATHS = st.lists(_SEGMENTS, min_size=1, max_size=5).map("/".join)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in it, and beside the store what nobody may read or change."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "etc").mkdir()
    (folder / "etc" / "passwd").write_bytes(SECRET)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServerProcess]:
    with running_server(folder / "store") as running:
        yield running


@pytest.fixture(scope="module")
def run(server: ServerProcess) -> str:
    reply = server.ask("POST", "/api/v1/runs", body=b'{"experiment": "hostile"}')
    return f"/api/v1/runs/{json.loads(reply.body)['run_id']}"


def listed(server: ServerProcess, run: str) -> set[str]:
    return {
        entry["path"] for entry in json.loads(server.ask("GET", f"{run}/artifacts?depth=all").body)["entries"]
    }


def check_answer(reply: Reply, sent: str) -> None:
    """What was stored has the name that was sent, decoded once, and an allowed one; all else is a problem."""
    if reply.status == 201:
        path = json.loads(reply.body)["path"]
        assert path == unquote_to_bytes(sent).decode()
        assert find_path_problem(path) == ""
    else:
        assert (reply.status, reply.code) in (
            (400, "bad_path"),
            (400, "bad_request"),
            (404, "route_not_found"),
            (405, "method_not_allowed"),
            (409, "conflict"),
            (431, "headers_too_large"),
        ), reply
    assert SECRET not in reply.body


@pytest.mark.parametrize("form", ENCODINGS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=_PATHS)
@example("../../etc/passwd")
@example("/etc/passwd")
@example("etc/../../../etc/passwd")
@example("a/b/..")
def test_no_form_of_a_name_leaves_the_store(
    server: ServerProcess, run: str, folder: Path, form: str, path: str
):
    """Whatever is asked and however it is written, no file outside is read, made or changed."""
    sent = ENCODINGS[form](path)
    before = sorted(entry.name for entry in folder.iterdir())

    for method in ("PUT", "GET", "DELETE"):
        body = b"harm" if method == "PUT" else b""
        reply = server.ask(method, f"{run}/artifacts/{sent}", body=body, media_type=BYTES)
        if method == "PUT":
            check_answer(reply, sent)
        assert SECRET not in reply.body
    assert sorted(entry.name for entry in folder.iterdir()) == before
    assert (folder / "etc" / "passwd").read_bytes() == SECRET


@pytest.mark.parametrize(
    "sent",
    [
        "../../etc/passwd",
        "%2e%2e%2fetc",
        "..%2f..%2fetc",
        "..\\..\\x",
        ";/../x",
        "a;/../x",
        "%c0%ae%c0%ae/x",
        "a%00.txt",
        "a%0a",
        "/etc/passwd",
        "C:%5Cx",
        "C:/x",
        "file.txt:ads",
        "%252e%252e/x",
        "e%CC%81.txt",
        "a./b",
        "a%20/b",
        "a" * 256,
        "%ff",
    ],
)
def test_bad_name_is_a_bad_path(server: ServerProcess, run: str, sent: str):
    """Ways up, separators, drive letters, streams, halves of characters: 400, and nothing is stored."""
    before = listed(server, run)
    reply = server.ask("PUT", f"{run}/artifacts/{sent}", body=b"x", media_type=BYTES)

    assert (reply.status, reply.code) == (400, "bad_path")
    assert listed(server, run) == before


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a\\b", "C:/x", "a\u0000", "e\u0301", "a/", "x" * 256]
)
def test_bad_name_in_a_body_is_a_bad_path(server: ServerProcess, run: str, path: str):
    """An upload in parts begins with a name in JSON, which is held to the same rule."""
    body = json.dumps({"path": path}).encode()
    reply = server.ask("POST", f"{run}/uploads", body=body)

    assert (reply.status, reply.code) == (400, "bad_path")


def test_upload_of_another_owner_is_not_reached(server: ServerProcess):
    """The id of an upload is an id, whatever it looks like."""
    for upload in ("..", "%2e%2e", "x'%20OR%201=1", "a" * 300, "0192f0c1aabb7ccc8dddeeeeffff0a1b"):
        reply = server.ask("PUT", f"/api/v1/uploads/{upload}/parts/1", body=b"x", media_type=BYTES)
        assert reply.status in (400, 404), reply


_HARM = st.lists(
    st.sampled_from(["..", "/", "\\", "etc/passwd", "\0", ":", "a", ".", " ", "\u0301"]), max_size=8
).map("".join)
_opened: list[str] = []
_is_watching = False


def _note_open(event: str, arguments: tuple[object, ...]) -> None:
    if _is_watching and event in ("open", "os.rename", "os.link", "os.mkdir", "os.remove"):
        _opened.extend(
            os.fsdecode(part) for part in arguments[:2] if isinstance(part, str | bytes | os.PathLike)
        )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=_HARM)
@example("a/b")
def test_nothing_outside_of_the_store_is_opened(tmp_path: Path, hooked: None, path: str):
    """Storing, reading, listing and deleting under any name opens files of the store and no others."""
    global _is_watching
    app = open_app(resolve_settings({"store": str(tmp_path / "store"), "principal": "ann"}, {}, {}))
    _opened.clear()
    _is_watching = True
    try:
        for act in (
            lambda: app.artifacts.put("", path, b"harm"),
            lambda: app.artifacts.read("", path),
            lambda: app.artifacts.list_folder("", path),
            lambda: app.uploads.create("", path),
            lambda: app.artifacts.delete("", path),
        ):
            try:
                act()
            except BadPath:
                continue
    finally:
        _is_watching = False
        app.close()

    root = tmp_path / "store"
    outside = [
        name for name in _opened if Path(name).is_absolute() and root not in (Path(name), *Path(name).parents)
    ]
    assert [name for name in outside if not name.endswith((".py", ".pyc", ".so"))] == []
    assert find_path_problem(path) or any(root / "objects" in Path(name).parents for name in _opened)


@pytest.fixture(scope="module")
def hooked() -> None:
    """Watch what this process opens; a hook stays for its life, so it looks only when told to."""
    sys.addaudithook(_note_open)
