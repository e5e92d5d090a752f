"""All routes of the API."""

from paddock.api import (
    artifacts,
    datasets,
    endpoints,
    events,
    gates,
    models,
    monitors,
    rollouts,
    run_search,
    runs,
    webhooks,
)
from paddock.app import App
from paddock.wire import RouteSpec


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return every route under `/api/v1`, bound to `app`."""
    rooms = (
        runs,
        run_search,
        artifacts,
        datasets,
        models,
        gates,
        endpoints,
        rollouts,
        monitors,
        events,
        webhooks,
    )
    return tuple(spec for room in rooms for spec in room.routes(app))
