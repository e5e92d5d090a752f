"""Routes of this face, each under all of its addresses, and handlers in the caller's name."""

from collections.abc import Callable

from paddock.app import App
from paddock.kernel.errors import Forbidden, NotFound, Unavailable
from paddock.kernel.refs import DEFAULT_PROJECT
from paddock.mlflow_api.bodies import Message, read_body, read_query
from paddock.wire import AnyAnswer, BodyKind, Call, Handler, Permission, RouteSpec

READ, LOG = Permission.READ, Permission.LOG_RUNS

Act = Callable[[App, Call], AnyAnswer]


class Face:
    """What the routes of this face share: the app, and which projects have their first experiment."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._prepared: set[str] = set()

    def routes(
        self,
        method: str,
        path: str,
        permission: Permission,
        act: Act,
        summary: str,
        message: type[Message] = Message,
        *,
        version: int = 2,
        prefixes: tuple[str, ...] = ("/api", "/ajax-api"),
        needs_project: bool = True,
    ) -> tuple[RouteSpec, ...]:
        """Return `act` under every address of `path`, such as `/mlflow/runs/get`.

        message: what it reads. needs_project: False for what answers whichever workspace a client names.
        """
        is_get = method == "GET"
        return tuple(
            RouteSpec(
                method,
                f"{prefix}/{version}.0{path}",
                permission,
                self.bind(act) if needs_project else self.bind_anywhere(act),
                summary,
                body=BodyKind.NONE if is_get else BodyKind.JSON,
                decode=read_query(message) if is_get else read_body(message),
            )
            for prefix in prefixes
        )

    def bind(self, act: Act) -> Handler:
        """Return `act` with the app bound to whoever calls, in a project that MLflow's clients can use."""

        def handle(call: Call) -> AnyAnswer:
            app = self._app.acting_as(call.actor)
            if app.actor.project_id not in self._prepared:
                self._prepare(app)
            return act(app, call)

        return handle

    def bind_anywhere(self, act: Act) -> Handler:
        """Return `act` with the app bound to whoever calls, in whichever project."""
        return lambda call: act(self._app.acting_as(call.actor), call)

    def _prepare(self, app: App) -> None:
        """Make the project's first experiment, which clients count on; NotFound for an unknown workspace."""
        project = app.actor.project_id
        is_own = project in (self._app.actor.project_id, DEFAULT_PROJECT)
        if not is_own and project not in app.experiments.list_projects():
            raise NotFound(f"Workspace '{project}' not found")
        try:
            app.experiments.ensure_default()
        except (Forbidden, Unavailable):  # what can be read is read all the same; the next call tries again
            return
        self._prepared.add(project)
