"""The SQL store of rows and events, on SQLite or PostgreSQL.

- A write that returned is on disk, and ran as if alone.
- Events are appended in the transaction of the rows they tell of. They are never changed or deleted;
  position and hash chain make it visible when somebody does so behind the store's back.
- The schema grows by numbered migrations only; a store written by a newer Paddock is refused.
- SQL is portable and lives in each room's `sql.py` and in `migrations/`.
"""

from paddock.metadata.opening import check_writable, open_metadata, restore_metadata
from paddock.metadata.ports import Metadata, Reader, Transaction
from paddock.metadata.records import Event, Json, LedgerVerdict, NewEvent, Once, Row, SqlValue, StoreLoad
from paddock.metadata.requests import once_for
from paddock.metadata.sql import list_projects

__all__ = [
    "Event",
    "Json",
    "LedgerVerdict",
    "Metadata",
    "NewEvent",
    "Once",
    "Reader",
    "Row",
    "SqlValue",
    "StoreLoad",
    "Transaction",
    "check_writable",
    "list_projects",
    "once_for",
    "open_metadata",
    "restore_metadata",
]
