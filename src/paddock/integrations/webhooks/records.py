"""Webhooks and their deliveries, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

import msgspec

WebhookStatus = Literal["ACTIVE", "DISABLED"]


class DeliveryState(msgspec.Struct, frozen=True, kw_only=True):
    """How a webhook gets on.

    position: the last place of the ledger that is wholly dealt with. failed_count: attempts in vain at the
    delivery that is due, 0 when none has failed; next_attempt_at: when it is tried again, None when at
    once. last_status: HTTP status of the last attempt, 0 when there was no answer; last_words: how it went.
    given_up_count: deliveries left aside after `webhook_attempts` attempts.
    """

    position: int
    failed_count: int = 0
    next_attempt_at: datetime | None = None
    last_attempt_at: datetime | None = None
    last_status: int = 0
    last_words: str = ""
    delivered_count: int = 0
    given_up_count: int = 0


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver and what it is told of. events: as subscribed, see `messages`; its secret is never shown."""

    webhook_id: str
    name: str
    description: str
    url: str
    events: tuple[str, ...]
    status: WebhookStatus
    has_secret: bool
    principal: str
    created_at: datetime
    updated_at: datetime
    delivery: DeliveryState


class TestResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver said to a message made for the test.

    response_status: 0 when there was no answer. response_body: at most 64 KiB. error_message: empty when
    there was an answer.
    """

    __test__ = False  # pytest looks for tests in classes of such a name

    success: bool
    response_status: int = 0
    response_body: str = ""
    error_message: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the deliveries of a project.

    position: an event of which everything is dealt with. part: how many messages of the event behind it
    are dealt with as well.
    """

    position: int
    part: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """An active webhook as the delivery sees it. sealed_secret: empty for none."""

    webhook_id: str
    project_id: str
    url: str
    events: tuple[str, ...]
    cursor: Cursor
    failed_count: int
    sealed_secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell. entity, action: the two halves of the name of what happened."""

    entity: str
    action: str
    at: datetime
    project_id: str
    data: Mapping[str, object]

    @property
    def name(self) -> str:
        """The name under which it is subscribed.

        >>> from datetime import UTC
        >>> Message("model", "promoted", datetime(2013, 4, 1, tzinfo=UTC), "default", {}).name
        'model.promoted'
        """
        return f"{self.entity}.{self.action}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way to one webhook."""

    webhook_id: str
    event_id: str
    message: Message

    @property
    def delivery_id(self) -> str:
        """The id under which it is sent: the same whenever and by whomever, another for every delivery."""
        return str(uuid5(NAMESPACE_URL, f"urn:paddock:{self.webhook_id}:{self.event_id}:{self.message.name}"))


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one request went. status: 0 when there was no answer; body: what was read of it."""

    status: int
    words: str
    body: str = field(default="", repr=False)

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has taken the message: it answered with a status from 200 to 299."""
        return 200 <= self.status <= 299


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a webhook stands after an attempt. retry_at: None when the next delivery may go out at once."""

    cursor: Cursor
    failed_count: int = 0
    retry_at: datetime | None = None
    is_given_up: bool = False
