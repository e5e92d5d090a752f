"""Keeping the store: back it up while it is in use, restore it, check it, free what nobody needs.

- A folder that is called a backup is complete and on disk; one that was cut short never gets the name.
- A backup holds every write that was acknowledged before it began.
- Nothing is restored from a backup of which one byte was changed, nor onto anything that is there.
- A check changes nothing and says each fault in words.
- Nothing is deleted that a row refers to, nor what may be referred to in a moment.
"""

from paddock.governance.records import (
    BackupManifest,
    BackupReport,
    Engine,
    Fault,
    FreedObject,
    GcReport,
    Progress,
    RestoreReport,
    Stage,
    StoreCheck,
    StoredFile,
)
from paddock.governance.restoring import read_backup, restore_backup
from paddock.governance.rules import ignore_progress
from paddock.governance.service import Governance

__all__ = [
    "BackupManifest",
    "BackupReport",
    "Engine",
    "Fault",
    "FreedObject",
    "GcReport",
    "Governance",
    "Progress",
    "RestoreReport",
    "Stage",
    "StoreCheck",
    "StoredFile",
    "ignore_progress",
    "read_backup",
    "restore_backup",
]
