"""All routes of this face."""

from paddock.app import App
from paddock.mlflow_api import (
    artifacts,
    experiments,
    history,
    inputs,
    logged_models,
    metrics,
    model_versions,
    multipart,
    registered_models,
    runs,
    searching,
    server_info,
    webhooks,
    workspaces,
)
from paddock.mlflow_api.binding import Face
from paddock.wire import RouteSpec


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return every route that MLflow's clients ask for, bound to `app`."""
    face = Face(app)
    parts = (
        *(experiments, runs, metrics, history, inputs, searching, server_info, workspaces),
        *(registered_models, model_versions, logged_models, artifacts, multipart, webhooks),
    )
    return tuple(spec for part in parts for spec in part.routes(face))
