"""From a message to a signed request."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from paddock.integrations.webhooks.messages import encode_body
from paddock.integrations.webhooks.outbound import parse_hosts
from paddock.integrations.webhooks.records import Attempt, Message, Target
from paddock.integrations.webhooks.sealing import SecretBox
from paddock.integrations.webhooks.sending import Sender
from paddock.integrations.webhooks.signing import delivery_headers
from paddock.kernel.errors import PaddockError
from paddock.kernel.settings import Settings

_KEY_FILE = "webhook.key"


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What every webhook of a store is served with. most_attempts: at one delivery, before it is given up."""

    sender: Sender
    box: SecretBox
    most_attempts: int

    def send(self, target: Target, message: Message, delivery_id: str, at: datetime) -> Attempt:
        """Send a message to a webhook and return how it went; one whose secret stays closed is not sent."""
        try:
            secret = self.box.open(target.sealed_secret, target.webhook_id)
        except PaddockError as error:
            return Attempt(0, error.message)
        body = encode_body(message)
        headers = delivery_headers(secret, delivery_id, int(at.timestamp()), body)
        return self.sender.post(target.url, headers, body)


def dispatch_of(settings: Settings, folder: Path) -> Dispatch:
    """Return what `settings` say. folder: the local folder of the store, where the key of secrets lies."""
    own_ports = frozenset(settings.whole(name) for name in ("port", "gateway_port", "loop_port"))
    key_file = settings.text("webhook_key_file")
    return Dispatch(
        Sender(parse_hosts(settings.text("webhook_hosts"), own_ports)),
        SecretBox(Path(key_file) if key_file else folder / _KEY_FILE),
        settings.whole("webhook_attempts"),
    )
