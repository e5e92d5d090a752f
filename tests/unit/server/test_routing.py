"""Only declared routes are served."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

from paddock.kernel.errors import PaddockError
from paddock.kernel.refusals import MethodNotAllowed, RouteNotFound
from paddock.server.routing import UndeclaredRoute, build_router, check_router, check_specs
from paddock.wire import Answer, BodyKind, Permission, RouteSpec
from paddock.wire.structs import StartRun


def spec(method: str = "GET", path: str = "/x", **changes: object) -> RouteSpec:
    made = RouteSpec(method, path, Permission.READ, lambda _: Answer(b""), "x")
    return replace(made, **changes)  # type: ignore[arg-type]  # the test hands over what a type checker would refuse


async def serve(*_: object) -> None:
    """Serve nothing: these tests only build."""


@pytest.mark.parametrize("permission", [None, "read", True, object()])
def test_route_without_a_permission_stops_the_start(permission: object):
    """What is not a Permission is no declaration, whatever it looks like."""
    with pytest.raises(UndeclaredRoute, match="GET /x"):
        build_router([spec(permission=permission)], serve)


@pytest.mark.parametrize(
    "specs",
    [
        [spec(), spec()],
        [spec(path="/x/{a}"), spec(path="/x/{b}")],
        [spec(method="CONNECT")],
        [spec(method="get")],
        [spec(body=BodyKind.JSON)],
        [spec(request=StartRun)],
        [spec(method="POST", body=BodyKind.FILE, takes_any_type=True)],
    ],
    ids=[
        "twice",
        "twice under other names",
        "method",
        "lower case",
        "GET with a body",
        "GET with a request",
        "POST of any type",
    ],
)
def test_routes_that_cannot_be_right_stop_the_start(specs: Sequence[RouteSpec]):
    """Two routes of one address, methods not served, bodies of a GET and a form for any type are faults."""
    with pytest.raises(UndeclaredRoute):
        check_specs(specs)


async def page(_: Request) -> PlainTextResponse:
    return PlainTextResponse("open")


@pytest.mark.parametrize(
    "route",
    [Route("/open", page), Mount("/files", routes=[]), WebSocketRoute("/live", page)],
    ids=["route", "mount", "socket"],
)
def test_a_route_put_in_by_hand_stops_the_start(route: Route):
    """Whatever is in the router without a RouteSpec is found before the first request."""
    router = build_router([spec()], serve)
    check_router(router)
    router.routes.append(route)

    with pytest.raises(UndeclaredRoute):
        check_router(router)


def test_all_faults_are_told_together():
    """One start tells about every route."""
    with pytest.raises(UndeclaredRoute) as caught:
        check_specs([spec(path="/a", permission=None), spec(path="/b", permission=None)])

    assert len(caught.value.problems) == 2


def test_fixed_path_is_found_before_one_with_a_parameter():
    """A path without parameters is served by its own route, whatever others would take it."""
    served: list[str] = []

    async def note(spec: RouteSpec, *_: object) -> None:
        served.append(f"{spec.method} {spec.path}")

    specs = [spec(path="/x/{a}"), spec(path="/x/fixed"), spec("POST", "/x/fixed"), spec(path="/x/{a}/y")]
    router = build_router(specs, note)
    for method, path in (
        ("GET", "/x/fixed"),
        ("HEAD", "/x/fixed"),
        ("POST", "/x/fixed"),
        ("GET", "/x/other"),
    ):
        asyncio.run(router(scope_of(method, path), nothing, nothing))

    assert served == ["GET /x/fixed", "GET /x/fixed", "POST /x/fixed", "GET /x/{a}"]


@pytest.mark.parametrize(
    ("method", "path", "error"),
    [
        ("PUT", "/x/fixed", MethodNotAllowed),
        ("GET", "/x/fixed/", RouteNotFound),
        ("GET", "/X/fixed", RouteNotFound),
    ],
)
def test_path_that_is_almost_fixed_is_not_served(method: str, path: str, error: type[PaddockError]):
    """Another method, a slash at the end and other case find nothing."""
    router = build_router([spec(path="/x/fixed")], serve)

    with pytest.raises(error):
        asyncio.run(router(scope_of(method, path), nothing, nothing))


def scope_of(method: str, path: str) -> dict[str, object]:
    return {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}


async def nothing(*_: object) -> dict[str, object]:
    return {}
