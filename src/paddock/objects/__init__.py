"""Content-addressed objects: bytes by their BLAKE3 digest.

- An object that was put is on disk before its digest is returned.
- What is read has the digest it was asked by, or it is an IntegrityError.
- The same bytes are stored once.
"""

from paddock.objects.backends.filesystem import FilesystemBackend
from paddock.objects.backends.memory import MemoryBackend
from paddock.objects.ports import ObjectBackend
from paddock.objects.store import ObjectStore, open_objects

__all__ = ["FilesystemBackend", "MemoryBackend", "ObjectBackend", "ObjectStore", "open_objects"]
