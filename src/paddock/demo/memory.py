"""How much memory the demo takes, all its processes together, and giving back what is not in use."""

import ctypes
import os
import threading
from pathlib import Path
from types import TracebackType

import pyarrow as pa

_EVERY_S = 0.5
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Return freed memory to the system.

    Each step of a pipeline runs in a thread of its own, and glibc keeps what each thread has freed: after a
    year of retraining that was 0.7 GB. Elsewhere than on glibc this does nothing.
    """
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class MemoryWatch:
    """Samples the resident memory of this process and all below it; shared pages count in each."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="demo-memory", daemon=True)

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            used = sum(_resident_bytes(pid) for pid in _family(os.getpid()))
            self.peak_mb = max(self.peak_mb, used / 1e6)
            if self._ended.wait(_EVERY_S):
                return


def _family(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    family, added = {root}, {root}
    while added:
        added = {pid for pid, parent in parents.items() if parent in added} - family
        family |= added
    return sorted(family)


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (FileNotFoundError, ProcessLookupError):
        return 0
