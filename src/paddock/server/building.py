"""The application of the server: every face's routes in one router, behind one guard."""

from collections.abc import Callable, Sequence

from paddock.app import App
from paddock.kernel.refusals import MisdirectedRequest
from paddock.server.exchange import Application, Exchange, RenderProblem
from paddock.server.guard import Head
from paddock.server.limits import ServerLimits, limits_of
from paddock.server.metrics import Reading, ServerMetrics
from paddock.server.pool import HandlerPool
from paddock.server.routing import build_router, check_router
from paddock.server.status import StatusRoutes, document_route, store_readings
from paddock.wire import LOCAL_GRANTS, Answer, RouteSpec, answer_problem
from paddock.wire.structs import Problem

Face = Callable[[App], Sequence[RouteSpec]]


def default_faces() -> Sequence[Face]:
    """Return the faces of the control plane: the API, MLflow's, and the pages."""
    from paddock import api, mlflow_api, web

    return (api.routes, mlflow_api.routes, web.routes)


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
    router = build_router(
        all_specs(app, faces, metrics),
        exchange.serve,
        "the addresses for programs are listed in `/api/v1/openapi.json`",
    )
    check_router(router)
    calls = Reading("paddock_handlers_busy", "Handlers at work or waiting.", lambda: float(pool.call_count))
    metrics.add_readings((*store_readings(app), calls))
    return Application(exchange, router, render_for(app))


def render_for(app: App) -> RenderProblem:
    """Return how problems are shown.

    MLflow's clients get them in MLflow's form, a browser outside of `/api` a page, all others problem+json.
    """

    def render(problem: Problem, head: Head) -> Answer:
        from paddock import mlflow_api, web

        if mlflow_api.is_mlflow_path(head.raw_path):
            return mlflow_api.answer_problem(problem)
        is_api = head.raw_path.startswith(b"/api/") or head.raw_path == b"/api"
        if is_api or not web.accepts_html({"accept": ", ".join(head.values(b"accept"))}):
            return answer_problem(problem)
        # who came under a foreign name is told nothing about the store, not even its project
        project = "" if problem.status == MisdirectedRequest.http_status else app.actor.project_id
        path = head.raw_path.decode("latin-1")
        return web.answer_error(problem, project=project, now=app.clock.now(), path=path)

    return render
