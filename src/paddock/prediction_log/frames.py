"""The bytes of a segment: a header, then frames; each frame is what one sync made durable.

Only here are offsets and checksums known; no file is touched. See docs/formats/prediction-log.md.
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from paddock.kernel.errors import IntegrityError, StoreTooNew

_SEGMENT = Struct("<8sHHIQQqq12xI")
_SEGMENT_MAGIC = b"PADLOG\r\n"
_FRAME = Struct("<4sIIIqqII")
_FRAME_MAGIC = b"\xf5LOG"
_PLACE_MASK = 0xFFFFFFFF

SEGMENT_HEADER_BYTES = _SEGMENT.size
FRAME_HEADER_BYTES = _FRAME.size


class SegmentKind(IntEnum):
    PREDICTIONS = 1
    LABELS = 2


# what is written, and the newest that is read; predictions of format 1 have no stage `pinned`
FORMATS: Mapping[int, int] = {SegmentKind.PREDICTIONS: 2, SegmentKind.LABELS: 1}


class Extent(NamedTuple):
    """How far a finished segment reaches, and which event times (microseconds) it holds."""

    end: int
    rows: int
    first_event: int
    last_event: int


NO_EXTENT = Extent(end=0, rows=0, first_event=0, last_event=0)


class SegmentHeader(NamedTuple):
    kind: SegmentKind
    number: int
    previous: Extent  # of segment `number - 1`: what lies beyond its end was never acknowledged


class Frame(NamedTuple):
    """A checked frame; `end` is the offset behind it. A frame of 0 rows marks a clean end of the log."""

    offset: int
    end: int
    rows: int
    first_event: int
    last_event: int
    payload: bytes


class EventRange(NamedTuple):
    """Event times from `since` (included) to `until` (excluded), in microseconds."""

    since: int = -(2**63)
    until: int = 2**63 - 1

    def touches(self, first: int, last: int) -> bool:
        return last >= self.since and first < self.until


ALL_TIMES = EventRange()


def encode_segment_header(header: SegmentHeader) -> bytes:
    version = FORMATS[header.kind]
    body = _SEGMENT.pack(_SEGMENT_MAGIC, version, header.kind, header.number, *header.previous, 0)
    return body[:-4] + crc32(body[:-4]).to_bytes(4, "little")


def decode_segment_header(body: bytes, segment: str) -> SegmentHeader | None:
    """Return the header, or None when the bytes are no whole header.

    Raises StoreTooNew for a segment of a later format.
    """
    if len(body) < SEGMENT_HEADER_BYTES:
        return None
    magic, version, kind, number, *extent, checksum = _SEGMENT.unpack_from(body)
    if magic != _SEGMENT_MAGIC or checksum != crc32(body[: SEGMENT_HEADER_BYTES - 4]):
        return None
    newest = FORMATS.get(kind, 0)
    if version > newest:
        raise StoreTooNew(
            f"segment `{segment}` has format {version}; this Paddock reads up to {newest}",
            hint="install a newer Paddock",
        )
    return SegmentHeader(SegmentKind(kind), number, Extent(*extent))


def encode_frame(payload: bytes, *, rows: int, first_event: int, last_event: int, offset: int) -> bytes:
    """Return a frame that is to stand at `offset` of its segment and nowhere else."""
    place = offset & _PLACE_MASK
    head = _FRAME.pack(_FRAME_MAGIC, len(payload), rows, crc32(payload), first_event, last_event, place, 0)
    return head[:-4] + crc32(head[:-4]).to_bytes(4, "little") + payload


def scan_frames(
    body: bytes, *, base: int, segment: str, is_finished: bool, wanted: EventRange = ALL_TIMES
) -> Iterator[Frame]:
    """Yield the frames of `body` in order; a frame outside `wanted` comes without its payload.

    body: bytes of the segment from offset `base` on, up to its end if `is_finished`.
    Raises IntegrityError for damage. In a segment that is not finished, a bad frame with no good frame
    behind it is a write that was cut short: the frames before it are all there is.
    """
    at = 0
    while at < len(body):
        frame = _frame_at(body, at, base, wanted)
        if frame is None:
            if is_finished or _has_frame_after(body, at, base):
                raise IntegrityError(
                    f"prediction-log segment `{segment}` is damaged at offset {base + at}",
                    hint="restore the segment from a backup",
                    segment=segment,
                    offset=base + at,
                )
            return
        yield frame
        at = frame.end - base


def _frame_at(body: bytes, at: int, base: int, wanted: EventRange) -> Frame | None:
    """Return the frame at `at`, None if there is no whole and right one."""
    start = at + FRAME_HEADER_BYTES
    if start > len(body):
        return None
    magic, length, rows, payload_sum, first, last, place, head_sum = _FRAME.unpack_from(body, at)
    end = start + length
    if magic != _FRAME_MAGIC or place != (base + at) & _PLACE_MASK or end > len(body):
        return None
    if crc32(body[at : start - 4]) != head_sum:
        return None
    if not rows or not wanted.touches(first, last):
        return Frame(base + at, base + end, rows, first, last, b"")
    payload = body[start:end]
    if crc32(payload) != payload_sum:
        return None
    return Frame(base + at, base + end, rows, first, last, payload)


def _has_frame_after(body: bytes, at: int, base: int) -> bool:
    candidate = body.find(_FRAME_MAGIC, at + 1)
    while candidate >= 0:
        if _frame_at(body, candidate, base, ALL_TIMES) is not None:
            return True
        candidate = body.find(_FRAME_MAGIC, candidate + 1)
    return False
