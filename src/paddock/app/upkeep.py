"""What an open store needs now and then, for processes that run for months."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from paddock.app.root import purge_old_keys
from paddock.kernel.errors import PaddockError

if TYPE_CHECKING:
    from paddock.app.root import App

log = logging.getLogger("paddock.app")

_DAY_S = 86_400.0


@contextmanager
def keep_tidy(app: App, *, every_s: float = _DAY_S) -> Iterator[None]:
    """Forget old idempotency keys once a day, in a thread of its own, while the block runs.

    What fails is told in the log and tried again the next day.
    """
    stopped = threading.Event()
    thread = threading.Thread(target=_tidy, args=(app, stopped, every_s), name="paddock-upkeep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _tidy(app: App, stopped: threading.Event, every_s: float) -> None:
    while not stopped.wait(every_s):
        try:
            while purge_old_keys(app.settings, app.metadata) and not stopped.is_set():
                pass  # one call forgets only so many
        except PaddockError as error:
            log.warning("keys.not_purged", extra={"reason": error.message})
