"""Objects as files of a folder on this machine. Layout: docs/formats/object-store.md."""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from blake3 import blake3

from paddock.kernel.digest import Digest, digest_chunks, parse_digest
from paddock.kernel.errors import InvalidInput, NotFound
from paddock.objects.files import TEMP_PREFIX, make_folder, read_chunks, sync_folder, write_atomically

# no upload takes a day, so an older temp file is the remains of a crash
_STALE_S = 24 * 3600


class FilesystemBackend:
    """Objects at `<root>/ab/cdef...`. Several threads and processes may use one folder at once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._prepared: set[Path] = set()
        make_folder(root)

    def read(self, digest: Digest) -> bytes:
        return b"".join(self.read_chunks(digest))

    def read_chunks(self, digest: Digest) -> Iterator[bytes]:
        path = self._path(digest)
        if not self.has(digest):
            raise NotFound(f"there is no object `{digest}`")
        yield from read_chunks(path, follow_links=False)

    def write(self, digest: Digest, body: bytes) -> None:
        self._store(digest, (body,))

    def write_file(self, digest: Digest, path: Path) -> None:
        self._store(digest, _checked(digest, path))

    def has(self, digest: Digest) -> bool:
        path = self._path(digest)
        return path.is_file() and not path.is_symlink()

    def size_bytes(self, digest: Digest) -> int:
        if not self.has(digest):
            raise NotFound(f"there is no object `{digest}`")
        return self._path(digest).stat().st_size

    def delete(self, digest: Digest) -> None:
        path = self._path(digest)
        try:
            path.unlink()
        except FileNotFoundError as error:
            raise NotFound(f"there is no object `{digest}`") from error
        sync_folder(path.parent)

    def list_digests(self) -> Iterator[Digest]:
        for shard in sorted(self._root.iterdir()):
            if shard.is_dir() and len(shard.name) == 2:
                for path in sorted(shard.iterdir()):
                    if not path.name.startswith(TEMP_PREFIX):
                        yield parse_digest(shard.name + path.name)

    def _path(self, digest: Digest) -> Path:
        # parsed again here, at the point of use: nothing but 64 hex digits ever becomes a path
        text = parse_digest(digest)
        return self._root / text[:2] / text[2:]

    def _store(self, digest: Digest, chunks: Iterable[bytes]) -> None:
        path = self._path(digest)
        self._prepare(path.parent)
        if self.has(digest) and _is_whole(digest, path):
            # it may have been named a moment ago by a process that has not flushed the name yet
            sync_folder(path.parent)
        else:
            # replacing is harmless: whoever was faster has written the same bytes
            write_atomically(path, chunks)

    def _prepare(self, shard: Path) -> None:
        """Make a shard, and clear it of the remains of crashes, once in the life of this backend."""
        with self._lock:
            if shard in self._prepared:
                return
            make_folder(shard)
            reap_temps(shard, older_than=time.time() - _STALE_S)
            self._prepared.add(shard)


def _is_whole(digest: Digest, path: Path) -> bool:
    """Tell whether a stored file still has its digest; a damaged one is written anew."""
    return digest_chunks(read_chunks(path, follow_links=False)) == digest


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


def _checked(digest: Digest, path: Path) -> Iterator[bytes]:
    """Yield the chunks of a file, then raise InvalidInput if together they are not `digest`."""
    hasher = blake3()
    for chunk in read_chunks(path, follow_links=True):
        hasher.update(chunk)
        yield chunk
    if hasher.hexdigest() != digest:
        raise InvalidInput(f"`{path}` was changed while it was being stored")
