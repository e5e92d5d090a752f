"""Webhooks: who is told of what outside, and how the deliveries go."""

from paddock.api.binding import PAGE, bind, take_page
from paddock.api.views import view
from paddock.app import App
from paddock.wire import Answer, Call, Permission, RouteSpec, answer_json, structs

ADMIN = Permission.ADMIN  # for reading too: the URL of a receiver often is a secret


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return the routes of webhooks."""
    webhooks, webhook = "/api/v1/webhooks", "/api/v1/webhooks/{webhook}"
    return (
        RouteSpec(
            "GET",
            webhooks,
            ADMIN,
            bind(app, list_webhooks),
            "List webhooks and how their deliveries go, newest first",
            response=structs.WebhookPage,
            query=PAGE,
        ),
        RouteSpec(
            "POST",
            webhooks,
            ADMIN,
            bind(app, create_webhook),
            "Let a receiver be told of events from now on",
            request=structs.CreateWebhook,
            response=structs.Webhook,
            status=201,
        ),
        RouteSpec(
            "GET",
            webhook,
            ADMIN,
            bind(app, get_webhook),
            "Get a webhook by its id, or by a name that no other has",
            response=structs.Webhook,
        ),
        RouteSpec(
            "PATCH",
            webhook,
            ADMIN,
            bind(app, update_webhook),
            "Change a webhook; what waits for it is tried at once",
            request=structs.UpdateWebhook,
            response=structs.Webhook,
        ),
        RouteSpec(
            "DELETE",
            webhook,
            ADMIN,
            bind(app, delete_webhook),
            "Remove a webhook with its secret; the answer is what it was",
            response=structs.Webhook,
        ),
        RouteSpec(
            "POST",
            f"{webhook}/test",
            ADMIN,
            bind(app, test_webhook),
            "Send a made-up message now and answer with what the receiver said",
            request=structs.SendTest,
            response=structs.WebhookTest,
        ),
    )


def list_webhooks(app: App, call: Call) -> Answer:
    rows, cursor = take_page(app.webhooks.list_webhooks(), call, lambda each: each.webhook_id)
    found = tuple(view(each, structs.Webhook) for each in rows)
    return answer_json(structs.WebhookPage(webhooks=found, next_cursor=cursor))


def create_webhook(app: App, call: Call) -> Answer:
    wanted = call.read(structs.CreateWebhook)
    webhook = app.webhooks.create(
        wanted.name,
        url=wanted.url,
        events=wanted.events,
        description=wanted.description,
        secret=wanted.secret,
        status=wanted.status,
        key=call.key,
    )
    return answer_json(view(webhook, structs.Webhook), status=201)


def get_webhook(app: App, call: Call) -> Answer:
    return answer_json(view(app.webhooks.get(call.path["webhook"]), structs.Webhook))


def update_webhook(app: App, call: Call) -> Answer:
    wanted = call.read(structs.UpdateWebhook)
    webhook = app.webhooks.update(
        call.path["webhook"],
        name=wanted.name,
        description=wanted.description,
        url=wanted.url,
        events=wanted.events,
        secret=wanted.secret,
        status=wanted.status,
    )
    return answer_json(view(webhook, structs.Webhook))


def delete_webhook(app: App, call: Call) -> Answer:
    return answer_json(view(app.webhooks.delete(call.path["webhook"]), structs.Webhook))


def test_webhook(app: App, call: Call) -> Answer:
    result = app.webhooks.test(call.path["webhook"], call.read(structs.SendTest).event)
    return answer_json(view(result, structs.WebhookTest))
