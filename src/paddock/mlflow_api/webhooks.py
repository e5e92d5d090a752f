"""Webhooks, with the events that MLflow's clients have a word for.

A webhook may be told of more than that. What MLflow has no word for is not shown here, and stays as it is
when a client changes the rest; a webhook without any of MLflow's events is not shown at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from paddock.app import App
from paddock.kernel.clock import to_micros
from paddock.kernel.errors import InvalidInput, NotFound
from paddock.mlflow_api.answers import EMPTY, answer_as
from paddock.mlflow_api.binding import Face
from paddock.mlflow_api.bodies import Enumerated, Int32, Message, Part, require
from paddock.mlflow_api.errors import invalid_value
from paddock.wire import Answer, Call, Permission, RouteSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.integrations import Webhook

ADMIN = Permission.ADMIN  # for reading too: the URL of a receiver often is a secret

# in the order of MLflow's numbers, from 1
_ENTITIES = (
    *("REGISTERED_MODEL", "MODEL_VERSION", "MODEL_VERSION_TAG", "MODEL_VERSION_ALIAS", "PROMPT"),
    *("PROMPT_VERSION", "PROMPT_TAG", "PROMPT_VERSION_TAG", "PROMPT_ALIAS", "BUDGET_POLICY"),
)
_ACTIONS = ("CREATED", "UPDATED", "DELETED", "SET", "EXCEEDED")
_STATUSES = ("ACTIVE", "DISABLED")
_PAGE = 100
_MOST = 1_000


class EventPart(Part, frozen=True):
    entity: Enumerated = None
    action: Enumerated = None


class CreateWebhook(Message, frozen=True):
    name: str = ""
    description: str = ""
    url: str = ""
    events: tuple[EventPart, ...] = ()
    secret: str = ""
    status: Enumerated = None


class UpdateWebhook(Message, frozen=True):
    """An absent field stays as it is; a secret that is there and empty is taken away."""

    name: str = ""
    description: str | None = None
    url: str = ""
    events: tuple[EventPart, ...] = ()
    secret: str | None = None
    status: Enumerated = None


class ListWebhooks(Message, frozen=True):
    max_results: Int32 = 0
    page_token: str = ""


class SendTest(Message, frozen=True):
    event: EventPart | None = None


class EventInfo(msgspec.Struct, frozen=True):
    entity: str
    action: str


class WebhookInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A webhook without its secret. Times are milliseconds."""

    webhook_id: str
    name: str
    url: str
    events: list[EventInfo]
    status: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str = ""


class WebhookPage(msgspec.Struct, frozen=True, omit_defaults=True):
    webhooks: list[WebhookInfo]
    next_page_token: str = ""


class TestInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a receiver said to a test, or why it said nothing."""

    success: bool
    response_status: int = 0
    response_body: str = ""
    error_message: str = ""


def routes(face: Face) -> tuple[RouteSpec, ...]:
    """Return the routes of webhooks."""
    at = "/mlflow/webhooks"
    one = f"{at}/{{webhook_id}}"
    return (
        *face.routes("POST", at, ADMIN, create, "Let a receiver be told of events", CreateWebhook),
        *face.routes("GET", at, ADMIN, list_webhooks, "List webhooks, the newest first", ListWebhooks),
        *face.routes("GET", one, ADMIN, get, "Get a webhook"),
        *face.routes("PATCH", one, ADMIN, update, "Change a webhook", UpdateWebhook),
        *face.routes("DELETE", one, ADMIN, delete, "Delete a webhook and its secret"),
        *face.routes("POST", f"{one}/test", ADMIN, send_test, "Send a made-up message now", SendTest),
    )


def create(app: App, call: Call) -> Answer:
    wanted = call.read(CreateWebhook)
    require(wanted, "name", "url", "events")
    made = app.webhooks.create(
        wanted.name,
        url=wanted.url,
        events=_read_events(wanted.events),
        description=wanted.description,
        secret=wanted.secret,
        status=_read_status(wanted.status) or "ACTIVE",
        key=call.key,
    )
    return answer_as("webhook", _describe(made))


def get(app: App, call: Call) -> Answer:
    return answer_as("webhook", _describe(_find(app, call)))


def list_webhooks(app: App, call: Call) -> Answer:
    asked = call.read(ListWebhooks)
    limit = asked.max_results or _PAGE
    if not 1 <= limit <= _MOST:
        raise InvalidInput(f"max_results must be between 1 and {_MOST}.")
    shown = [each for each in app.webhooks.list_webhooks() if _words_of(each)]
    if asked.page_token:
        before = _read_token(asked.page_token)
        shown = [each for each in shown if _place_of(each) < before]
    page = shown[:limit]
    token = "{}.{}".format(*_place_of(page[-1])) if len(shown) > limit else ""
    return Answer(msgspec.json.encode(WebhookPage([_describe(each) for each in page], token)))


def update(app: App, call: Call) -> Answer:
    wanted, found = call.read(UpdateWebhook), _find(app, call)
    unspoken = [name for name in found.events if name not in _words_of(found)]
    changed = app.webhooks.update(
        found.webhook_id,
        name=wanted.name or None,
        description=wanted.description,
        url=wanted.url or None,
        events=[*_read_events(wanted.events), *unspoken] if wanted.events else None,
        secret=wanted.secret,
        status=_read_status(wanted.status) or None,
    )
    return answer_as("webhook", _describe(changed))


def delete(app: App, call: Call) -> Answer:
    app.webhooks.delete(_find(app, call).webhook_id)
    return EMPTY


def send_test(app: App, call: Call) -> Answer:
    event, found = call.read(SendTest).event, _find(app, call)
    name = _words_of(found)[0] if event is None else _read_events((event,), "event")[0]
    result = app.webhooks.test(found.webhook_id, name)
    told = TestInfo(result.success, result.response_status, result.response_body, result.error_message)
    return answer_as("result", told)


def _find(app: App, call: Call) -> Webhook:
    """Return the webhook of the address; a name, which the rest of the server knows too, is none here."""
    webhook_id = call.path["webhook_id"]
    found = [each for each in app.webhooks.list_webhooks() if each.webhook_id == webhook_id]
    if not found or not _words_of(found[0]):
        raise NotFound(f"Webhook with ID {webhook_id[:64]} not found.")
    return found[0]


def _words_of(webhook: Webhook) -> list[str]:
    """Return what it is told of that MLflow has a word for."""
    from paddock.integrations import MLFLOW_EVENTS

    return [name for name in webhook.events if name in MLFLOW_EVENTS]


def _describe(webhook: Webhook) -> WebhookInfo:
    events = [name.upper().partition(".") for name in _words_of(webhook)]
    return WebhookInfo(
        webhook_id=webhook.webhook_id,
        name=webhook.name,
        url=webhook.url,
        events=[EventInfo(entity, action) for entity, _, action in events],
        status=webhook.status,
        creation_timestamp=to_micros(webhook.created_at) // 1000,
        last_updated_timestamp=to_micros(webhook.updated_at) // 1000,
        description=webhook.description,
    )


def _read_events(events: Sequence[EventPart], path: str = "events") -> list[str]:
    """Return the names of events. path: the field that holds them."""
    from paddock.integrations import MLFLOW_EVENTS

    names = []
    for event in events:
        entity = _read_enum(event.entity, _ENTITIES, f"{path}.entity")
        action = _read_enum(event.action, _ACTIONS, f"{path}.action")
        name = f"{entity}.{action}".lower()
        if name not in MLFLOW_EVENTS:
            raise invalid_value(path, name, f"It must be one of {', '.join(sorted(MLFLOW_EVENTS))}.")
        names.append(name)
    return names


def _read_status(status: str | int | None) -> str:
    """Return the status, empty when there is none."""
    return "" if status is None else _read_enum(status, _STATUSES, "status")


def _read_enum(value: str | int | None, names: Sequence[str], path: str) -> str:
    """Return the name of a value that travels as its name or as its number, counted from 1.

    >>> _read_enum(2, _STATUSES, "status"), _read_enum("ACTIVE", _STATUSES, "status")
    ('DISABLED', 'ACTIVE')
    """
    text = str(value)
    if text in names:
        return text
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= len(names):
        return names[int(text) - 1]
    raise invalid_value(path, value, f"It must be one of {', '.join(names)}.")


def _place_of(webhook: Webhook) -> tuple[int, str]:
    """Return by what a page ends and the next one begins, whatever is added or deleted meanwhile."""
    return to_micros(webhook.created_at), webhook.webhook_id


def _read_token(token: str) -> tuple[int, str]:
    micros, dot, webhook_id = token.partition(".")
    if not dot or not (micros.isascii() and micros.isdecimal() and len(micros) < 20):
        raise InvalidInput(f"Invalid page token: '{token[:80]}'")
    return int(micros), webhook_id
