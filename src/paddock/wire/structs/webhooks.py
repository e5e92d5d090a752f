"""Webhooks: receivers outside, and how far each has got."""

from typing import Annotated, Literal

import msgspec

from paddock.wire.structs.base import Request, Resource, ShortText, Time

EventNames = Annotated[tuple[ShortText, ...], msgspec.Meta(min_length=1, max_length=64)]
Url = Annotated[str, msgspec.Meta(max_length=2_048)]
Description = Annotated[str, msgspec.Meta(max_length=1_000)]
Status = Literal["ACTIVE", "DISABLED"]


class CreateWebhook(Request, frozen=True, kw_only=True):
    """`events`: kinds of the ledger, such as `model.promoted` or `model.*`, and MLflow's events.

    Every delivery is signed with `secret`, where one is given; no answer tells it again.
    """

    name: ShortText
    url: Url
    events: EventNames
    description: Description = ""
    secret: ShortText = ""
    status: Status = "ACTIVE"


class UpdateWebhook(Request, frozen=True, kw_only=True):
    """What is null or left out stays. An empty `secret` takes the secret away."""

    name: ShortText | None = None
    url: Url | None = None
    events: EventNames | None = None
    description: Description | None = None
    secret: ShortText | None = None
    status: Status | None = None


class SendTest(Request, frozen=True, kw_only=True):
    """`event`: what the message is about; empty for the first event of the webhook."""

    event: ShortText = ""


class WebhookDelivery(Resource, frozen=True, kw_only=True):
    """`position`: the last place of the ledger that is dealt with.

    `failed_count`: attempts in vain at the delivery that is due, which is tried again at `next_attempt_at`.
    `last_status`: the HTTP status of the last attempt, 0 when there was no answer.
    """

    position: int
    failed_count: int
    next_attempt_at: Time | None
    last_attempt_at: Time | None
    last_status: int
    last_words: str
    delivered_count: int
    given_up_count: int


class Webhook(Resource, frozen=True, kw_only=True):
    webhook_id: str
    name: str
    description: str
    url: str
    events: tuple[str, ...]
    status: Status
    has_secret: bool
    principal: str
    created_at: Time
    updated_at: Time
    delivery: WebhookDelivery


class WebhookPage(Resource, frozen=True, kw_only=True):
    webhooks: tuple[Webhook, ...]
    next_cursor: str = ""


class WebhookTest(Resource, frozen=True, kw_only=True):
    """What the receiver answered. `response_status`: 0 when it did not; `error_message` then says why."""

    success: bool
    response_status: int
    response_body: str
    error_message: str
