"""The file that says how far a journal has been delivered, written in place: a full disk does not stop it."""

import logging
import os
from pathlib import Path
from struct import Struct
from zlib import crc32

from paddock.sdk.spool.records import Progress

_LOG = logging.getLogger(__name__)
_SLOT = Struct("<QQQ??2xI")
_SLOTS = 2


class Cursor:
    """Two slots, written in turn: when one is torn, the other holds what was known before.

    An older position costs nothing but time: what is sent again has the same key, or is known by what it is.
    So a position is saved together with the next batch that is sent, and when there is none.
    """

    def __init__(self, path: Path) -> None:
        """progress: assign to it what is to be saved next."""
        self._path = path
        self._generation, self.progress = _read(path)
        self._saved = self.progress
        self._file = _open(path)

    def save(self) -> None:
        """Write the progress down; that it cannot be is no reason to stop."""
        if self.progress == self._saved:
            return
        self._generation += 1
        body = _encode(self._generation, self.progress)
        try:
            os.pwrite(self._file, body, self._generation % _SLOTS * _SLOT.size)
        except OSError as error:
            _LOG.warning("spool.cursor_not_written", extra={"path": str(self._path), "errno": error.errno})
        self._saved = self.progress

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _open(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(descriptor).st_size < _SLOTS * _SLOT.size:
            os.pwrite(descriptor, bytes(_SLOTS * _SLOT.size), 0)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _read(path: Path) -> tuple[int, Progress]:
    try:
        body = path.read_bytes()
    except FileNotFoundError:
        return 0, Progress()
    found = [_decode(body[at : at + _SLOT.size]) for at in range(0, _SLOTS * _SLOT.size, _SLOT.size)]
    return max((slot for slot in found if slot), default=(0, Progress()))


def _encode(generation: int, progress: Progress) -> bytes:
    body = _SLOT.pack(generation, *progress, 0)
    return body[:-4] + crc32(body[:-4]).to_bytes(4, "little")


def _decode(slot: bytes) -> tuple[int, Progress] | None:
    if len(slot) < _SLOT.size or crc32(slot[:-4]) != int.from_bytes(slot[-4:], "little"):
        return None
    generation, *progress, _ = _SLOT.unpack(slot)
    return (generation, Progress(*progress)) if generation else None
