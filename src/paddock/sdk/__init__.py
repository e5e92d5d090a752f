"""The Python client: runs, datasets and models in a few calls.

The calls are the same on a store in this process and on a server: what was named with `connect`, else
by `PADDOCK_URI` (a server), else by `PADDOCK_STORE` (a folder or a database, `./.paddock` by default).
It is opened at the first call.

- What a call has written is durable when it returns. What is logged to a run outlives the process then; the
  store has it at `flush`, and at the end of the run's block. See `paddock.sdk.spool`.
- Over HTTP a write carries an idempotency key and is sent again when no answer comes; it counts once.
- Errors are the same classes with the same words, wherever they were raised.
- What is called knows the port `Store` only; nothing in it asks which store it is.
"""

from paddock.sdk.active import ActiveRun, active_run
from paddock.sdk.ambient import connect, current_store, disconnect
from paddock.sdk.datasets import Dataset, add_dataset, dataset
from paddock.sdk.delivering import deliver_spool
from paddock.sdk.models import gate, promote, rollback
from paddock.sdk.rollouts import rollout, withdraw
from paddock.sdk.runs import run
from paddock.sdk.spool import SpoolWarning, SyncReport

__all__ = [
    "ActiveRun",
    "Dataset",
    "SpoolWarning",
    "SyncReport",
    "active_run",
    "add_dataset",
    "connect",
    "current_store",
    "dataset",
    "deliver_spool",
    "disconnect",
    "gate",
    "promote",
    "rollback",
    "rollout",
    "run",
    "withdraw",
]
