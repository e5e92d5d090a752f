"""The folder of one journal: its files, and the lock that says who writes or delivers it."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakSet

import msgspec

from paddock.kernel.errors import IntegrityError, StoreTooNew
from paddock.kernel.ids import RunId, new_id
from paddock.sdk.spool.records import FORMAT, Head, Refusal

_NAME = re.compile(r"[\w-]{1,256}\.[0-9a-f]{8}", re.ASCII)
_BESIDE = "."  # the address of a store whose folder the spool is in, so that the folder can be moved
_HEAD, _LOCK, _REFUSED = "head.json", "lock", "refused.jsonl"


class JournalLock:
    """Held by whoever writes or delivers a journal. It ends with the process, however that ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        _locks.add(self)

    def release(self) -> None:
        """Let go; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@dataclass(frozen=True, slots=True)
class JournalFolder:
    """Where one process keeps what it logs to one run, until it is delivered.

    path: `RUN_ID.WRITER` in the spool; each process has a writer of its own, also a forked one.
    """

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def cursor_path(self) -> Path:
        return self.path / "cursor"

    @property
    def refused_path(self) -> Path:
        return self.path / _REFUSED

    def file_path(self, kept_as: str) -> Path:
        """Return where the bytes of an artifact are kept."""
        return self.path / "files" / kept_as

    def segment_path(self, offset: int) -> Path:
        """Return the file whose first byte stands at `offset` of the journal."""
        return self.path / f"{offset:020}.log"

    def list_segments(self) -> list[int]:
        """Return the offsets at which segments begin, ascending."""
        return sorted(int(path.stem) for path in self.path.glob("*.log") if path.stem.isdecimal())

    def write_head(self, head: Head) -> None:
        """Write the head; a folder without one is no journal."""
        if head.destination.address == self._store_around():
            head = _at(head, _BESIDE)
        partial = self.path / f"{_HEAD}.partial"
        partial.write_bytes(msgspec.json.encode(head))
        partial.rename(self.path / _HEAD)

    def read_head(self) -> Head:
        """Return the head. Raises StoreTooNew for a later format, IntegrityError for what is no head."""
        body = (self.path / _HEAD).read_bytes()
        try:
            if msgspec.json.decode(body, type=_Format).format > FORMAT:
                raise StoreTooNew(
                    f"`{self.path}` was written by a newer Paddock", hint="install a newer Paddock"
                )
            head = msgspec.json.decode(body, type=Head)
        except msgspec.DecodeError as error:
            raise IntegrityError(f"`{self.path / _HEAD}` is damaged: {error}") from error
        return _at(head, self._store_around()) if head.destination.address == _BESIDE else head

    def try_lock(self) -> JournalLock | None:
        """Return the lock, None while another process has it or when the journal is gone."""
        try:
            descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        lock = JournalLock(descriptor)
        if (self.path / _HEAD).exists():
            return lock
        lock.release()  # whoever had it before has delivered and removed everything
        return None

    def add_refusal(self, refusal: Refusal) -> None:
        """Keep what the store would not take."""
        with self.refused_path.open("ab") as file:
            file.write(msgspec.json.encode(refusal) + b"\n")

    def list_refusals(self) -> tuple[Refusal, ...]:
        """Return what the store would not take, each once, oldest first."""
        if not self.refused_path.exists():
            return ()
        lines = self.refused_path.read_bytes().splitlines()
        try:
            found = [msgspec.json.decode(line, type=Refusal) for line in lines]
        except msgspec.DecodeError as error:
            raise IntegrityError(f"`{self.refused_path}` is damaged: {error}") from error
        return tuple({refusal.key: refusal for refusal in found}.values())

    def keep_refusals(self, refusals: Sequence[Refusal]) -> None:
        """Keep these refusals and no others."""
        self.refused_path.unlink(missing_ok=True)
        for refusal in refusals:
            self.add_refusal(refusal)

    def remove(self) -> None:
        """Remove what is delivered: all, with the head first, or all but what the store would not take."""
        if self.refused_path.exists():
            for offset in self.list_segments():
                self.segment_path(offset).unlink(missing_ok=True)
            return
        (self.path / _HEAD).unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)

    def _store_around(self) -> str:
        return str(self.path.resolve().parent.parent)


class _Format(msgspec.Struct):
    format: int


def create_folder(spool: Path, run_id: RunId) -> tuple[JournalFolder, JournalLock]:
    """Make the folder of a new journal of `run_id`, locked. Raises OSError where nothing can be written."""
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = spool / f"{run_id}.{new_id()[-8:]}"
    path.mkdir(mode=0o700)
    descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return JournalFolder(path), JournalLock(descriptor)


def list_folders(spool: Path, run_id: str = "") -> Iterator[JournalFolder]:
    """Yield the journals in `spool`, those of one run or all, by name."""
    for path in sorted(spool.iterdir()) if spool.is_dir() else ():
        is_wanted = not run_id or path.name.rpartition(".")[0] == run_id
        if is_wanted and _NAME.fullmatch(path.name) and (path / _HEAD).exists():
            yield JournalFolder(path)


def _at(head: Head, address: str) -> Head:
    moved = msgspec.structs.replace(head.destination, address=address)
    return msgspec.structs.replace(head, destination=moved)


def _leave_parent() -> None:
    """In a forked child: the locks are the parent's, which a copy of their descriptors would keep up."""
    for lock in list(_locks):
        lock.release()


_locks: WeakSet[JournalLock] = WeakSet()
os.register_at_fork(after_in_child=_leave_parent)
