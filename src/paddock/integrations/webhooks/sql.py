"""The statements of webhooks: what they are, and how far each has got."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from paddock.integrations.webhooks.records import Cursor, DeliveryState, Progress, Target, Webhook
from paddock.kernel.clock import from_micros, to_micros
from paddock.metadata import Reader, Row, SqlValue, Transaction

_EVENTS = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may deliver, and until when. at, until: microseconds."""

    owner: str
    at: int
    until: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the last attempt came to. at: microseconds."""

    status: int
    words: str
    at: int
    is_taken: bool


def insert_webhook(tx: Transaction, project_id: str, webhook: Webhook, secret: bytes) -> None:
    tx.execute(
        """
        INSERT INTO webhooks (webhook_id, project_id, principal, name, description, url, events, status,
                              secret, created_at, updated_at, position, part, failed_count, next_attempt_at,
                              last_attempt_at, last_status, last_words, delivered_count, given_up_count,
                              lease_owner, lease_until)
        VALUES (:webhook_id, :project_id, :principal, :name, :description, :url, :events, :status,
                :secret, :created_at, :updated_at, :position, 0, 0, 0, 0, 0, '', 0, 0, '', 0)
        """,
        {
            **_definition(project_id, webhook),
            "secret": secret or None,
            "principal": webhook.principal,
            "created_at": to_micros(webhook.created_at),
            "position": webhook.delivery.position,
        },
    )


def update_webhook(tx: Transaction, project_id: str, webhook: Webhook) -> None:
    """Write what a webhook is, all but its secret.

    What was due is tried again at once, and whoever delivers to it has to begin anew.
    """
    tx.execute(
        """
        UPDATE webhooks SET name = :name, description = :description, url = :url, events = :events,
          status = :status, updated_at = :updated_at,
          failed_count = 0, next_attempt_at = 0, lease_owner = '', lease_until = 0
        WHERE project_id = :project_id AND webhook_id = :webhook_id
        """,
        _definition(project_id, webhook),
    )


def set_secret(tx: Transaction, project_id: str, webhook_id: str, secret: bytes) -> None:
    """Write a sealed secret; empty for none."""
    tx.execute(
        "UPDATE webhooks SET secret = :secret WHERE project_id = :project_id AND webhook_id = :webhook_id",
        {"project_id": project_id, "webhook_id": webhook_id, "secret": secret or None},
    )


def move_to(tx: Transaction, project_id: str, webhook_id: str, position: int) -> None:
    """Let everything up to `position` count as dealt with."""
    tx.execute(
        """
        UPDATE webhooks SET position = :position, part = 0
        WHERE project_id = :project_id AND webhook_id = :webhook_id AND position < :position
        """,
        {"project_id": project_id, "webhook_id": webhook_id, "position": position},
    )


def delete_webhook(tx: Transaction, project_id: str, webhook_id: str) -> None:
    tx.execute(
        "DELETE FROM webhooks WHERE project_id = :project_id AND webhook_id = :webhook_id",
        {"project_id": project_id, "webhook_id": webhook_id},
    )


def count_webhooks(reader: Reader, project_id: str) -> int:
    row = reader.fetch_one(
        "SELECT COUNT(*) AS webhooks FROM webhooks WHERE project_id = :project_id", {"project_id": project_id}
    )
    return msgspec.convert(row["webhooks"], int) if row else 0


def find_webhook(reader: Reader, project_id: str, webhook_id: str) -> Webhook | None:
    row = reader.fetch_one(
        "SELECT * FROM webhooks WHERE project_id = :project_id AND webhook_id = :webhook_id",
        {"project_id": project_id, "webhook_id": webhook_id},
    )
    return _webhook(row) if row else None


def list_named(reader: Reader, project_id: str, name: str) -> tuple[Webhook, ...]:
    rows = reader.fetch_all(
        """
        SELECT * FROM webhooks WHERE project_id = :project_id AND name = :name
        ORDER BY created_at DESC, webhook_id DESC LIMIT 2
        """,
        {"project_id": project_id, "name": name},
    )
    return tuple(_webhook(row) for row in rows)


def list_webhooks(reader: Reader, project_id: str) -> tuple[Webhook, ...]:
    """Return the newest first."""
    rows = reader.fetch_all(
        """
        SELECT * FROM webhooks WHERE project_id = :project_id ORDER BY created_at DESC, webhook_id DESC
        """,
        {"project_id": project_id},
    )
    return tuple(_webhook(row) for row in rows)


def list_due(reader: Reader, at: int, limit: int) -> tuple[Target, ...]:
    """Return the active webhooks of all projects that nobody delivers to and that do not wait.

    The one that has waited longest comes first.
    """
    rows = reader.fetch_all(
        """
        SELECT * FROM webhooks WHERE status = 'ACTIVE' AND next_attempt_at <= :at AND lease_until <= :at
        ORDER BY next_attempt_at, last_attempt_at, webhook_id LIMIT :limit
        """,
        {"at": at, "limit": limit},
    )
    return tuple(_target(row) for row in rows)


def take_lease(tx: Transaction, webhook_id: str, lease: Lease) -> bool:
    """Be the one who delivers; False when another one is, or nothing is due."""
    changed = tx.execute(
        """
        UPDATE webhooks SET lease_owner = :owner, lease_until = :until
        WHERE webhook_id = :webhook_id AND status = 'ACTIVE' AND next_attempt_at <= :at AND lease_until <= :at
        """,
        {"webhook_id": webhook_id, "owner": lease.owner, "until": lease.until, "at": lease.at},
    )
    return changed == 1


def renew_lease(tx: Transaction, webhook_id: str, lease: Lease) -> bool:
    """Write how long the owner has it, also 0 to give it back; False when it has it no more."""
    changed = tx.execute(
        """
        UPDATE webhooks SET lease_until = :until
        WHERE webhook_id = :webhook_id AND lease_owner = :owner AND status = 'ACTIVE'
        """,
        {"webhook_id": webhook_id, "owner": lease.owner, "until": lease.until},
    )
    return changed == 1


def record_progress(
    tx: Transaction, webhook_id: str, owner: str, progress: Progress, outcome: Outcome
) -> bool:
    """Write what an attempt came to; False when the owner has the lease no more, and nothing is written."""
    changed = tx.execute(
        """
        UPDATE webhooks SET position = :position, part = :part, failed_count = :failed_count,
          next_attempt_at = :next_attempt_at, last_attempt_at = :at, last_status = :status,
          last_words = :words, delivered_count = delivered_count + :delivered,
          given_up_count = given_up_count + :given_up
        WHERE webhook_id = :webhook_id AND lease_owner = :owner
        """,
        {
            "webhook_id": webhook_id,
            "owner": owner,
            "position": progress.cursor.position,
            "part": progress.cursor.part,
            "failed_count": progress.failed_count,
            "next_attempt_at": to_micros(progress.retry_at) if progress.retry_at else 0,
            "at": outcome.at,
            "status": outcome.status,
            "words": outcome.words,
            "delivered": int(outcome.is_taken),
            "given_up": int(progress.is_given_up),
        },
    )
    return changed == 1


def find_target(reader: Reader, webhook_id: str) -> Target | None:
    row = reader.fetch_one(
        "SELECT * FROM webhooks WHERE webhook_id = :webhook_id", {"webhook_id": webhook_id}
    )
    return _target(row) if row else None


def _definition(project_id: str, webhook: Webhook) -> Mapping[str, SqlValue]:
    return {
        "webhook_id": webhook.webhook_id,
        "project_id": project_id,
        "name": webhook.name,
        "description": webhook.description,
        "url": webhook.url,
        "events": msgspec.json.encode(webhook.events).decode(),
        "status": webhook.status,
        "updated_at": to_micros(webhook.updated_at),
    }


def _webhook(row: Row) -> Webhook:
    times = ("next_attempt_at", "last_attempt_at")
    state: dict[str, object] = {name: row[name] for name in DeliveryState.__struct_fields__}
    state.update({name: from_micros(_whole(row[name])) if row[name] else None for name in times})
    values: dict[str, object] = {
        **row,
        "events": _events(row),
        "has_secret": row["secret"] is not None,
        "created_at": from_micros(_whole(row["created_at"])),
        "updated_at": from_micros(_whole(row["updated_at"])),
        "delivery": state,
    }
    return msgspec.convert(values, Webhook)


def _target(row: Row) -> Target:
    return Target(
        webhook_id=str(row["webhook_id"]),
        project_id=str(row["project_id"]),
        url=str(row["url"]),
        events=_events(row),
        cursor=Cursor(_whole(row["position"]), _whole(row["part"])),
        failed_count=_whole(row["failed_count"]),
        sealed_secret=_bytes(row["secret"]),
    )


def _events(row: Row) -> tuple[str, ...]:
    return msgspec.json.decode(str(row["events"]), type=_EVENTS)


def _whole(value: SqlValue) -> int:
    return msgspec.convert(value, int)


def _bytes(value: SqlValue) -> bytes:
    return value if isinstance(value, bytes) else b""
