"""Webhooks: what the event ledger tells is sent to receivers outside, signed, until they have taken it.

- A webhook is a view of the ledger with a position in it; nothing is sent that is not sealed.
- Deliveries of one webhook go out in order, each at least once, under an id that stays the same however
  often it is sent. One that cannot be delivered waits, and holds up no other webhook.
- Requests go to hosts that `webhook_hosts` names and to no others, whatever a name resolves to; redirects
  are not followed, and no proxy of the environment is used.
- A secret is stored sealed, and no call tells it again.
"""

from paddock.integrations.webhooks.delivery import keep_delivering
from paddock.integrations.webhooks.dispatch import Dispatch, dispatch_of
from paddock.integrations.webhooks.messages import MLFLOW_EVENTS
from paddock.integrations.webhooks.records import DeliveryState, TestResult, Webhook, WebhookStatus
from paddock.integrations.webhooks.service import Webhooks

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
