"""Keeping the store: back it up while it is in use, make a store of a backup again, check that it is whole.

- A folder that is called a backup is complete and on disk; one that was cut short never gets the name.
- A backup holds every write that was acknowledged before it began.
- Nothing is restored from a backup of which one byte was changed, nor onto anything that is there.
- A check changes nothing and says each fault in words.
"""

from paddock.governance.records import (
    BackupManifest,
    BackupReport,
    Engine,
    Fault,
    Progress,
    RestoreReport,
    Stage,
    StoreCheck,
    StoredFile,
)
from paddock.governance.restoring import read_backup, restore_backup
from paddock.governance.service import Governance

__all__ = [
    "BackupManifest",
    "BackupReport",
    "Engine",
    "Fault",
    "Governance",
    "Progress",
    "RestoreReport",
    "Stage",
    "StoreCheck",
    "StoredFile",
    "read_backup",
    "restore_backup",
]
