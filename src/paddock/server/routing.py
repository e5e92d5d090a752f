"""One router for all faces, built from declared routes only."""

import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence

from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from paddock.kernel.errors import InvalidSettings
from paddock.kernel.refusals import MethodNotAllowed, RouteNotFound
from paddock.server.guard import SAFE_METHODS
from paddock.wire import BodyKind, Permission, RouteSpec

Serve = Callable[[RouteSpec, Scope, Receive, Send], Awaitable[None]]

_METHODS = SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}
_LONGEST_SHOWN = 120
_PARAMETER = re.compile(r"\{[a-z_]+(:path)?\}")


class UndeclaredRoute(InvalidSettings):
    """A route without a declared permission; the server does not start with it."""

    code = "undeclared_route"


class DeclaredRoute(Route):
    """A Starlette route that stands for a RouteSpec. allowed: the methods of its path, over all routes."""

    def __init__(self, spec: RouteSpec, serve: Serve, allowed: Sequence[str]) -> None:
        super().__init__(spec.path, _Endpoint(spec, serve), methods=[spec.method], name=spec.path)
        self.spec = spec
        self._allowed = ", ".join(allowed)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request; the router comes here too when only the method does not fit."""
        method = scope["method"]
        if method not in (self.methods or ()):
            allow = self._allowed
            raise MethodNotAllowed(f"`{method[:20]}` is not taken here; {allow} is", allow=allow)
        await super().handle(scope, receive, send)


class _Endpoint:
    """ASGI application of one route; Starlette takes anything but a function as such."""

    def __init__(self, spec: RouteSpec, serve: Serve) -> None:
        self._spec = spec
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["paddock.route"] = self._spec
        await self._serve(self._spec, scope, receive, send)


class DeclaredRouter(Router):
    """Declared routes; those without parameters are found at once, however many there are."""

    def __init__(self, routes: Sequence[DeclaredRoute], default: ASGIApp) -> None:
        super().__init__(routes, redirect_slashes=False, default=default)
        fixed = [route for route in routes if "{" not in route.path]
        self._fixed = {(method, route.path): route for route in fixed for method in route.methods or ()}

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._fixed.get((scope["method"], scope["path"]))
        if route is None:
            await super().app(scope, receive, send)
            return
        scope["path_params"] = {}
        await route.handle(scope, receive, send)


def build_router(specs: Sequence[RouteSpec], serve: Serve, no_route_hint: str = "") -> Router:
    """Return a router of `specs`; the paths match exactly, without redirects.

    no_route_hint: what is said to a request for a path that none of them has.
    """

    async def no_route(scope: Scope, _receive: Receive, _send: Send) -> None:
        path = scope["path"][:_LONGEST_SHOWN]
        raise RouteNotFound(f"no page and no resource has the address `{path}`", hint=no_route_hint)

    check_specs(specs)
    methods: defaultdict[str, set[str]] = defaultdict(set)
    for spec in specs:
        methods[_shape(spec)] |= {spec.method, "HEAD"} if spec.method == "GET" else {spec.method}
    # Fixed paths come before those with parameters, whatever order the faces list them in.
    ordered = sorted(specs, key=_shape)
    routes = [DeclaredRoute(spec, serve, sorted(methods[_shape(spec)])) for spec in ordered]
    return DeclaredRouter(routes, no_route)


def check_specs(specs: Sequence[RouteSpec]) -> None:
    """Raise UndeclaredRoute with everything that keeps these routes from being served."""
    problems: list[str] = []
    seen: set[tuple[str, str]] = set()
    for spec in specs:
        name = f"{spec.method} {spec.path}"
        shape = (spec.method, _shape(spec))
        if not isinstance(spec.permission, Permission):
            problems.append(f"`{name}` declares no permission")
        if spec.method not in _METHODS:
            problems.append(f"`{name}` has a method that is not served")
        if spec.method in SAFE_METHODS and spec.body is not BodyKind.NONE:
            problems.append(f"`{name}` takes a body, but its method changes nothing")
        if spec.takes_any_type and spec.method != "PUT":
            problems.append(f"`{name}` takes any type, but only a PUT may")
        if shape in seen:
            problems.append(f"`{name}` is declared twice")
        seen.add(shape)
    _raise_all(problems)


def check_router(router: Router) -> None:
    """Raise UndeclaredRoute when the router has a route that did not come from a RouteSpec."""
    _raise_all([f"`{_name(route)}` is not declared" for route in router.routes if not _is_declared(route)])


def _shape(spec: RouteSpec) -> str:
    return _PARAMETER.sub("~", spec.path)  # sorts behind every letter


def _is_declared(route: BaseRoute) -> bool:
    return isinstance(route, DeclaredRoute) and isinstance(route.spec.permission, Permission)


def _name(route: BaseRoute) -> str:
    path = getattr(route, "path", "")
    return f"{path or type(route).__name__}"


def _raise_all(problems: Iterable[str]) -> None:
    found = tuple(problems)
    if found:
        raise UndeclaredRoute(f"the server does not start: {'; '.join(found)}", problems=found)
