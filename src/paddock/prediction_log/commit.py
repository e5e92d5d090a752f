"""Group commit: one thread writes what asyncio hands it; whatever waits shares the next sync.

There is no timer: a lone record pays one sync, and what queues up during a sync forms the next batch.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from paddock.kernel.errors import QueueFull, Unavailable
from paddock.prediction_log.batches import EncodedRecord, encode_batch
from paddock.prediction_log.segments import SegmentWriter

_LOG = logging.getLogger(__name__)
_MOST_BATCH_ROWS = 65_536


_Item = tuple[EncodedRecord, "asyncio.Future[None] | None"]


@dataclass(slots=True)
class CommitCounts:
    """Running totals since the start, for metrics and status."""

    rows: int = 0
    syncs: int = 0
    lost_rows: int = 0
    refused_rows: int = 0
    waiting_rows: int = 0


class GroupCommit:
    """The writer thread of one log. `append` and `offer` belong to one event loop.

    writer: given over, closed by `close`.
    queue_rows: rows that may wait before `append` refuses and `offer` drops.
    """

    def __init__(self, writer: SegmentWriter, *, queue_rows: int, name: str) -> None:
        self._writer = writer
        self._queue_rows = queue_rows
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self.counts = CommitCounts()
        self._counts_lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def append(self, record: EncodedRecord) -> "asyncio.Future[None]":
        """Return a future that is done when `record` is on disk.

        It fails with StorageFull or Unavailable when the record was refused and will not be read.
        Raises QueueFull at once when too many rows wait.
        """
        if not self._has_room(record.rows):
            raise QueueFull(f"{self.counts.waiting_rows} rows wait for the prediction log already")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put((record, future))
        return future

    def offer(self, record: EncodedRecord) -> None:
        """Queue `record` without waiting; rows that cannot be kept are counted as lost."""
        if self._has_room(record.rows):
            self._queue.put((record, None))
        else:
            self._count(lost_rows=record.rows)

    def close(self) -> None:
        """Write what waits, then close the writer. Blocks; safe to call twice."""
        if not self._is_closed:
            self._is_closed = True
            self._queue.put(None)
            self._thread.join()
            self._writer.close()

    def _has_room(self, rows: int) -> bool:
        if self._is_closed:
            raise Unavailable("the prediction log is closed")
        with self._counts_lock:
            # a request larger than the queue passes an empty one, or it could never be taken
            if self.counts.waiting_rows and self.counts.waiting_rows + rows > self._queue_rows:
                return False
            self.counts.waiting_rows += rows
            return True

    def _run(self) -> None:
        is_open = True
        while is_open:
            items = []
            item = self._queue.get()
            rows = 0
            while item is not None:
                items.append(item)
                rows += item[0].rows
                if rows >= _MOST_BATCH_ROWS:
                    break
                try:
                    item = self._queue.get_nowait()
                except Empty:
                    break
            is_open = item is not None
            if items:
                self._commit(items, rows)

    def _commit(self, items: Sequence[_Item], rows: int) -> None:
        refusal: Unavailable | None = None
        try:
            self._writer.append(encode_batch([record for record, _ in items]))
        except Unavailable as error:
            refusal = error
            _LOG.error("prediction_log.batch_refused", extra={"rows": rows, "reason": error.message})
        waiting = [future for _, future in items if future is not None]
        offered = sum(record.rows for record, future in items if future is None)
        self._count(
            rows=0 if refusal else rows,
            syncs=1,
            lost_rows=offered if refusal else 0,
            refused_rows=rows - offered if refusal else 0,
            waiting_rows=-rows,
        )
        if waiting:
            _settle_soon(waiting, refusal)

    def _count(
        self,
        *,
        rows: int = 0,
        syncs: int = 0,
        lost_rows: int = 0,
        refused_rows: int = 0,
        waiting_rows: int = 0,
    ) -> None:
        with self._counts_lock:
            self.counts.rows += rows
            self.counts.syncs += syncs
            self.counts.lost_rows += lost_rows
            self.counts.refused_rows += refused_rows
            self.counts.waiting_rows += waiting_rows


def _settle_soon(futures: Sequence["asyncio.Future[None]"], refusal: Unavailable | None) -> None:
    loop = futures[0].get_loop()
    try:
        loop.call_soon_threadsafe(_settle, futures, refusal)
    except RuntimeError:  # the loop is closed: nobody is left to be told
        _LOG.warning("prediction_log.nobody_waits", extra={"records": len(futures)})


def _settle(futures: Sequence["asyncio.Future[None]"], refusal: Unavailable | None) -> None:
    for future in futures:
        if future.done():
            continue
        if refusal is None:
            future.set_result(None)
        else:
            future.set_exception(refusal)
