"""Appending to the files of one journal."""

import ctypes
import errno
import os

from paddock.sdk.spool.folder import JournalFolder

SEGMENT_BYTES = 4_194_304
_CLOSED = -1

# write(2) without giving the interpreter away, as os.write does. A thread that waits for it is woken by every
# release and finds it taken again a microsecond later: 15 us lost for each record, and the waiting thread,
# the sender above all, hardly ever gets a turn.
_write = ctypes.PyDLL(None, use_errno=True).write
_write.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
_write.restype = ctypes.c_ssize_t


class SegmentWriter:
    """Appends frames with one write(2) each, in segments that are removed one by one; for one thread.

    end: where the last whole frame ends, counted from the first byte of the journal.
    """

    def __init__(self, folder: JournalFolder) -> None:
        self.folder = folder
        self.end = 0
        self._file = _CLOSED
        self._full_at = 0

    def append(self, frame: bytes) -> None:
        """Write `frame`; on return the kernel has it. After an OSError nothing of it is in the journal."""
        if self.end >= self._full_at:
            self._start_segment()
        size = len(frame)
        try:
            if _write(self._file, frame, size) < size:
                code = ctypes.get_errno() or errno.ENOSPC
                raise OSError(code, os.strerror(code))
            self.end += size
        except BaseException:  # a Ctrl-C may come between the two
            self._take_back()
            raise

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
        self._file = _CLOSED
        self._full_at = self.end

    def _start_segment(self) -> None:
        self.close()
        # without O_EXCL: what could not be taken back may have begun a segment here
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC
        self._file = os.open(self.folder.segment_path(self.end), flags, 0o600)
        self._full_at = self.end + SEGMENT_BYTES

    def _take_back(self) -> None:
        """Cut off what does not count; where that fails, another segment begins where what counts ends."""
        try:
            os.ftruncate(self._file, self.end - (self._full_at - SEGMENT_BYTES))
        except OSError:
            self.close()
