"""All routes of the API."""

from paddock.api import datasets, endpoints, events, models, monitors, rollouts, runs
from paddock.app import App
from paddock.wire import RouteSpec


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return every route under `/api/v1`, bound to `app`."""
    rooms = (runs, datasets, models, endpoints, rollouts, monitors, events)
    return tuple(spec for room in rooms for spec in room.routes(app))
