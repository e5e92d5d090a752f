"""The folder of segments: which there are, and the one writer that appends to the last."""

import errno
import fcntl
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from paddock.kernel.errors import IntegrityError, StorageFull, StoreInUse, Unavailable
from paddock.prediction_log.frames import (
    NO_EXTENT,
    SEGMENT_HEADER_BYTES,
    Extent,
    Frame,
    SegmentHeader,
    SegmentKind,
    decode_segment_header,
    encode_frame,
    encode_segment_header,
    scan_frames,
)

_LOG = logging.getLogger(__name__)
_NO_SPACE = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


class Segment(NamedTuple):
    """One file of the log. `extent` is None for the last one: it may still grow."""

    path: Path
    number: int
    extent: Extent | None


class Batch(NamedTuple):
    """What is made durable together; event times in microseconds."""

    payload: bytes
    rows: int
    first_event: int
    last_event: int


def list_segments(folder: Path, kind: SegmentKind) -> list[Segment]:
    """Return the segments in order; a last one whose creation was cut short is left out.

    Raises IntegrityError for a damaged header.
    """
    paths = sorted(folder.glob(f"{kind.name.lower()}-*.log"))
    headers = [_read_header(path, is_last=path is paths[-1]) for path in paths]
    found = [(path, header) for path, header in zip(paths, headers, strict=True) if header]
    segments = []
    for (path, header), after in zip_longest(found, [header for _, header in found[1:]]):
        known = after is not None and after.number == header.number + 1
        segments.append(Segment(path, header.number, after.previous if after and known else None))
    return segments


def read_segment(segment: Segment, offset: int = SEGMENT_HEADER_BYTES) -> bytes:
    """Return the bytes from `offset` up to what is known to be its end.

    Raises IntegrityError when a finished segment is shorter than it was.
    """
    with segment.path.open("rb") as file:
        file.seek(offset)
        if segment.extent is None:
            return file.read()
        body = file.read(max(0, segment.extent.end - offset))
    if offset + len(body) < segment.extent.end:
        raise IntegrityError(
            f"prediction-log segment `{segment.path.name}` is damaged at offset {offset + len(body)}; "
            f"it ends there instead of at {segment.extent.end}",
            hint="restore the segment from a backup",
            segment=segment.path.name,
            offset=offset + len(body),
        )
    return body


@dataclass(slots=True)
class _OpenSegment:
    fd: int
    number: int
    extent: Extent


class SegmentWriter:
    """Appends batches, each with one fdatasync; the only writer of its kind in the folder.

    Opening cuts a torn tail and starts no file: the first batch does, so that a start without
    traffic leaves nothing behind. Not thread-safe.
    """

    def __init__(
        self,
        folder: Path,
        kind: SegmentKind,
        *,
        segment_bytes: int,
        sync: Callable[[int], None] = os.fdatasync,
    ) -> None:
        """Raises StoreInUse when another process writes here, IntegrityError for damage."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._kind = kind
        self._segment_bytes = segment_bytes
        self._sync = sync
        self._open: _OpenSegment | None = None
        self._lock = _lock(folder / f"{kind.name.lower()}.lock")
        try:
            self._number, self._previous = _recover(folder, kind)
        except BaseException:
            os.close(self._lock)
            raise

    def append(self, batch: Batch) -> None:
        """Write `batch`; on return it is on disk.

        Raises StorageFull or Unavailable; then nothing of it will be read from the log.
        """
        target = self._open or self._start_segment()
        extent = target.extent
        frame = encode_frame(
            batch.payload,
            rows=batch.rows,
            first_event=batch.first_event,
            last_event=batch.last_event,
            offset=extent.end,
        )
        try:
            _write_all(target.fd, frame)
        except OSError as error:
            if not _cut(target):
                self._leave_segment()
            raise _refusal(self._folder, error) from error
        try:
            self._sync(target.fd)
        except OSError as error:
            # the kernel may have dropped the pages and reports it once: a second sync would lie
            _cut(target)
            self._leave_segment()
            raise _refusal(self._folder, error) from error
        target.extent = _grow(extent, batch, extent.end + len(frame))
        if target.extent.end >= self._segment_bytes:
            self._leave_segment()

    def close(self) -> None:
        """Mark a clean end and give the folder free for the next writer."""
        if self._open is not None:
            try:
                self.append(Batch(b"", 0, 0, 0))
            except Unavailable as error:
                _LOG.warning("prediction_log.end_not_marked", extra={"reason": error.message})
            self._leave_segment()
        os.close(self._lock)

    def _start_segment(self) -> _OpenSegment:
        number = self._number + 1
        path = self._folder / f"{self._kind.name.lower()}-{number:08d}.log"
        header = encode_segment_header(SegmentHeader(self._kind, number, self._previous))
        try:
            # without O_EXCL: what a refused creation left of this number was never acknowledged
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
            try:
                _write_all(fd, header)
                self._sync(fd)
                _sync_folder(self._folder)
            except BaseException:
                os.close(fd)
                raise
        except OSError as error:
            raise _refusal(self._folder, error) from error
        self._open = _OpenSegment(fd, number, NO_EXTENT._replace(end=len(header)))
        return self._open

    def _leave_segment(self) -> None:
        """Close the segment where its last acknowledged batch ends; the next one's header says so."""
        if self._open is not None:
            self._number, self._previous = self._open.number, self._open.extent
            os.close(self._open.fd)
            self._open = None


def _cut(segment: _OpenSegment) -> bool:
    """Take back what was written behind the last acknowledged batch; False when that fails too."""
    try:
        os.ftruncate(segment.fd, segment.extent.end)
    except OSError as error:
        _LOG.warning("prediction_log.tail_not_cut", extra={"segment": segment.number, "errno": error.errno})
        return False
    return True


def _recover(folder: Path, kind: SegmentKind) -> tuple[int, Extent]:
    """Cut the torn tail of the last segment; return its number and extent, (0, NO_EXTENT) for none."""
    segments = list_segments(folder, kind)
    if not segments:
        return 0, NO_EXTENT
    last = segments[-1]
    body = read_segment(last)
    extent = NO_EXTENT._replace(end=SEGMENT_HEADER_BYTES)
    for frame in scan_frames(body, base=extent.end, segment=last.path.name, is_finished=False):
        extent = _grow(extent, frame, frame.end)
    torn = SEGMENT_HEADER_BYTES + len(body) - extent.end
    if torn:
        _LOG.warning("prediction_log.tail_cut", extra={"segment": last.path.name, "cut_bytes": torn})
        os.truncate(last.path, extent.end)
    return last.number, extent


def _read_header(path: Path, *, is_last: bool) -> SegmentHeader | None:
    with path.open("rb") as file:
        start = file.read(SEGMENT_HEADER_BYTES + 1)
    header = decode_segment_header(start, path.name)
    if header is None and not (is_last and len(start) <= SEGMENT_HEADER_BYTES):
        raise IntegrityError(
            f"prediction-log segment `{path.name}` is damaged at offset 0; its header is not whole",
            hint="restore the segment from a backup",
            segment=path.name,
            offset=0,
        )
    return header


def _grow(extent: Extent, batch: Batch | Frame, end: int) -> Extent:
    if not batch.rows:
        return extent._replace(end=end)
    if not extent.rows:
        return Extent(end, batch.rows, batch.first_event, batch.last_event)
    first, last = min(extent.first_event, batch.first_event), max(extent.last_event, batch.last_event)
    return Extent(end, extent.rows + batch.rows, first, last)


def _lock(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(fd)
        raise StoreInUse(
            f"prediction log `{path.parent}` is written by process {owner}",
            hint="stop that process, or give this one a folder of its own",
            pid=owner,
        ) from error
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:  # a full disk: the lock holds all the same, it only names nobody
        _LOG.warning("prediction_log.lock_not_named", extra={"errno": error.errno})
    return fd


def _write_all(fd: int, body: bytes) -> None:
    rest = memoryview(body)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _refusal(folder: Path, error: OSError) -> Unavailable:
    if error.errno in _NO_SPACE:
        return StorageFull(
            f"no space left for the prediction log `{folder.name}`",
            hint="free space; then send the request again",
        )
    return Unavailable(
        f"prediction log `{folder.name}` could not be written: {os.strerror(error.errno or errno.EIO)}",
        hint="check the disk; the request was not answered and may be sent again",
    )
