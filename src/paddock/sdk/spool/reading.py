"""Reading a journal on, past what was cut short or damaged."""

import os
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from paddock.sdk.spool.folder import JournalFolder
from paddock.sdk.spool.frames import find_frame, read_frames
from paddock.sdk.spool.records import Stored

_CHUNK_BYTES = 262_144
_YIELD_EVERY = 1_000  # records: a training thread that waits for the interpreter has it after a millisecond


class Chunk(NamedTuple):
    """Some records in order, and where to go on. Without records, what stands before `end` is damaged."""

    records: list[Stored]
    end: int


class JournalReader:
    """What of a journal is read and not delivered yet. tail: tells where the journal ends by now."""

    def __init__(self, folder: JournalFolder, tail: Callable[[], int]) -> None:
        self.ahead: deque[Stored] = deque()
        self.tail = tail
        self._folder = folder

    def read_from(self, offset: int, until: int = 0) -> int:
        """Read on at `offset`, or behind what is ahead, until something is, and all of it up to `until`.

        Returns where to go on: `offset`, unless nothing but damaged bytes stands there.
        """
        while not self.ahead or self.ahead[-1].end < until:
            at, tail = self.ahead[-1].end if self.ahead else offset, self.tail()
            if at >= tail:
                break
            chunk = read_chunk(self._folder, at, tail)
            self.ahead.extend(chunk.records)
            if not chunk.records:
                return offset if self.ahead else chunk.end
        return offset

    def forget(self, end: int) -> None:
        """Let go of the records before `end`."""
        while self.ahead and self.ahead[0].end <= end:
            self.ahead.popleft()


def find_tail(folder: JournalFolder) -> int:
    """Return where a journal ends that nobody writes to any more."""
    segments = folder.list_segments()
    return segments[-1] + folder.segment_path(segments[-1]).stat().st_size if segments else 0


def read_chunk(folder: JournalFolder, offset: int, tail: int) -> Chunk:
    """Return the records from `offset` on, at least one where there is one before `tail`."""
    segments = folder.list_segments()
    base = max((each for each in segments if each <= offset), default=-1)
    limit = min((each for each in segments if each > offset), default=tail)
    if base < 0:
        return Chunk([], limit)
    body = _read(folder, base, offset, min(_CHUNK_BYTES, limit - offset))
    records = _read_all(body, offset)
    if not records:  # one that is larger than that
        body = _read(folder, base, offset, limit - offset)
        records = _read_all(body, offset)
    if records:
        return Chunk(records, records[-1].end)
    found = find_frame(body, 0)
    return Chunk([], offset + found if found >= 0 else limit)


def _read(folder: JournalFolder, base: int, offset: int, most_bytes: int) -> bytes:
    descriptor = os.open(folder.segment_path(base), os.O_RDONLY)
    try:
        return os.pread(descriptor, most_bytes, offset - base)
    finally:
        os.close(descriptor)


def _read_all(body: bytes, base: int) -> list[Stored]:
    records: list[Stored] = []
    at = 0
    while some := read_frames(body[at:] if at else body, base + at, _YIELD_EVERY):
        records += some
        at = some[-1].end - base
        time.sleep(0)
    return records
