"""The newest rollout of an endpoint: where it stands, and its end by a person."""

from paddock.api.binding import bind
from paddock.api.views import view
from paddock.app import App
from paddock.wire import Answer, Call, Permission, RouteSpec, answer_json, structs


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return the routes of rollouts."""
    rollout = "/api/v1/endpoints/{name}/rollout"
    return (
        RouteSpec(
            "GET",
            rollout,
            Permission.READ,
            bind(app, get_rollout),
            "Get the newest rollout of an endpoint, open or ended, and what it waits for",
            response=structs.Rollout,
        ),
        RouteSpec(
            "POST",
            f"{rollout}/withdrawals",
            Permission.SET_TRAFFIC,
            bind(app, withdraw),
            "End the open rollout of an endpoint; the champion answers everything again",
            request=structs.Withdraw,
            response=structs.Rollout,
            status=201,
        ),
    )


def get_rollout(app: App, call: Call) -> Answer:
    from paddock.automation import get_progress

    endpoint = app.endpoints.get_endpoint(call.path["name"])
    progress = get_progress(app.automation, endpoint, app.gateway_folder(endpoint.name) / "predictions")
    return answer_json(view(progress, structs.Rollout))


def withdraw(app: App, call: Call) -> Answer:
    reason = call.read(structs.Withdraw).reason
    name = app.endpoints.get_endpoint(call.path["name"]).name
    ended = app.automation.withdraw(name, reason=reason, key=call.key)
    return answer_json(view(ended, structs.Rollout), status=201)
