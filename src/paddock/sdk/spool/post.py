"""A delivery with its fortunes: when it is tried again, and what of it was told."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from paddock.kernel.clock import monotonic_s
from paddock.kernel.errors import PaddockError, Unavailable
from paddock.sdk.ports import Destination, Store
from paddock.sdk.spool.delivery import Delivery
from paddock.sdk.spool.warning import warn_of

Lend = Callable[[Destination], AbstractContextManager[Store | None]]

_FIRST_RETRY_S, _LAST_RETRY_S = 0.5, 30.0
_SYNC_S = 5.0
_STEPS = 20  # before another journal has its turn


class Post:
    """A journal that a sender delivers; an orphan, whose process is gone, is let go of at the first trouble.

    failed_tries: how often its store could not take it; trouble: why it could not the last time; was_reached:
    it could before, or has the run.
    """

    def __init__(self, delivery: Delivery, *, is_orphan: bool) -> None:
        self.delivery = delivery
        self.failed_tries = 0
        self.trouble = ""
        self.was_reached = delivery.has_run
        self._is_orphan = is_orphan
        self._is_given_up = False
        self._told_refusals = 0
        self._retry_s = _FIRST_RETRY_S
        self._retry_at_s = 0.0
        self._synced_at_s = monotonic_s()

    @property
    def is_over(self) -> bool:
        """Tell whether a sender has nothing more to do with it."""
        delivery = self.delivery
        return self._is_given_up or (delivery.is_closed and (delivery.is_done or delivery.is_refused))

    def attempt(self, lend: Lend, *, is_urgent: bool) -> bool:
        """Deliver some batches; True when there is more at once. After trouble wait, unless it is urgent."""
        if self.is_over or (monotonic_s() < self._retry_at_s and not is_urgent):
            return False
        has_more = False
        try:
            has_more = self._deliver(lend)
        except PaddockError as error:
            self._postpone(error)
        except OSError as error:  # the spool itself cannot be read or written any more
            self._give_up(error)
        self._is_given_up |= self._is_orphan and not has_more
        return has_more

    def _deliver(self, lend: Lend) -> bool:
        delivery = self.delivery
        try:
            with lend(delivery.head.destination) as store:
                if store is None:
                    self._is_given_up = delivery.is_closed  # somebody else may deliver it
                    raise Unavailable(f"this process has let go of `{delivery.head.destination.address}`")
                for _ in range(_STEPS):
                    has_more = delivery.step(store.deliveries)
                    self.was_reached, self.trouble = delivery.has_run, ""
                    self._retry_s = _FIRST_RETRY_S
                    if not has_more:
                        return False
                return True
        finally:
            self._tell_refusals()

    def _postpone(self, error: PaddockError) -> None:
        self.failed_tries += 1
        self.trouble = error.message
        if self._is_orphan:
            return
        if self.failed_tries == 1 and self.was_reached:  # else its start has told
            warn_of(
                f"run {self.delivery.head.run_id} goes on without its store: {error.message}; what is logged"
                f" waits in `{self.delivery.folder.path}` and is delivered when the store is back"
            )
        now_s = monotonic_s()
        self._retry_at_s = now_s + self._retry_s
        self._retry_s = min(2 * self._retry_s, _LAST_RETRY_S)
        if now_s - self._synced_at_s >= _SYNC_S:
            self.delivery.sync()
            self._synced_at_s = monotonic_s()

    def _give_up(self, error: OSError) -> None:
        self._is_given_up = True
        self.trouble = str(error)
        warn_of(
            f"what is logged to run {self.delivery.head.run_id} is not delivered any more: {error};"
            f" see `{self.delivery.folder.path}`"
        )

    def _tell_refusals(self) -> None:
        fresh = self.delivery.refusals[self._told_refusals :]
        self._told_refusals += len(fresh)
        for refusal in fresh:
            warn_of(
                f"the store refuses {refusal.what} of run {self.delivery.head.run_id}: {refusal.message};"
                f" kept in `{self.delivery.folder.refused_path}`"
            )
