"""Handlers in threads, with a bounded queue: what does not fit is refused at once, never piled up."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from paddock.kernel.refusals import AnswerTooSlow, ServerBusy

T = TypeVar("T")


class HandlerPool:
    """Runs at most `threads` calls at a time and lets `waiting` more wait."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._most = threads + waiting
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="paddock-handler")
        self._lock = threading.Lock()
        self._count = 0

    @property
    def call_count(self) -> int:
        """Calls at work or in the queue; one whose client gave up counts until it ends."""
        return self._count

    async def run(self, work: Callable[[], T], timeout_s: float) -> T:
        """Return what `work` returns, or raise what it raises.

        Raises ServerBusy when the queue is full and AnswerTooSlow after `timeout_s`; a call that has
        begun cannot be stopped and keeps its thread until it ends.
        """
        future = self._submit(work)
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            if not deadline.expired():  # the work raised it itself
                raise
            raise AnswerTooSlow(f"the work did not end within {timeout_s:g} s") from error

    def close(self) -> None:
        """Let calls at work end, drop those that wait."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        with self._lock:
            if self._count >= self._most:
                raise ServerBusy(f"{self._most} requests are at work or waiting; try again")
            self._count += 1
        future = self._executor.submit(work)
        future.add_done_callback(self._release)
        return future

    def _release(self, _: Future[T]) -> None:
        with self._lock:
            self._count -= 1
