"""The application of the server: every face's routes in one router, behind one guard."""

from collections.abc import Callable, Sequence

from paddock.app import App
from paddock.server.exchange import Application, Exchange
from paddock.server.limits import ServerLimits, limits_of
from paddock.server.metrics import Gauge, ServerMetrics
from paddock.server.pool import HandlerPool
from paddock.server.routing import build_router, check_router
from paddock.server.status import StatusRoutes, document_route, store_gauges
from paddock.wire import LOCAL_GRANTS, RouteSpec

Face = Callable[[App], Sequence[RouteSpec]]


def default_faces() -> Sequence[Face]:
    """Return the faces of the control plane: the API and the pages."""
    from paddock import api, web

    return (api.routes, web.routes)


def all_specs(
    app: App, faces: Sequence[Face] | None = None, metrics: ServerMetrics | None = None
) -> tuple[RouteSpec, ...]:
    """Return every route that is served: of `faces`, of the server itself, and the document of them all."""
    own = StatusRoutes(app, metrics or ServerMetrics()).specs()
    specs = (*own, *(spec for face in faces or default_faces() for spec in face(app)))
    return (*specs, document_route(specs))


def build_application(
    app: App, faces: Sequence[Face] | None = None, limits: ServerLimits | None = None
) -> Application:
    """Return the ASGI application that serves `faces` and the server's own routes.

    faces: functions from the app to their routes. Raises UndeclaredRoute for a route without a
    permission, declared twice, or made otherwise than from a RouteSpec.
    """
    bounds = limits or limits_of(app.settings)
    metrics = ServerMetrics()
    pool = HandlerPool(bounds.threads, bounds.waiting_calls)
    exchange = Exchange(bounds, pool, metrics, app.actor, LOCAL_GRANTS)
    router = build_router(all_specs(app, faces, metrics), exchange.serve, "/api/v1/openapi.json lists them")
    check_router(router)
    calls = Gauge("paddock_handlers_busy", "Handlers at work or waiting.", lambda: float(pool.call_count))
    metrics.add_gauges((*store_gauges(app), calls))
    return Application(exchange, router)
