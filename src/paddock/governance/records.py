"""What a backup, a restored store, a check and a collection of a store are; values only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from paddock.kernel.digest import Digest
from paddock.tracking import Leftover

BACKUP_FORMAT = "paddock.backup"
BACKUP_FORMAT_VERSION = 1

Engine = Literal["sqlite", "postgresql"]
Stage = Literal["ledger", "rows", "objects", "logs", "files", "sync", "deleting"]
# called with the stage, how many of its parts are done, and how many there are
Progress: TypeAlias = Callable[[Stage, int, int], None]


class StoredFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size_bytes: int
    digest: Digest


class BackupManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that belongs to a backup.

    schema_version: the newest migration of the rows. head_position, head_hash: the newest event when the
    backup began; the rows hold it, and perhaps more. files: every file but the objects, by its path in
    the backup; objects: the size of each by its digest. seal: digest of the rest of the manifest.
    """

    format: str = BACKUP_FORMAT
    format_version: int = BACKUP_FORMAT_VERSION
    created_at: datetime
    paddock_version: str
    engine: Engine
    schema_version: int
    head_position: int
    head_hash: str
    files: Mapping[str, StoredFile]
    objects: Mapping[Digest, int]
    seal: str = ""

    @property
    def size_bytes(self) -> int:
        """Bytes of everything but the manifest."""
        return sum(self.objects.values()) + sum(file.size_bytes for file in self.files.values())


@dataclass(frozen=True, slots=True)
class BackupReport:
    """A complete backup. head_*: keep them elsewhere, and compare after a restore."""

    folder: Path
    created_at: datetime
    head_position: int
    head_hash: str
    object_count: int
    file_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """A store made of a backup.

    event_count: sealed events, all of them checked. notes: what could not be prepared although the
    backup is whole, because it was missing in the store that was backed up.
    """

    store: str
    created_at: datetime
    event_count: int
    head_position: int
    head_hash: str
    object_count: int
    size_bytes: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """where: what is faulty, such as `dataset flights@3`; words: how, without a period."""

    where: str
    words: str

    def __str__(self) -> str:
        return f"{self.where}: {self.words}"


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """What a check looked at, and every fault it found.

    named_count: digests that rows name; segment_count: segments of prediction logs.
    """

    event_count: int
    object_count: int
    named_count: int
    segment_count: int
    faults: tuple[Fault, ...]

    @property
    def ok(self) -> bool:
        return not self.faults


@dataclass(frozen=True, slots=True)
class FreedObject:
    digest: Digest
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GcReport:
    """What a collection found, and whether it has deleted it.

    object_count, size_bytes: all that was there. freed: what nothing refers to, without what is younger than
    the least age, which is young_count and young_bytes. leftovers: files of purged runs and uploads that have
    expired; their objects are among the freed ones when nothing else refers to them.
    """

    is_deleted: bool
    object_count: int
    size_bytes: int
    young_count: int
    young_bytes: int
    freed: tuple[FreedObject, ...]
    leftovers: tuple[Leftover, ...]

    @property
    def freed_bytes(self) -> int:
        return sum(each.size_bytes for each in self.freed)
