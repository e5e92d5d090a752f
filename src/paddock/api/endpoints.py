"""Endpoints: what each is meant to serve, who set it and why."""

from paddock.api.binding import PAGE, bind, take_page
from paddock.api.views import view_endpoint, view_revision
from paddock.app import App
from paddock.kernel.errors import NotFound
from paddock.kernel.refs import ModelVersionRef, parse_ref
from paddock.wire import MAX_PAGE, Answer, Call, Permission, RouteSpec, answer_json, structs


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return the routes of endpoints."""
    endpoint = "/api/v1/endpoints/{name}"
    read = Permission.READ
    return (
        RouteSpec(
            "GET",
            "/api/v1/endpoints",
            read,
            bind(app, list_endpoints),
            "List endpoints by name",
            response=structs.EndpointPage,
            query=PAGE,
        ),
        RouteSpec(
            "GET",
            f"{endpoint}/traffic",
            read,
            bind(app, get_traffic),
            "Get what an endpoint is meant to serve now",
            response=structs.EndpointRevision,
        ),
        RouteSpec(
            "POST",
            f"{endpoint}/traffic",
            Permission.SET_TRAFFIC,
            bind(app, set_traffic),
            "Divide the rows of an endpoint among versions",
            request=structs.SetTraffic,
            response=structs.EndpointRevision,
            status=201,
        ),
        RouteSpec(
            "GET",
            f"{endpoint}/history",
            read,
            bind(app, list_revisions),
            "List what an endpoint was meant to serve, newest first",
            response=structs.EndpointHistory,
            query=PAGE,
        ),
    )


def list_endpoints(app: App, call: Call) -> Answer:
    rows, cursor = take_page(app.endpoints.list_endpoints(), call, lambda each: each.name)
    endpoints = tuple(view_endpoint(each) for each in rows)
    return answer_json(structs.EndpointPage(endpoints=endpoints, next_cursor=cursor))


def get_traffic(app: App, call: Call) -> Answer:
    name = app.endpoints.get_endpoint(call.path["name"]).name
    revision = app.endpoints.find_current(name)
    if revision is None:
        raise NotFound(
            f"endpoint `{name}` serves nothing yet", hint=f"paddock serve MODEL@ALIAS --endpoint {name}"
        )
    return answer_json(view_revision(revision))


def set_traffic(app: App, call: Call) -> Answer:
    from paddock.serving import Route

    wanted = call.read(structs.SetTraffic)
    endpoint = app.endpoints.get_endpoint(call.path["name"])
    model, _ = parse_ref("model", endpoint.spec.model)
    answering = {share.version for share in wanted.routes}
    for version in sorted(answering):
        app.registry.check_release(ModelVersionRef(model, version))
    named = answering | ({wanted.shadow_version} - {0})  # a shadow's answers are not seen, it needs no gate
    revision = app.endpoints.set_traffic(
        endpoint.name,
        tuple(Route(share.version, share.weight) for share in wanted.routes),
        packages={
            each: app.registry.get_packaged(ModelVersionRef(model, each)).package_digest for each in named
        },
        shadow_version=wanted.shadow_version,
        reason=wanted.reason,
        key=call.key,
    )
    return answer_json(view_revision(revision), status=201)


def list_revisions(app: App, call: Call) -> Answer:
    name = app.endpoints.get_endpoint(call.path["name"]).name
    rows, cursor = take_page(app.endpoints.history(name, limit=MAX_PAGE), call, lambda each: str(each.number))
    revisions = tuple(view_revision(each) for each in rows)
    return answer_json(structs.EndpointHistory(revisions=revisions, next_cursor=cursor))
