"""The event ledger: read it from a position on, and check its chain."""

from paddock.api.binding import bind
from paddock.api.views import view_event, view_verdict
from paddock.app import App
from paddock.wire import Answer, Call, Permission, RouteSpec, answer_json, structs


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return the routes of the ledger."""
    filters = {
        "after": "only events behind this position",
        "kind": "only kinds that begin so, such as `model.`",
        "subject": "only this subject, such as `model:delay`",
        "limit": "rows of a page, 1 to 1000, by default 100",
    }
    return (
        RouteSpec(
            "GET",
            "/api/v1/events",
            Permission.READ,
            bind(app, list_events),
            "List sealed events, oldest first",
            response=structs.EventPage,
            query=filters,
        ),
        RouteSpec(
            "GET",
            "/api/v1/audit/verify",
            Permission.READ,
            bind(app, verify_audit),
            "Check the hash chain of the ledger",
            response=structs.LedgerVerdict,
        ),
    )


def list_events(app: App, call: Call) -> Answer:
    after = call.whole("after", 0)
    events = app.metadata.events(
        app.actor.project_id,
        after=after,
        kind=call.text("kind"),
        subject=call.text("subject"),
        limit=call.limit(),
    )
    last = events[-1].position if events else after
    return answer_json(structs.EventPage(events=tuple(view_event(each) for each in events), next_after=last))


def verify_audit(app: App, _: Call) -> Answer:
    return answer_json(view_verdict(app.metadata.verify_ledger()))
