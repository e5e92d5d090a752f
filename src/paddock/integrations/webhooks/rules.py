"""What a webhook may be, and what follows from an attempt to deliver."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import get_args

from paddock.integrations.webhooks.records import Attempt, Cursor, Progress, Target, WebhookStatus

MOST_WEBHOOKS = 1_000  # of one project
MOST_EVENTS = 64
LONGEST_URL = 2_048
LONGEST_DESCRIPTION = 1_000
LONGEST_SECRET = 256

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_FIRST_WAIT_S = 5
_LONGEST_WAIT_S = 3_600


def list_faults(name: str, description: str, secret: str, status: str, events: Sequence[str]) -> list[str]:
    """Return everything that a webhook may not be; what `events` and its URL mean is judged elsewhere.

    >>> list_faults("ci", "", "", "ACTIVE", ["model.promoted"])
    []
    >>> list_faults("ci", "", "", "ON", [])
    ['status is `ON`, but must be `ACTIVE` or `DISABLED`', 'a webhook needs at least one event']
    """
    faults = []
    if not _NAME.fullmatch(name):
        faults.append(
            f"`{name[:80]}` cannot name a webhook; use letters, digits, `.`, `_` and `-`, at most 63, "
            "starting and ending with a letter or a digit"
        )
    for what, text, longest in (
        ("description", description, LONGEST_DESCRIPTION),
        ("secret", secret, LONGEST_SECRET),
    ):
        if len(text) > longest:
            faults.append(f"the {what} has {len(text)} characters; the limit is {longest}")
    if "\0" in description or not secret.isprintable():
        faults.append("description and secret hold no control characters")
    if status not in get_args(WebhookStatus):
        faults.append(f"status is `{status[:40]}`, but must be `ACTIVE` or `DISABLED`")
    if not events:
        faults.append("a webhook needs at least one event")
    if len(events) > MOST_EVENTS:
        faults.append(f"a webhook has {len(events)} events; the limit is {MOST_EVENTS}")
    return faults


def wait_after(failed_count: int) -> timedelta:
    """Return how long to wait after so many failures in a row: 5 s, doubled each time, at most an hour.

    >>> [wait_after(count).seconds for count in (1, 2, 3, 10, 11, 50)]
    [5, 10, 20, 2560, 3600, 3600]
    """
    doublings = min(failed_count - 1, 20)
    return timedelta(seconds=min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**doublings))


def plan_after(
    target: Target, behind: Cursor, attempt: Attempt, at: datetime, most_attempts: int
) -> Progress:
    """Return where `target` stands after `attempt` to deliver the message that ends at `behind`.

    A message that was taken, or refused `most_attempts` times, is behind it; any other is tried again.
    """
    if attempt.is_taken:
        return Progress(behind)
    failed_count = target.failed_count + 1
    if failed_count >= most_attempts:
        return Progress(behind, is_given_up=True)
    return Progress(target.cursor, failed_count, at + wait_after(failed_count))
