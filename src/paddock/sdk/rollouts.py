"""Rollouts from Python: where one stands, and its end by a person."""

from paddock.kernel.names import check_name
from paddock.sdk.ambient import current_store
from paddock.wire import structs


def rollout(endpoint: str) -> structs.Rollout:
    """Return the newest rollout of `endpoint`, open or ended, and in words what it waits for.

    Raises NotFound when no candidate was on its way there yet.
    """
    check_name("endpoint", endpoint)
    return current_store().rollouts.get(endpoint)


def withdraw(endpoint: str, *, reason: str, key: str = "") -> structs.Rollout:
    """End the open rollout of `endpoint`; the champion answers everything from the loop's next look on.

    key: an idempotency key; with it the same call is one effect. Raises NotFound when none is open.
    """
    check_name("endpoint", endpoint)
    return current_store().rollouts.withdraw(endpoint, structs.Withdraw(reason=reason), key=key)
