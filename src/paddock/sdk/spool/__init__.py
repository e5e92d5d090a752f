"""What a training process logs, on its way to the store: a journal on the local disk for each run.

- `Journal.append` costs microseconds and waits for nothing; what it has returned for outlives the process.
- A journal is delivered in order, by the one process that holds its lock. Each batch has a key made of the
  journal and its place in it, so that a repeat counts once.
- What the store cannot take now waits, as long as it takes; what it refuses is kept apart, with the reason.
- A disk that is full, or a run at the limit of the spool, drops and counts; none of it reaches the training.
"""

from paddock.sdk.spool.delivery import Delivery
from paddock.sdk.spool.journal import DROPPED_TAG, Journal, Place
from paddock.sdk.spool.records import End, File, Head, Input, Params, Points, Record, Refusal, Tags
from paddock.sdk.spool.sender import process_sender
from paddock.sdk.spool.syncing import SyncedJournal, SyncReport, sync_spool
from paddock.sdk.spool.warning import SpoolWarning, warn_of

__all__ = [
    "DROPPED_TAG",
    "Delivery",
    "End",
    "File",
    "Head",
    "Input",
    "Journal",
    "Params",
    "Place",
    "Points",
    "Record",
    "Refusal",
    "SpoolWarning",
    "SyncReport",
    "SyncedJournal",
    "Tags",
    "process_sender",
    "sync_spool",
    "warn_of",
]
