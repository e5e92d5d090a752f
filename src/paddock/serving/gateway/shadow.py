"""Scoring beside the answer with a version that answers nobody."""

import asyncio
from typing import NamedTuple

from paddock.kernel.errors import InvalidInput, PaddockError
from paddock.serving.gateway.live import LiveConfig
from paddock.serving.gateway.metrics import GatewayMetrics
from paddock.serving.gateway.rows import Rows
from paddock.serving.gateway.runner import Vector


class ShadowAnswer(NamedTuple):
    """An answer under way."""

    version: int
    rows: int
    future: "asyncio.Future[Vector]"


class ShadowColumn(NamedTuple):
    """What goes into the log: packed float64, empty when there is no answer."""

    version: int
    predictions: bytes


NO_SHADOW = ShadowColumn(0, b"")


class Shadowing:
    """Never raises and never keeps an answer longer than `wait_s`; what it drops is counted."""

    def __init__(self, metrics: GatewayMetrics, *, wait_s: float, queue_rows: int) -> None:
        self._metrics = metrics
        self._wait_s = wait_s
        self._queue_rows = queue_rows

    def offer(self, live: LiveConfig, rows: Rows) -> ShadowAnswer | None:
        """Queue rows for the shadow, if there is one and it has room."""
        shadow = live.shadow
        if shadow is None:
            return None
        if shadow.waiting_rows + rows.count > self._queue_rows:
            self._metrics.count_dropped(rows.count, "queue_full")
            return None
        try:
            future = live.ask(shadow, rows)
        except PaddockError as error:
            reason = "invalid_rows" if isinstance(error, InvalidInput) else "worker_failed"
            self._metrics.count_dropped(rows.count, reason)
            return None
        return ShadowAnswer(shadow.package.version, rows.count, future)

    async def collect(self, answer: ShadowAnswer | None) -> ShadowColumn:
        """Return the shadow's answer, or nothing when it failed or is not there in time."""
        if answer is None:
            return NO_SHADOW
        await asyncio.wait((answer.future,), timeout=self._wait_s)
        if not answer.future.done():
            self.discard(answer)
            self._metrics.count_dropped(answer.rows, "too_slow")
            return NO_SHADOW
        if answer.future.exception() is not None:
            self._metrics.count_dropped(answer.rows, "worker_failed")
            return NO_SHADOW
        return ShadowColumn(answer.version, answer.future.result().astype("<f8", copy=False).tobytes())

    def discard(self, answer: ShadowAnswer | None) -> None:
        """Forget an answer under way; its rows are not scored if they still wait."""
        if answer is not None and not answer.future.cancel():
            answer.future.exception()  # marks a failure as seen
