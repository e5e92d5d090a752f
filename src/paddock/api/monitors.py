"""What the monitors found, and what the loop decided."""

from paddock.api.binding import PAGE, bind, take_page
from paddock.api.views import view, view_monitor, view_window
from paddock.app import App
from paddock.wire import MAX_PAGE, Answer, Call, Permission, RouteSpec, answer_json, structs

READ = Permission.READ


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return the routes of monitors and decisions."""
    return (
        RouteSpec(
            "GET",
            "/api/v1/monitors",
            READ,
            bind(app, list_monitors),
            "List monitors by name, each with its newest window",
            response=structs.MonitorPage,
            query=PAGE,
        ),
        RouteSpec(
            "GET",
            "/api/v1/monitors/{name}/windows",
            READ,
            bind(app, list_windows),
            "List the windows of a monitor, newest first",
            response=structs.WindowPage,
            query=PAGE,
        ),
        RouteSpec(
            "GET",
            "/api/v1/decisions",
            READ,
            bind(app, list_decisions),
            "List what the loop decided, newest first",
            response=structs.DecisionPage,
            query={"endpoint": "only of this endpoint", **PAGE},
        ),
    )


def list_monitors(app: App, call: Call) -> Answer:
    rows, cursor = take_page(app.monitoring.list_monitors(), call, lambda each: each.monitor)
    monitors = tuple(view_monitor(each) for each in rows)
    return answer_json(structs.MonitorPage(monitors=monitors, next_cursor=cursor))


def list_windows(app: App, call: Call) -> Answer:
    found = app.monitoring.list_windows(call.path["name"], limit=MAX_PAGE)
    rows, cursor = take_page(found, call, lambda each: each.start.isoformat())
    windows = tuple(view_window(each) for each in rows)
    return answer_json(structs.WindowPage(windows=windows, next_cursor=cursor))


def list_decisions(app: App, call: Call) -> Answer:
    found = app.automation.list_decisions(endpoint=call.text("endpoint"), limit=MAX_PAGE)
    rows, cursor = take_page(found, call, lambda each: str(each.position))
    decisions = tuple(view(each, structs.Decision) for each in rows)
    return answer_json(structs.DecisionPage(decisions=decisions, next_cursor=cursor))
