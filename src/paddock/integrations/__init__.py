"""What Paddock tells other systems, each system in a package of its own.

- Nothing leaves for a host that the settings do not name.
- No room calls this one: it reads the event ledger.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddock.integrations.webhooks import (
        MLFLOW_EVENTS,
        DeliveryState,
        Dispatch,
        TestResult,
        Webhook,
        Webhooks,
        WebhookStatus,
        dispatch_of,
        keep_delivering,
    )

# loaded at first use: most processes never send anything
_HOME_OF = dict.fromkeys(
    (
        "MLFLOW_EVENTS",
        "DeliveryState",
        "Dispatch",
        "TestResult",
        "Webhook",
        "WebhookStatus",
        "Webhooks",
        "dispatch_of",
        "keep_delivering",
    ),
    "webhooks",
)

__all__ = [
    "MLFLOW_EVENTS",
    "DeliveryState",
    "Dispatch",
    "TestResult",
    "Webhook",
    "WebhookStatus",
    "Webhooks",
    "dispatch_of",
    "keep_delivering",
]


def __getattr__(name: str) -> object:
    if name in _HOME_OF:
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
