"""The thread that delivers what the runs of this process log, while they go on."""

import atexit
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from paddock.kernel.clock import monotonic_s
from paddock.sdk.ports import Destination
from paddock.sdk.spool.adopting import adopt_orphans
from paddock.sdk.spool.delivery import Delivery
from paddock.sdk.spool.post import Lend, Post

_LOG = logging.getLogger(__name__)
_INTERVAL_S = 0.5  # between two looks at what was logged meanwhile
_EXIT_S = 5.0


class Sender:
    """Delivers journals in the order in which they began, so a run is there before the runs below it.

    One for each process. It raises nothing into a run, and warns once of what goes wrong.
    """

    def __init__(self, lend: Lend) -> None:
        """lend: gives the store of a destination, open while the block runs; None when it was let go of."""
        self._lend = lend
        self._changed = threading.Condition()
        self._hurry = threading.Event()
        self._posts: dict[Delivery, Post] = {}
        self._searches: list[tuple[Path, Destination]] = []
        self._flushing = 0
        self._thread: threading.Thread | None = None

    def add(self, delivery: Delivery) -> None:
        """Deliver this journal from now on, until it is closed and done."""
        self._add(Post(delivery, is_orphan=False))

    def look_for_orphans(self, spool: Path, destination: Destination) -> None:
        """Deliver what processes that are gone have left in `spool`, behind what this one has."""
        with self._changed:
            self._searches.append((spool, destination))
            self._ensure_thread()

    def adopt_run(self, spool: Path, destination: Destination, run_id: str) -> Sequence[Delivery]:
        """Deliver and return what forked children that are gone have left of a run."""
        found = adopt_orphans(spool, destination, run_id=run_id)
        for delivery in found:
            self.add(delivery)
        return found

    def flush(self, delivery: Delivery, end: int, timeout_s: float, *, is_patient: bool = True) -> str:
        """Wait until the store has a journal up to `end`, or all of a closed one; return what prevents it.

        Ends early when the run is refused, and where a store that was not reached before is not now either;
        is_patient: wait for one that was.
        """
        give_up_at_s = monotonic_s() + timeout_s
        with self._changed:
            post = self._posts.get(delivery)
            if post is None:
                return ""
            tries = post.failed_tries
            self._flushing += 1
            try:
                while delivery in self._posts and not _is_flushed(delivery, end):
                    if post.failed_tries == tries:  # else it is tried again after a moment
                        self._hurry.set()
                    is_hopeless = post.failed_tries > tries and not (is_patient and post.was_reached)
                    left_s = give_up_at_s - monotonic_s()
                    if is_hopeless or left_s <= 0:
                        return post.trouble or f"the store has not taken it within {timeout_s:g} s"
                    self._changed.wait(left_s)
            finally:
                self._flushing -= 1
            is_over = delivery.is_refused or delivery.acked >= end
            return "" if is_over else post.trouble

    def flush_open(self, timeout_s: float) -> None:
        """Wait for what is still logged to, such as a run that is logged to behind the end of its block."""
        for delivery in [each for each in self._posts if not each.is_closed]:
            self.flush(delivery, delivery.tail, timeout_s)

    def _add(self, post: Post) -> None:
        with self._changed:
            self._posts[post.delivery] = post
            self._ensure_thread()

    def _ensure_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="paddock-sender", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._search() or self._posts or not self._end():
            with self._changed:
                posts, is_urgent = list(self._posts.values()), self._flushing > 0
            has_more = [self._attempt(post, is_urgent=is_urgent) for post in posts]
            if not any(has_more):
                self._hurry.wait(_INTERVAL_S)
                self._hurry.clear()

    def _attempt(self, post: Post, *, is_urgent: bool) -> bool:
        has_more = post.attempt(self._lend, is_urgent=is_urgent)
        is_over = post.is_over
        if is_over:
            _leave(post.delivery)
        with self._changed:
            if is_over:
                del self._posts[post.delivery]
            self._changed.notify_all()
        return has_more

    def _search(self) -> bool:
        """Take over what was left behind; True when something was."""
        with self._changed:
            searches, self._searches = self._searches, []
        for spool, destination in searches:
            for delivery in adopt_orphans(spool, destination):
                self._add(Post(delivery, is_orphan=True))
        return bool(searches)

    def _end(self) -> bool:
        """Let the thread end when there is nothing to deliver; the next journal starts another one."""
        with self._changed:
            if self._posts or self._searches:
                return False
            self._thread = None
            return True


def _is_flushed(delivery: Delivery, end: int) -> bool:
    """Tell whether there is nothing to wait for; a closed journal is waited for until it is let go of."""
    if delivery.is_closed:
        return False
    return delivery.is_refused or (delivery.has_run and delivery.acked >= end)


def _leave(delivery: Delivery) -> None:
    try:
        delivery.leave()
    except OSError as error:  # what is delivered cannot be removed; whoever comes next will see that it is
        _LOG.warning("spool.not_removed", extra={"path": str(delivery.folder.path), "errno": error.errno})


def process_sender(lend: Lend) -> Sender:
    """Return the sender of this process, made at the first call."""
    global _sender
    with _making:
        if _sender is None:
            _sender = Sender(lend)
        return _sender


def _leave_parent() -> None:
    """In a forked child: the parent's thread is not here, and what it delivers is not ours."""
    global _sender, _making
    _sender, _making = None, threading.Lock()


def _at_exit() -> None:
    if _sender is not None:
        _sender.flush_open(_EXIT_S)


_making = threading.Lock()
_sender: Sender | None = None
atexit.register(_at_exit)
os.register_at_fork(after_in_child=_leave_parent)
