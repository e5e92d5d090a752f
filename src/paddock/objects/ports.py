"""What a place for objects promises; MemoryBackend and FilesystemBackend keep it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from paddock.kernel.digest import Digest


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object that is there. age_s: seconds since it was last written or renewed."""

    digest: Digest
    size_bytes: int
    age_s: float


# called with the digest and the size of what was received, before it gets its name; may raise
Check: TypeAlias = Callable[[Digest, int], None]


class ObjectBackend(Protocol):
    """Bytes by digest. Writes are all-or-nothing; a reader never sees half an object.

    A write or a renewal that returned is durable as far as the technology goes, and makes the object young.
    An object is deleted for its age only if it is still that old at the moment of deletion: whoever has
    written or renewed it a moment ago finds it there. A backend does not verify what it reads; ObjectStore
    does.
    """

    def find(self, digest: Digest) -> ObjectInfo | None:
        """Return what is known of the object, or None when there is none."""
        ...

    def read_chunks(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start` up to but not including `stop`, in order; NotFound without object."""
        ...

    def write(self, digest: Digest, body: bytes) -> None:
        """Store `body`, whose digest the caller has computed, in place of what is there."""
        ...

    def write_chunks(self, chunks: Iterable[bytes], check: Check) -> Digest:
        """Store what `chunks` yield and return its digest.

        What `chunks` or `check` raise is raised, and nothing of it stays.
        """
        ...

    def renew(self, digest: Digest) -> bool:
        """Make an object as young as one just written; False when there is none."""
        ...

    def delete(self, digest: Digest, *, min_age_s: float = 0.0) -> bool:
        """Delete an object; False when it is younger than `min_age_s`, NotFound when there is none."""
        ...

    def list_objects(self) -> Iterator[ObjectInfo]:
        """Yield what is stored, by rising digest."""
        ...

    def hold(self, *, deletes: bool) -> AbstractContextManager[None]:
        """Keep others from deleting while the block runs.

        Any number of holders at a time, and then none that deletes; or one that deletes, alone, which also
        clears the remains of crashed writes. Holding waits for the one that deletes; deleting does not wait
        and is StoreInUse while somebody holds.
        """
        ...
