"""Problems, permissions, routes as values."""

import json

import pytest

from paddock.kernel.errors import Forbidden, InvalidInput, InvalidRows, QueueFull
from paddock.kernel.refs import Actor, ProjectId
from paddock.kernel.refusals import RequestRefused
from paddock.wire import (
    LOCAL_GRANTS,
    BodyKind,
    Call,
    Permission,
    RouteSpec,
    answer_json,
    answer_problem,
    check_permission,
    content_disposition,
    describe_problem,
    describe_unexpected,
)
from paddock.wire.structs import Promote, StartRun, StoredObject

ACTOR = Actor(ProjectId("default"), "ann")


def call(**query: str) -> Call:
    return Call(path={}, query=query, actor=ACTOR, request_id="r1")


def test_problem_tells_everything_the_error_knows():
    """Message, hint, code, every fault and every fact are in the problem."""
    error = InvalidRows("2 faults", hint="look", problems=("column `a`", "column `b`"), rows=2)

    problem = describe_problem(error, "r1")

    assert (problem.status, problem.code, problem.detail, problem.hint) == (
        422,
        "invalid_rows",
        "2 faults",
        "look",
    )
    assert problem.errors == ("column `a`", "column `b`")
    assert problem.facts == {"rows": 2}
    assert problem.request_id == "r1"


def test_unexpected_problem_tells_nothing():
    """A fault of ours shows its request id and nothing else of itself."""
    body = answer_problem(describe_unexpected("r1")).body

    assert json.loads(body)["request_id"] == "r1"
    assert b"Traceback" not in body


def test_try_again_later_says_when():
    """503 carries Retry-After."""
    answer = answer_problem(describe_problem(QueueFull("full"), "r1"))

    assert (answer.status, answer.media_type) == (503, "application/problem+json")
    assert int(answer.headers["Retry-After"]) > 0


def test_permissions_are_denied_by_default():
    """Only what is granted, or open to anyone, passes."""
    check_permission(Permission.ANYONE, ())
    check_permission(Permission.PROMOTE, LOCAL_GRANTS)
    for permission in set(Permission) - {Permission.ANYONE}:
        with pytest.raises(Forbidden):
            check_permission(permission, set(Permission) - {permission})


@pytest.mark.parametrize("text", ["0", "1001", "-1", "+5", " 5", "5.0", "1e2", "\u0665", "9" * 40])
def test_page_size_has_bounds(text: str):
    """A limit is a plain whole number from 1 to 1000."""
    with pytest.raises(InvalidInput, match="limit"):
        call(limit=text).limit()


def test_page_size_has_a_default():
    """Without a limit a page has 100 rows."""
    assert call().limit() == 100
    assert call(limit="1000").limit() == 1000


def test_body_of_another_route_is_a_fault_of_ours():
    """A handler that reads a struct its route does not declare is found by the first test that calls it."""
    with pytest.raises(TypeError):
        Call({}, {}, ACTOR, "r1", body=Promote(version=1, reason="x")).read(StartRun)
    with pytest.raises(TypeError):
        call().file()


def test_route_with_a_request_takes_json():
    """Declaring the struct is enough."""
    spec = RouteSpec(
        "POST",
        "/x",
        Permission.READ,
        lambda _: answer_json(StoredObject(digest="", size_bytes=0)),
        "x",
        request=StartRun,
    )

    assert spec.body is BodyKind.JSON


@pytest.mark.parametrize("name", ['a"\r\nSet-Cookie: x', "a\nb", "\x00", "", "\x7f"])
def test_file_names_cannot_make_headers(name: str):
    """Control characters in a name are refused, not escaped."""
    with pytest.raises(RequestRefused):
        content_disposition(name)


def test_quotes_in_a_file_name_are_encoded():
    """A quote ends nothing."""
    assert (
        content_disposition('a"; filename="b.html')
        == "attachment; filename*=UTF-8''a%22%3B%20filename%3D%22b.html"
    )
