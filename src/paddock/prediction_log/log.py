"""The writing side: predictions and labels of one endpoint, appended from one event loop."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from paddock.prediction_log.answers import AnswerIndex
from paddock.prediction_log.batches import (
    ANSWERS,
    StoredAnswers,
    decode_batch,
    encode_batch,
    encode_labels,
    encode_prediction,
)
from paddock.prediction_log.commit import CommitCounts, GroupCommit
from paddock.prediction_log.frames import SEGMENT_HEADER_BYTES, SegmentKind, scan_frames
from paddock.prediction_log.records import LabelRecord, LoggedAnswer, PredictionRecord
from paddock.prediction_log.segments import SegmentWriter, list_segments, read_segment

LogMode = Literal["wal", "bounded"]
LogStats = CommitCounts


@dataclass(frozen=True, slots=True)
class LogOptions:
    """mode: `wal` syncs before `append` returns, `bounded` after it; sync: replaced by fault tests."""

    mode: LogMode = "wal"
    segment_bytes: int = 16_777_216
    idempotency_keys: int = 262_144
    queue_rows: int = 100_000
    sync: Callable[[int], None] = os.fdatasync


class PredictionLog:
    """The log of one folder, open for writing; the folder has no other writer while it is open."""

    def __init__(self, folder: Path, options: LogOptions) -> None:
        self.mode: LogMode = options.mode
        writer = SegmentWriter(
            folder, SegmentKind.PREDICTIONS, segment_bytes=options.segment_bytes, sync=options.sync
        )
        self.answers = _load_answers(folder, options.idempotency_keys)
        self._commit = GroupCommit(writer, queue_rows=options.queue_rows, name="prediction-log")

    async def append(self, record: PredictionRecord) -> None:
        """Log one request. In mode `wal` it is on disk on return, in mode `bounded` it is queued.

        Mode `wal` raises StorageFull, QueueFull or Unavailable: the record will not be read from the log
        and must not be answered. Mode `bounded` raises nothing and counts the rows that were lost.
        """
        encoded = encode_prediction(record)
        if self.mode == "wal":
            await self._commit.append(encoded)
        else:
            self._commit.offer(encoded)

    def stats(self) -> LogStats:
        return self._commit.counts

    def close(self) -> None:
        """Write what waits and mark a clean end. Blocks for a sync or two."""
        self._commit.close()


class LabelLog:
    """The labels of one folder, open for writing; always synced before `append` returns."""

    def __init__(self, folder: Path, options: LogOptions) -> None:
        writer = SegmentWriter(
            folder, SegmentKind.LABELS, segment_bytes=options.segment_bytes, sync=options.sync
        )
        self._commit = GroupCommit(writer, queue_rows=options.queue_rows, name="label-log")

    async def append(self, record: LabelRecord) -> None:
        """Log labels, at least one; on disk on return. Raises as `PredictionLog.append` in mode `wal`."""
        await self._commit.append(encode_labels(record))

    def stats(self) -> LogStats:
        return self._commit.counts

    def close(self) -> None:
        self._commit.close()


def open_log(folder: Path, options: LogOptions | None = None) -> PredictionLog:
    """Open the prediction log of `folder` for writing, cutting a torn tail; the folder may be new.

    Raises StoreInUse naming the process that writes here, IntegrityError for damage in the middle.
    """
    return PredictionLog(folder, options or LogOptions())


def open_label_log(folder: Path, options: LogOptions | None = None) -> LabelLog:
    """Open the label log of `folder`, as `open_log`; the two have writers of their own."""
    return LabelLog(folder, options or LogOptions())


def append_labels(folder: Path, record: LabelRecord) -> None:
    """Log labels where no gateway runs; on disk on return. Raises StoreInUse when one does."""
    writer = SegmentWriter(folder, SegmentKind.LABELS, segment_bytes=LogOptions().segment_bytes)
    try:
        writer.append(encode_batch([encode_labels(record)]))
    finally:
        writer.close()


def _load_answers(folder: Path, capacity: int) -> AnswerIndex:
    """Read back the newest `capacity` keys, from the last segment towards the first."""
    found: list[list[StoredAnswers]] = []
    count = 0
    for segment in reversed(list_segments(folder, SegmentKind.PREDICTIONS)):
        records: list[StoredAnswers] = []
        name = segment.path.name
        frames = scan_frames(
            read_segment(segment),
            base=SEGMENT_HEADER_BYTES,
            segment=name,
            is_finished=segment.extent is not None,
        )
        for frame in frames:
            if frame.payload:
                records.extend(decode_batch(ANSWERS, frame.payload, name, frame.offset).records)
        found.append(records)
        count += sum(len(record.keys) for record in records)
        if count >= capacity:
            break
    index = AnswerIndex(capacity)
    for record in (record for records in reversed(found) for record in records):
        for key, answer in _answers_of(record):
            index.remember(key, answer)
    return index


def _answers_of(record: StoredAnswers) -> Iterator[tuple[str, LoggedAnswer]]:
    versions = memoryview(record.versions).cast("I")
    predictions = memoryview(record.predictions).cast("d")
    for row, key in enumerate(record.keys):
        if key:
            yield (
                key,
                LoggedAnswer(
                    record.prediction_ids[16 * row : 16 * row + 16],
                    record.digests[8 * row : 8 * row + 8],
                    versions[row],
                    predictions[row],
                ),
            )
