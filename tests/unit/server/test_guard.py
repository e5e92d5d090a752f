"""Checks of the head of a request that need no server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.refusals import BadPath, BodyTooLarge, CrossSiteRequest, UnsupportedBody
from paddock.kernel.settings import resolve_settings
from paddock.server.guard import (
    Head,
    check_body_type,
    check_form_origin,
    check_head,
    check_length,
    check_path,
    read_key,
    read_query,
)
from paddock.server.limits import limits_of
from paddock.wire import BodyKind, RequestRefused

LIMITS = limits_of(resolve_settings({}, {}, {}))


def head(method: str = "GET", path: bytes = b"/x", **headers: str) -> Head:
    sent = {"host": "127.0.0.1:8321", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Head(method, path, b"", [(name.encode(), value.encode()) for name, value in sent.items()])


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST:8321", "[::1]", "[::1]:8321", "127.0.0.1:1"]
)
def test_our_names_pass(host: str):
    """Every name of the allow-list passes, with any port and in any case."""
    check_head(head(host=host), LIMITS)


@pytest.mark.parametrize(
    "headers",
    [{}, {"sec_fetch_site": "same-origin"}, {"sec_fetch_site": "none"}, {"origin": "http://127.0.0.1:8321"}],
)
def test_own_pages_and_programs_may_write(headers: dict[str, str]):
    """A client that is no browser, and our own pages, pass the origin check."""
    check_head(head("POST", **headers), LIMITS)


@given(st.binary(max_size=40))
def test_a_path_that_passes_means_one_thing(tail: bytes):
    """No path passes that holds an empty or dot segment, a backslash or a control character once decoded."""
    from urllib.parse import unquote_to_bytes

    try:
        check_path(b"/" + tail)
    except BadPath:
        return
    decoded = unquote_to_bytes(b"/" + tail)
    segments = decoded.split(b"/")[1:]
    assert b"" not in segments[:-1]
    assert not {b".", b".."} & set(segments)
    assert b"\\" not in decoded
    assert b"\x00" not in decoded
    assert tail.count(b"/") == decoded.count(b"/") - 1


@pytest.mark.parametrize(
    "path", [b"/", b"/x/", b"/models/delay@7", b"/runs/a%20b", b"/a/%C3%A4.txt", b"/a/100%25.txt"]
)
def test_plain_paths_pass(path: bytes):
    """Ordinary names, encoded once, are paths."""
    check_path(path)


def test_upload_types_are_those_no_form_can_send():
    """A file is taken only under a type that makes a browser ask first."""
    check_body_type(head("PUT", content_type="application/octet-stream"), BodyKind.FILE)
    for media_type in ("text/plain", "multipart/form-data", "application/x-www-form-urlencoded", ""):
        with pytest.raises(UnsupportedBody):
            check_body_type(head("PUT", content_type=media_type), BodyKind.FILE)


@pytest.mark.parametrize("headers", [{"sec_fetch_site": "same-origin"}, {"origin": "http://127.0.0.1:8321"}])
def test_form_of_our_own_page_is_taken(headers: dict[str, str]):
    """A browser says of our own page that it is ours, one way or the other."""
    check_head(head("POST", **headers), LIMITS)
    check_form_origin(head("POST", **headers))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "cross-site", "origin": "http://127.0.0.1:8321"},
        {"origin": "null"},
        {"origin": "http://evil.test"},
        {"origin": "https://127.0.0.1:8321"},
    ],
)
def test_form_from_elsewhere_or_nowhere_is_refused(headers: dict[str, str]):
    """A form that no browser vouches for is refused, also when nothing speaks against it."""

    def check() -> None:
        check_head(head("POST", **headers), LIMITS)
        check_form_origin(head("POST", **headers))

    with pytest.raises(CrossSiteRequest):
        check()


def test_form_has_the_type_of_a_form():
    """Where a form is taken nothing else is."""
    check_body_type(head("POST", content_type="application/x-www-form-urlencoded"), BodyKind.FORM)
    for media_type in ("text/plain", "multipart/form-data", "application/json", ""):
        with pytest.raises(UnsupportedBody):
            check_body_type(head("POST", content_type=media_type), BodyKind.FORM)


def test_length_is_checked_before_the_body():
    """The announced length decides; without one the body is counted as it comes."""
    assert check_length(head("POST"), 10) == 0
    assert check_length(head("POST", content_length="10"), 10) == 10
    assert check_length(head("POST", transfer_encoding="chunked"), 10) == -1
    with pytest.raises(BodyTooLarge):
        check_length(head("POST", content_length="11"), 10)


def test_query_is_read_once_and_by_name():
    """Percent signs are decoded once; a plus is a space."""
    assert read_query(b"q=a%2520b+c", {"q": ""}, 64) == {"q": "a%20b c"}
    assert read_query(b"", {}, 64) == {}


def test_lists_may_be_repeated():
    """Check boxes of one name are one list; any other name stands once."""
    known = {"pin": "", "limit": ""}

    assert read_query(b"pin=a,b&pin=&pin=c&limit=5", known, 64, {"pin"}) == {"pin": "a,b,c", "limit": "5"}
    with pytest.raises(RequestRefused, match="`limit` twice"):
        read_query(b"limit=5&limit=5", known, 64, {"pin"})


def test_keys_are_visible_text():
    """An Idempotency-Key goes through as it is."""
    assert read_key(head("POST", idempotency_key="run-7/log:3")) == "run-7/log:3"
    with pytest.raises(RequestRefused):
        read_key(head("POST", idempotency_key="a b"))


@pytest.mark.parametrize("prefix", [b"/api/2.0", b"/ajax-api/2.0"])
def test_names_of_mlflows_files_may_hold_percent_signs(prefix: bytes):
    """What follows a `%` in the name of a file is judged by the face; everything else is refused as ever."""
    proxy = prefix + b"/mlflow-artifacts/artifacts/"
    check_path(proxy + b"a%2520b.txt")

    for path in (proxy + b"%2e%2e/x", proxy + b"a//b", proxy + b"a%2fb", b"/api/2.0/mlflow/x%2520y"):
        with pytest.raises(BadPath):
            check_path(path)
