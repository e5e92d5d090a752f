"""Prediction logs: a consistent prefix of one that is being written, and whether one can be read.

Segments are gone through one after the other, so that memory holds one of them.
"""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pyarrow as pa

from paddock.governance.files import read_prefix, write_new
from paddock.kernel.errors import IntegrityError, StoreTooNew
from paddock.prediction_log import LogCursor, read_labels_since, read_predictions_since

_Read = Callable[[Path, LogCursor], tuple[pa.Table, LogCursor]]
_KINDS: tuple[tuple[str, _Read], ...] = (
    ("predictions", read_predictions_since),
    ("labels", read_labels_since),
)


class LogVerdict(NamedTuple):
    """words: what is wrong, empty when all of it can be read."""

    segment_count: int
    words: str


def copy_log(source: Path, target: Path) -> tuple[Path, ...]:
    """Copy the segments in `source` into the new folder `target`, cutting a torn tail; return the copies.

    A writer may go on: every row acknowledged before the call is in the copy. Raises IntegrityError
    for damage.
    """

    def copy(segment: Path) -> Path:
        placed = target / segment.name
        write_new(placed, read_prefix(segment))
        return placed

    copies: list[Path] = []
    for kind, read in _KINDS:
        placed, torn_at = _go_through(list_segments(source, kind), copy, read)
        if torn_at:
            os.truncate(placed[-1], torn_at)
        copies += placed
    return tuple(copies)


def check_log(folder: Path) -> LogVerdict:
    """Read every frame of a log, beside its writer if there is one; damage is an answer, not an error."""
    count = 0
    for kind, read in _KINDS:
        segments = list_segments(folder, kind)
        count += len(segments)
        try:
            _go_through(segments, lambda segment: segment, read)
        except (IntegrityError, StoreTooNew) as error:
            return LogVerdict(count, error.message)
    return LogVerdict(count, "")


def list_segments(folder: Path, kind: str) -> tuple[Path, ...]:
    """Return the files of one kind, oldest first."""
    return tuple(sorted(path for path in folder.glob(f"{kind}-*.log") if not path.is_symlink()))


def _go_through(
    segments: tuple[Path, ...], place: Callable[[Path], Path], read: _Read
) -> tuple[list[Path], int]:
    """Place one segment after the other and read it there.

    The segments were listed before: one that starts later tells where the last of these ends, which the
    copy of it may not reach. Returns the placed files, and where the whole frames of the last one end (0 when
    its creation was cut short: a reader passes over it).
    """
    placed: list[Path] = []
    cursor, torn_at = LogCursor(), 0
    with TemporaryDirectory(prefix="paddock-log-") as folder:
        window: list[Path] = []
        for segment in segments:
            placed.append(place(segment))
            window.append(Path(folder, segment.name))
            window[-1].symlink_to(placed[-1].resolve())
            if len(window) > 2:  # a segment is judged by itself and by the header of the next one
                window.pop(0).unlink()
            before = cursor
            _, cursor = read(Path(folder), before)
            torn_at = cursor.offset if cursor.segment > before.segment else 0
    return placed, torn_at
