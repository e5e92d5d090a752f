"""The Python client: runs, datasets and models in a few calls.

The calls are the same on a store in this process and on a server: what was named with `connect`, else
by `PADDOCK_URI` (a server), else by `PADDOCK_STORE` (a folder or a database, `./.paddock` by default).
It is opened at the first call.

- What a call has written is durable when it returns.
- Over HTTP a write carries an idempotency key and is sent again when no answer comes; it counts once.
- Errors are the same classes with the same words, wherever they were raised.
- What is called knows the port `Store` only; nothing in it asks which store it is.
"""

from paddock.sdk.ambient import connect, current_store, disconnect
from paddock.sdk.datasets import Dataset, add_dataset, dataset
from paddock.sdk.models import gate, promote, rollback
from paddock.sdk.rollouts import rollout, withdraw
from paddock.sdk.runs import ActiveRun, active_run, run

__all__ = [
    "ActiveRun",
    "Dataset",
    "active_run",
    "add_dataset",
    "connect",
    "current_store",
    "dataset",
    "disconnect",
    "gate",
    "promote",
    "rollback",
    "rollout",
    "run",
    "withdraw",
]
