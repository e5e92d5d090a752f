"""Sends what is due: one webhook after its own order, several at a time."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from paddock.integrations.webhooks.dispatch import Dispatch
from paddock.integrations.webhooks.records import Cursor, Target
from paddock.integrations.webhooks.rules import plan_after
from paddock.integrations.webhooks.service import Outbox, Webhooks
from paddock.kernel.errors import PaddockError
from paddock.kernel.ids import new_id

log = logging.getLogger(__name__)

_EVERY_S = 1.0
_THREADS = 8
_BATCH = 50  # deliveries to one webhook before the others have their turn
_SAVE_EVERY = 100  # events without a delivery, each of which was a write itself


class Deliverer:
    """Delivers to every webhook of a store. One thread calls it; requests run in threads of its own.

    What it remembers saves work only: after a restart everything is found in the store.
    """

    def __init__(self, outbox: Outbox, dispatch: Dispatch) -> None:
        self._outbox = outbox
        self._dispatch = dispatch
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="paddock-webhook")
        self._stopping = threading.Event()
        self._running: dict[str, Future[Cursor]] = {}
        self._seen: dict[str, Cursor] = {}
        self._problems: dict[str, str] = {}

    def look(self) -> None:
        """Begin to deliver to every webhook that something may be due for, and return at once."""
        self._collect()
        heads: dict[str, int] = {}
        for target in self._outbox.list_due():
            if target.webhook_id in self._running:
                continue
            if target.project_id not in heads:
                heads[target.project_id] = self._outbox.head(target.project_id)
            since = max(target.cursor, self._seen.get(target.webhook_id, target.cursor))
            if heads[target.project_id] > since.position:
                self._running[target.webhook_id] = self._pool.submit(self._serve, target, since)

    def settle(self) -> None:
        """Wait until what has begun has ended."""
        wait(self._running.values())
        self._collect()

    def close(self) -> None:
        """End after the requests that are under way."""
        self._stopping.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _collect(self) -> None:
        for webhook_id, future in list(self._running.items()):
            if not future.done():
                continue
            del self._running[webhook_id]
            error = future.exception()
            if error is None:
                self._seen[webhook_id] = future.result()
                self._problems.pop(webhook_id, None)
            else:
                self._tell(webhook_id, error)

    def _tell(self, webhook_id: str, error: BaseException) -> None:
        """Log a problem that is not the receiver's, once while it lasts; the webhook is tried again."""
        if self._problems.get(webhook_id) == str(error):
            return
        self._problems[webhook_id] = str(error)
        if isinstance(error, PaddockError):
            log.warning("webhook.waits", extra={"webhook_id": webhook_id, "reason": error.message})
        else:
            log.error("webhook.crashed", extra={"webhook_id": webhook_id}, exc_info=error)

    def _serve(self, target: Target, since: Cursor) -> Cursor:
        """Deliver what is due to one webhook, and return the place up to which nothing is due any more."""
        delivery, end = self._outbox.find_next(target, since)
        if delivery is None:
            if end.position - target.cursor.position >= _SAVE_EVERY:
                self._outbox.skip_to(target, end)
            return end
        held = self._outbox.take(target.webhook_id)
        for _ in range(_BATCH):
            if held is None:
                return since
            delivery, behind = self._outbox.find_next(held, max(held.cursor, since))
            if delivery is None or self._stopping.is_set():
                break
            now = self._outbox.clock.now()
            attempt = self._dispatch.send(held, delivery.message, delivery.delivery_id, now)
            now = self._outbox.clock.now()
            progress = plan_after(held, behind, attempt, now, self._dispatch.most_attempts)
            if progress.is_given_up:
                fields = {"webhook_id": held.webhook_id, "event": delivery.message.name}
                log.warning("webhook.gave_up", extra={**fields, "reason": attempt.words})
            held = self._outbox.record(held.webhook_id, progress, attempt)
        self._outbox.release(target.webhook_id)
        return since


@contextmanager
def keep_delivering(webhooks: Webhooks, *, every_s: float = _EVERY_S) -> Iterator[None]:
    """Deliver to the webhooks of all projects, in threads, while the block runs.

    webhooks: of any project. Several processes may do so over one store; each delivery is sent by one.
    """
    deliverer = Deliverer(Outbox(webhooks.metadata, webhooks.clock, new_id()), webhooks.dispatch)
    stopped = threading.Event()
    thread = threading.Thread(
        target=_look_until, args=(deliverer, stopped, every_s), name="paddock-webhooks", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        deliverer.close()


def _look_until(deliverer: Deliverer, stopped: threading.Event, every_s: float) -> None:
    last = ""
    while not stopped.wait(every_s):
        try:
            deliverer.look()
            last = ""
        except PaddockError as error:
            if error.message != last:
                log.warning("webhooks.wait", extra={"reason": error.message})
            last = error.message
