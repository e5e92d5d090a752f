"""The reading side: Arrow tables out of a folder, from any process, also beside the live writer."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from paddock.kernel.clock import to_micros
from paddock.prediction_log.batches import LABELS, PREDICTIONS, StoredBatch, decode_batch
from paddock.prediction_log.frames import (
    ALL_TIMES,
    SEGMENT_HEADER_BYTES,
    EventRange,
    Frame,
    SegmentKind,
    scan_frames,
)
from paddock.prediction_log.labels import keep_last
from paddock.prediction_log.records import LogCursor
from paddock.prediction_log.segments import Segment, list_segments, read_segment
from paddock.prediction_log.tables import label_table, prediction_table

R = TypeVar("R")
_START = LogCursor()


def read_predictions(
    folder: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    columns: Collection[str] | None = None,
) -> pa.Table:
    """Return the logged rows in the order of the log.

    since (included), until (excluded): event times; segments and batches outside are not read.
    columns: which to return; None means FIXED_COLUMNS and every feature. Feature columns are
    double, bool or string with null for missing; one named like a fixed column is called `feature.<name>`.
    Raises IntegrityError for damage.
    """
    wanted = _range(since, until)
    batches, _ = _read(folder, SegmentKind.PREDICTIONS, PREDICTIONS, _START, wanted)
    return _within(prediction_table(batches, columns, with_event_time=True), "event_time", wanted, columns)


def read_predictions_since(folder: Path, cursor: LogCursor = _START) -> tuple[pa.Table, LogCursor]:
    """Return the rows logged after `cursor`, and the cursor for the next call."""
    batches, reached = _read(folder, SegmentKind.PREDICTIONS, PREDICTIONS, cursor, ALL_TIMES)
    return prediction_table(batches, None), reached


def read_labels(folder: Path, *, since: datetime | None = None, until: datetime | None = None) -> pa.Table:
    """Return prediction_id, label, label_event_time and label_received_at, one row for each id.

    since (included), until (excluded): event times of the labels. Of several labels of one id within
    them the one that was written last counts.
    """
    wanted = _range(since, until)
    batches, _ = _read(folder, SegmentKind.LABELS, LABELS, _START, wanted)
    return keep_last(_within(label_table(batches), "label_event_time", wanted, None))


def read_labels_since(folder: Path, cursor: LogCursor = _START) -> tuple[pa.Table, LogCursor]:
    """Return every label written after `cursor` (several of one id too), and the next cursor."""
    batches, reached = _read(folder, SegmentKind.LABELS, LABELS, cursor, ALL_TIMES)
    return label_table(batches), reached


def _read(
    folder: Path,
    kind: SegmentKind,
    decoder: "msgspec.msgpack.Decoder[StoredBatch[R]]",
    cursor: LogCursor,
    wanted: EventRange,
) -> tuple[list[StoredBatch[R]], LogCursor]:
    batches = []
    for segment in list_segments(folder, kind):
        if segment.number < cursor.segment:
            continue
        start = cursor.offset if segment.number == cursor.segment else SEGMENT_HEADER_BYTES
        reached = max(start, SEGMENT_HEADER_BYTES)
        if _may_hold(segment, wanted):
            for frame in _frames(segment, reached, wanted):
                reached = frame.end
                if frame.payload:
                    batches.append(decode_batch(decoder, frame.payload, segment.path.name, frame.offset))
        cursor = LogCursor(segment.number, reached)
    return batches, cursor


def _frames(segment: Segment, start: int, wanted: EventRange) -> Iterator[Frame]:
    return scan_frames(
        read_segment(segment, start),
        base=start,
        segment=segment.path.name,
        is_finished=segment.extent is not None,
        wanted=wanted,
    )


def _may_hold(segment: Segment, wanted: EventRange) -> bool:
    extent = segment.extent
    return extent is None or (extent.rows > 0 and wanted.touches(extent.first_event, extent.last_event))


def _range(since: datetime | None, until: datetime | None) -> EventRange:
    return EventRange(
        ALL_TIMES.since if since is None else to_micros(since),
        ALL_TIMES.until if until is None else to_micros(until),
    )


def _within(
    table: pa.Table, time_column: str, wanted: EventRange, columns: Sequence[str] | Collection[str] | None
) -> pa.Table:
    if wanted != ALL_TIMES:
        micros = table[time_column].cast(pa.int64())
        inside = pc.and_(pc.greater_equal(micros, wanted.since), pc.less(micros, wanted.until))
        table = table.filter(inside)
    if columns is not None and time_column not in columns:
        table = table.drop_columns([time_column])
    return table
