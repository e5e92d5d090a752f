"""Writes what happens to steps, in the background and in batches: a step does not wait for the disk.

A row is on disk a few milliseconds after the fact, so a crash shows what was running; all of them are
on disk when `close` returns.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from paddock.pipelines.records import CacheEntry, StepRun


@dataclass(frozen=True, slots=True)
class Batch:
    """steps: the newest state of each, by id; entries: by cache key; values: small bodies by digest."""

    steps: dict[str, StepRun] = field(default_factory=dict)
    entries: dict[str, CacheEntry] = field(default_factory=dict)
    values: dict[str, bytes] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not (self.steps or self.entries or self.values)


class Recorder:
    """Collects while one write is under way, then writes all of it at once. Safe to share between threads."""

    def __init__(self, write: Callable[[Batch], None]) -> None:
        self._write = write
        self._batch = Batch()
        self._error: BaseException | None = None
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="step recorder", daemon=True)
        self._thread.start()

    def note(
        self, step: StepRun, *, entry: CacheEntry | None = None, values: Mapping[str, bytes] | None = None
    ) -> None:
        """Have this written soon; raises what an earlier write raised. After `close` it does nothing."""
        with self._changed:
            if self._error is not None:
                raise self._error
            if self._is_closed:
                return
            self._batch.steps[step.step_run_id] = step
            self._batch.values.update(values or {})
            if entry is not None:
                self._batch.entries[entry.cache_key] = entry
            self._changed.notify()

    def close(self) -> Batch:
        """Stop, and return what is not written yet for the caller's last write.

        Raises what a write raised; nothing is running when this returns.
        """
        self.stop()
        if self._error is not None:
            raise self._error
        return self._batch

    def stop(self) -> None:
        """Stop without a word about what is not written; after `close` it does nothing."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or not self._batch.is_empty)
                if self._is_closed:
                    return
                batch, self._batch = self._batch, Batch()
            try:
                self._write(batch)
            except BaseException as error:  # noqa: BLE001 - carried to the threads that note, raised there
                with self._changed:
                    self._error = error
                return
