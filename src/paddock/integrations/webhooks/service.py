"""Webhooks of a project, and the outbox from which those of all projects are served."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec

from paddock.integrations.webhooks import rules, sql
from paddock.integrations.webhooks.dispatch import Dispatch
from paddock.integrations.webhooks.messages import find_message, list_subscription_faults, sample_message
from paddock.integrations.webhooks.outbound import parse_url
from paddock.integrations.webhooks.records import (
    Attempt,
    Cursor,
    Delivery,
    DeliveryState,
    Progress,
    Target,
    TestResult,
    Webhook,
)
from paddock.kernel.clock import Clock, to_micros
from paddock.kernel.errors import Conflict, InvalidInput, NotFound
from paddock.kernel.ids import new_id
from paddock.kernel.refs import Actor
from paddock.metadata import Json, Metadata, NewEvent, Reader, Transaction, once_for

LEASE_S = 15  # three times as long as one request may take

_PAGE = 100
_MOST_PAGES = 20  # that are looked through at a time
_MOST_DUE = 1_000


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The webhooks of one project. A ref is a webhook's id, or its name where no other one has it."""

    metadata: Metadata
    clock: Clock
    actor: Actor
    dispatch: Dispatch

    def create(
        self,
        name: str,
        *,
        url: str,
        events: Sequence[str],
        description: str = "",
        secret: str = "",
        status: str = "ACTIVE",
        key: str = "",
    ) -> Webhook:
        """Let `url` be told of `events` from now on; with a secret, every delivery is signed with it.

        events: kinds of the ledger (`model.promoted`), beginnings of kinds (`model.*`), and MLflow's events
        (`model_version.created`). Raises InvalidInput with every fault, also for a host that the setting
        `webhook_hosts` does not list. Event `webhook.created`, with the host of the URL only.
        """

        def change(tx: Transaction) -> Webhook:
            if sql.count_webhooks(tx, project_id) >= rules.MOST_WEBHOOKS:
                raise Conflict(
                    f"project `{project_id}` has {rules.MOST_WEBHOOKS} webhooks, which is the limit"
                )
            sql.insert_webhook(tx, project_id, webhook, sealed)
            tx.append_event(self._event("webhook.created", webhook, now))
            return webhook

        project_id, now = self.actor.project_id, self.clock.now()
        fields = {
            "webhook_id": new_id(),
            "name": name,
            "description": description,
            "url": url,
            "events": tuple(dict.fromkeys(events)),
            "status": status,
            "has_secret": bool(secret),
            "principal": self.actor.principal,
            "created_at": now,
            "updated_at": now,
            "delivery": DeliveryState(position=_head(self.metadata, project_id)),
        }
        self._check(fields, secret)
        webhook, box = msgspec.convert(fields, Webhook), self.dispatch.box
        sealed = box.seal(secret, webhook.webhook_id)
        request = ("create_webhook", name, url, webhook.events, description, status, box.fingerprint(secret))
        return self.metadata.write(change, once=once_for(self.actor, key, request, Webhook))

    def get(self, ref: str) -> Webhook:
        """Return a webhook, or raise NotFound; Conflict for a name that several have."""
        return self.metadata.read(lambda reader: self._require(reader, ref))

    def list_webhooks(self) -> tuple[Webhook, ...]:
        """Return every webhook of the project, the newest first."""
        return self.metadata.read(lambda reader: sql.list_webhooks(reader, self.actor.project_id))

    def update(
        self,
        ref: str,
        *,
        name: str | None = None,
        description: str | None = None,
        url: str | None = None,
        events: Sequence[str] | None = None,
        secret: str | None = None,
        status: str | None = None,
    ) -> Webhook:
        """Change what is given, and return the webhook. secret: an empty one takes the secret away.

        What waits to be delivered is tried at once. A webhook that is made active again is told of what
        happens from then on. Raises as `create`. Event `webhook.updated`.
        """

        def change(tx: Transaction) -> Webhook:
            before = self._require(tx, webhook_id)
            webhook = msgspec.structs.replace(before, **given, updated_at=now)
            sql.update_webhook(tx, project_id, webhook)
            if secret is not None:
                sql.set_secret(tx, project_id, webhook_id, sealed)
            if webhook.status == "ACTIVE" != before.status:
                sql.move_to(tx, project_id, webhook_id, head)
            names: list[Json] = [*given, *(["secret"] if secret is not None else [])]
            tx.append_event(self._event("webhook.updated", webhook, now, {"changed": names}))
            return self._require(tx, webhook_id)

        fields = {"name": name, "description": description, "url": url, "status": status}
        given: dict[str, object] = {field: value for field, value in fields.items() if value is not None}
        if events is not None:
            given["events"] = tuple(dict.fromkeys(events))
        found = self.get(ref)
        if not given and secret is None:
            return found
        self._check({**msgspec.structs.asdict(found), **given}, secret or "")
        project_id, now, webhook_id = self.actor.project_id, self.clock.now(), found.webhook_id
        sealed = self.dispatch.box.seal(secret or "", webhook_id)
        head = _head(self.metadata, project_id)
        return self.metadata.write(change)

    def delete(self, ref: str) -> Webhook:
        """Remove a webhook, its secret and what waits for it, for good. Event `webhook.deleted`."""

        def change(tx: Transaction) -> Webhook:
            webhook = self._require(tx, ref)
            sql.delete_webhook(tx, self.actor.project_id, webhook.webhook_id)
            tx.append_event(self._event("webhook.deleted", webhook, now))
            return webhook

        now = self.clock.now()
        return self.metadata.write(change)

    def test(self, ref: str, event: str = "") -> TestResult:
        """Send a made-up message now, also to a disabled webhook, and return what its receiver said.

        event: what the message is to be about, by default the first event the webhook is subscribed to.
        """

        def query(reader: Reader) -> Target:
            target = sql.find_target(reader, self._require(reader, ref).webhook_id)
            assert target is not None, "the same snapshot has the webhook"
            return target

        target = self.metadata.read(query)
        if event:
            _demand(list_subscription_faults((event,)))
        now = self.clock.now()
        message = sample_message(event or target.events[0], self.actor.project_id, now)
        attempt = self.dispatch.send(target, message, str(uuid4()), now)
        return TestResult(
            success=attempt.is_taken,
            response_status=attempt.status,
            response_body=attempt.body,
            error_message="" if attempt.status else attempt.words,
        )

    def _require(self, reader: Reader, ref: str) -> Webhook:
        found = sql.find_webhook(reader, self.actor.project_id, ref)
        named = () if found else sql.list_named(reader, self.actor.project_id, ref)
        if len(named) > 1:
            raise Conflict(
                f"several webhooks have the name `{ref[:64]}`; name one by its id",
                hint="paddock webhooks list",
            )
        if not found and not named:
            raise NotFound(
                f"project `{self.actor.project_id}` has no webhook `{ref[:64]}`", hint="paddock webhooks list"
            )
        return found or named[0]

    def _check(self, fields: Mapping[str, object], secret: str) -> None:
        """Raise InvalidInput with everything that a webhook of these fields may not be."""
        wanted = msgspec.convert({**fields, "status": "ACTIVE"}, Webhook)
        status = str(fields["status"])
        faults = rules.list_faults(wanted.name, wanted.description, secret, status, wanted.events)
        faults += list_subscription_faults(wanted.events)
        hint = ""
        try:
            if len(wanted.url) > rules.LONGEST_URL:
                raise InvalidInput(
                    f"the URL has {len(wanted.url)} characters; the limit is {rules.LONGEST_URL}"
                )
            fault = self.dispatch.sender.outbound.find_url_fault(parse_url(wanted.url))
            if fault:
                raise InvalidInput(fault, hint="list the host in the setting `webhook_hosts`")
        except InvalidInput as error:
            faults.append(error.message)
            hint = error.hint
        _demand(faults, hint)

    def _event(
        self, kind: str, webhook: Webhook, at: datetime, more: Mapping[str, Json] | None = None
    ) -> NewEvent:
        """Tell of a webhook; the path of its URL may be a secret and is not told."""
        return NewEvent(
            project_id=self.actor.project_id,
            principal=self.actor.principal,
            kind=kind,
            subject=f"webhook:{webhook.webhook_id}",
            event_time=at,
            data={
                "name": webhook.name,
                "host": parse_url(webhook.url).authority,
                "events": webhook.events,
                "status": webhook.status,
                **(more or {}),
            },
        )


@dataclass(frozen=True, slots=True)
class Outbox:
    """What is due, over all projects, and how far each webhook has got. owner: who delivers, in its leases.

    Whoever delivers to a webhook holds its lease, so it is one at a time over all processes. What is
    written of a delivery counts only while the lease is held; another one then sends it again.
    """

    metadata: Metadata
    clock: Clock
    owner: str

    def list_due(self) -> tuple[Target, ...]:
        """Return the active webhooks that wait for no further attempt and have no lease."""
        now = to_micros(self.clock.now())
        return self.metadata.read(lambda reader: sql.list_due(reader, now, _MOST_DUE))

    def head(self, project_id: str) -> int:
        """Return the newest position of a project's ledger."""
        return _head(self.metadata, project_id)

    def find_next(self, target: Target, since: Cursor) -> tuple[Delivery | None, Cursor]:
        """Return the next delivery from `since` on and the place behind it, None where nothing is due.

        Looks through 2,000 events at most; the place then tells where to go on.
        """
        for _ in range(_MOST_PAGES):
            events = self.metadata.events(target.project_id, after=since.position, limit=_PAGE)
            found = find_message(events, since, target.events)
            if found is not None:
                message, event, behind = found
                return Delivery(target.webhook_id, event.event_id, message), behind
            if not events:
                break
            since = Cursor(events[-1].position)
        return None, since

    def skip_to(self, target: Target, cursor: Cursor) -> None:
        """Keep that there is nothing due before `cursor`."""
        self.metadata.write(lambda tx: sql.move_to(tx, target.project_id, target.webhook_id, cursor.position))

    def take(self, webhook_id: str) -> Target | None:
        """Get the lease, and the webhook as it is now; None when another process was faster."""

        def change(tx: Transaction) -> Target | None:
            return sql.find_target(tx, webhook_id) if sql.take_lease(tx, webhook_id, lease) else None

        lease = self._lease()
        return self.metadata.write(change)

    def record(self, webhook_id: str, progress: Progress, attempt: Attempt) -> Target | None:
        """Keep what an attempt came to, and return the webhook as it is now, for its next delivery.

        None when there is to be no next one now: it has to wait, is not active, or the lease is lost.
        """

        def change(tx: Transaction) -> Target | None:
            if not sql.record_progress(tx, webhook_id, self.owner, progress, outcome):
                return None
            is_held = sql.renew_lease(tx, webhook_id, lease)
            return sql.find_target(tx, webhook_id) if is_held and lease.until else None

        lease = self._lease(is_kept=progress.retry_at is None)
        outcome = sql.Outcome(attempt.status, attempt.words, lease.at, attempt.is_taken)
        return self.metadata.write(change)

    def release(self, webhook_id: str) -> None:
        """Give the lease back."""
        lease = self._lease(is_kept=False)
        self.metadata.write(lambda tx: sql.renew_lease(tx, webhook_id, lease))

    def _lease(self, *, is_kept: bool = True) -> sql.Lease:
        now = self.clock.now()
        until = to_micros(now + timedelta(seconds=LEASE_S)) if is_kept else 0
        return sql.Lease(self.owner, to_micros(now), until)


def _head(metadata: Metadata, project_id: str) -> int:
    newest = metadata.latest_events(project_id, limit=1)
    return newest[0].position if newest else 0


def _demand(faults: Sequence[str], hint: str = "") -> None:
    if faults:
        raise InvalidInput("; ".join(faults), hint=hint, problems=tuple(faults))
