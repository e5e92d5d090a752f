"""Content-addressed objects: bytes by their BLAKE3 digest.

- An object that was put is on disk before its digest is returned.
- What is read has the digest it was asked by, or it is an IntegrityError; that holds for a part of it, too.
- The same bytes are stored once.
- An object that was put or renewed within the grace period is never deleted.
"""

from paddock.objects.backends.filesystem import FilesystemBackend
from paddock.objects.backends.memory import MemoryBackend
from paddock.objects.ports import ObjectBackend, ObjectInfo
from paddock.objects.store import ObjectStore, open_objects

__all__ = ["FilesystemBackend", "MemoryBackend", "ObjectBackend", "ObjectInfo", "ObjectStore", "open_objects"]
