"""Objects as files of a folder on this machine. Layout: docs/formats/object-store.md."""

import os
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from blake3 import blake3

from paddock.kernel.digest import Digest, parse_digest
from paddock.kernel.errors import NotFound, StoreInUse
from paddock.objects.files import (
    TEMP_PREFIX,
    lock_file,
    make_folder,
    name_full_disk,
    read_chunks,
    reserve_temp,
    sync_folder,
    write_temp,
)
from paddock.objects.ports import Check, ObjectInfo

# no upload takes a day, so an older temp file is the remains of a crash
_STALE_S = 24 * 3600
_NAME_LOCK = ".names.lock"
_HOLD_LOCK = ".hold.lock"


class FilesystemBackend:
    """Objects at `<root>/ab/cdef...`. Several threads and processes may use one folder at once.

    Names are given and renewed under a shared lock and taken away under the exclusive one, each time for
    microseconds. So nobody deletes between the look at an object's age and its end.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._prepared: set[Path] = set()
        make_folder(root)

    def find(self, digest: Digest) -> ObjectInfo | None:
        path = self._path(digest)
        try:
            status = path.lstat()
        except FileNotFoundError:
            return None
        return _describe(digest, status) if stat.S_ISREG(status.st_mode) else None

    def read_chunks(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        if self.find(digest) is None:
            raise _absent(digest)
        yield from read_chunks(self._path(digest), follow_links=False, start=start, stop=stop)

    def write(self, digest: Digest, body: bytes) -> None:
        with name_full_disk(self._root), self._reserve_temp() as temp:
            write_temp(temp, (body,))
            self._name(temp, digest)

    def write_chunks(self, chunks: Iterable[bytes], check: Check) -> Digest:
        with name_full_disk(self._root), self._reserve_temp() as temp:
            hasher, size = blake3(), 0

            def seen() -> Iterator[bytes]:
                nonlocal size
                for chunk in chunks:
                    hasher.update(chunk)
                    size += len(chunk)
                    yield chunk

            write_temp(temp, seen())
            digest = Digest(hasher.hexdigest())
            check(digest, size)
            self._name(temp, digest)
            return digest

    def renew(self, digest: Digest) -> bool:
        with self._moment(exclusive=False):
            if self.find(digest) is None:
                return False
            os.utime(self._path(digest), follow_symlinks=False)
        # it may have been named a moment ago by a process that has not flushed the name yet
        sync_folder(self._path(digest).parent)
        return True

    def delete(self, digest: Digest, *, min_age_s: float = 0.0) -> bool:
        with self._moment(exclusive=True):
            found = self.find(digest)
            if found is None:
                raise _absent(digest)
            if found.age_s < min_age_s:
                return False
            self._path(digest).unlink()  # not flushed: after a power loss it would be there again, unharmed
        return True

    def list_objects(self) -> Iterator[ObjectInfo]:
        for shard in sorted(self._root.iterdir()):
            if shard.is_dir() and len(shard.name) == 2:
                yield from _list_shard(shard)

    @contextmanager
    def hold(self, *, deletes: bool) -> Iterator[None]:
        try:
            with lock_file(self._root / _HOLD_LOCK, exclusive=deletes, waits=not deletes):
                if deletes:
                    self._reap_all()
                yield
        except BlockingIOError as error:
            raise StoreInUse(
                f"`{self._root}` is being backed up or cleaned up by another process",
                hint="wait for it to end",
            ) from error

    def _path(self, digest: Digest) -> Path:
        # parsed again here, at the point of use: nothing but 64 hex digits ever becomes a path
        text = parse_digest(digest)
        return self._root / text[:2] / text[2:]

    @contextmanager
    def _reserve_temp(self) -> Iterator[Path]:
        self._prepare(self._root)
        with reserve_temp(self._root) as temp:
            yield temp

    def _name(self, temp: Path, digest: Digest) -> None:
        """Give a written file its name; replacing is harmless, since the bytes are the same."""
        path = self._path(digest)
        self._prepare(path.parent)
        with self._moment(exclusive=False):
            temp.rename(path)
        sync_folder(path.parent)

    @contextmanager
    def _moment(self, *, exclusive: bool) -> Iterator[None]:
        with lock_file(self._root / _NAME_LOCK, exclusive=exclusive):
            yield

    def _prepare(self, folder: Path) -> None:
        """Make a folder, and clear it of the remains of crashes, once in the life of this backend."""
        with self._lock:
            if folder in self._prepared:
                return
            make_folder(folder)
            reap_temps(folder, older_than=time.time() - _STALE_S)
            self._prepared.add(folder)

    def _reap_all(self) -> None:
        for folder, _, _ in os.walk(self._root):
            reap_temps(Path(folder), older_than=time.time() - _STALE_S)


def reap_temps(folder: Path, *, older_than: float) -> int:
    """Delete temp files last written before `older_than` (seconds since 1970); return how many."""
    reaped = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(TEMP_PREFIX):
                continue
            try:
                if entry.stat(follow_symlinks=False).st_mtime < older_than:
                    Path(entry.path).unlink()
                    reaped += 1
            except FileNotFoundError:
                continue  # its writer has just finished, or somebody else has reaped it
    return reaped


def _list_shard(shard: Path) -> Iterator[ObjectInfo]:
    with os.scandir(shard) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        if entry.name.startswith(TEMP_PREFIX):
            continue
        try:
            yield _describe(parse_digest(shard.name + entry.name), entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            continue  # deleted since the folder was read


def _describe(digest: Digest, status: os.stat_result) -> ObjectInfo:
    # a clock that was set back makes an object young, which keeps it
    return ObjectInfo(digest, status.st_size, max(time.time() - status.st_mtime, 0.0))


def _absent(digest: Digest) -> NotFound:
    return NotFound(f"there is no object `{digest}`")
