"""Where a training process writes what it logs: one write(2) for each record, and nothing that waits."""

import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from weakref import WeakSet

from paddock.kernel.ids import new_id
from paddock.sdk.spool.delivery import Delivery
from paddock.sdk.spool.folder import create_folder
from paddock.sdk.spool.frames import encode_frame
from paddock.sdk.spool.records import Head, Record
from paddock.sdk.spool.segments import SegmentWriter
from paddock.sdk.spool.warning import warn_of

DROPPED_TAG = "spool.dropped"
_CHUNK_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class Place:
    """Where journals are kept, and how much of one run may wait there."""

    folder: Path
    max_bytes: int


class Journal:
    """What one process logs to one run.

    What `append` has returned True for is with the kernel, so it survives the death of this process. Safe to
    share between threads. After `close`, and in a forked child, the next record begins another journal.
    """

    def __init__(self, place: Place, head: Head, begun: Callable[[Delivery], None]) -> None:
        """begun: is given each journal that begins, to deliver it."""
        self.head = head
        self.delivery: Delivery | None = None
        self.appended_count = 0
        self.dropped_count = 0
        self._place = place
        self._begun = begun
        self._lock = threading.Lock()
        self._writer: SegmentWriter | None = None
        self._file_bytes = 0
        _journals.add(self)

    @property
    def end(self) -> int:
        """Where what was written ends, as an offset of the journal that is open."""
        return self._writer.end if self._writer else 0

    def begin(self) -> None:
        """Make the journal's files now, and not with the first record. Raises OSError where it cannot."""
        with self._lock:
            self._begin()

    def append(self, record: Record, *, is_needed: bool = False) -> bool:
        """Write a record. False when there is no room for it, which is counted and warned of once.

        is_needed: also beyond the limit of the spool, as the end of a run.
        """
        frame = encode_frame(record)
        try:
            with self._lock:
                writer = self._writer or self._begin()
                has_room = is_needed or self._held_bytes(writer) + len(frame) <= self._place.max_bytes
                if has_room:
                    writer.append(frame)
                    self.appended_count += 1
        except OSError as error:
            return self._drop(os.strerror(error.errno or 0))
        return has_room or self._drop(self._limit)

    def keep_file(self, body: bytes | BinaryIO) -> str:
        """Copy the bytes of an artifact into the journal; return their name, empty when there is no room."""
        name = new_id()
        size = len(body) if isinstance(body, bytes) else os.fstat(body.fileno()).st_size
        try:
            with self._lock:
                writer = self._writer or self._begin()
                has_room = self._held_bytes(writer) + size <= self._place.max_bytes
                self._file_bytes += size if has_room else 0
            if has_room:
                _copy(body, writer.folder.file_path(name))
        except OSError as error:
            self._drop(os.strerror(error.errno or 0))
            return ""
        return name if has_room or self._drop(self._limit) else ""

    def close(self) -> None:
        """Let go of the files; what is in them goes on being delivered."""
        with self._lock:
            if self._writer and self.delivery:
                self._writer.close()
                self.delivery.is_closed = True
            self._writer = None

    def forget(self) -> None:
        """In a forked child: what the parent has open is not ours."""
        self._lock = threading.Lock()
        if self._writer:
            self._writer.close()
        self._writer = self.delivery = None
        self.dropped_count = 0

    def _begin(self) -> SegmentWriter:
        folder, lock = create_folder(self._place.folder, self.head.run_id)
        writer = SegmentWriter(folder)
        try:
            folder.write_head(self.head)
            delivery = Delivery(folder, lock, self.head, tail=lambda: writer.end)
        except OSError:
            lock.release()
            folder.remove()
            raise
        self._writer, self.delivery = writer, delivery
        self._file_bytes = self.appended_count = 0
        self._begun(delivery)
        return writer

    def _held_bytes(self, writer: SegmentWriter) -> int:
        return writer.end + self._file_bytes - (self.delivery.freed_bytes if self.delivery else 0)

    @property
    def _limit(self) -> str:
        return f"`spool_max_bytes` ({self._place.max_bytes:,}) of it wait already"

    def _drop(self, reason: str) -> bool:
        with self._lock:
            self.dropped_count += 1
            is_first = self.dropped_count == 1
        if is_first:
            warn_of(
                f"what is logged to run {self.head.run_id} is dropped while `{self._place.folder}` does not"
                f" take it: {reason}; the run's tag `{DROPPED_TAG}` will say how much"
            )
        return False


def _copy(body: bytes | BinaryIO, target: Path) -> None:
    target.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        with target.open("wb") as file:
            if isinstance(body, bytes):
                file.write(body)
            else:
                shutil.copyfileobj(body, file, _CHUNK_BYTES)
    except OSError:
        target.unlink(missing_ok=True)
        raise


def _leave_parent() -> None:
    for journal in list(_journals):
        journal.forget()


_journals: WeakSet[Journal] = WeakSet()
os.register_at_fork(after_in_child=_leave_parent)
