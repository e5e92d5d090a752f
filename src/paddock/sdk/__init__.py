"""The Python client: runs, datasets and models in a few calls.

The store is the one that was opened with `connect`, or the embedded one that settings name
(`./.paddock` unless `PADDOCK_STORE` says otherwise), opened at the first call.
"""

from paddock.sdk.ambient import connect, current_app, disconnect
from paddock.sdk.datasets import Dataset, add_dataset, dataset
from paddock.sdk.models import promote, rollback
from paddock.sdk.runs import ActiveRun, run

__all__ = [
    "ActiveRun",
    "Dataset",
    "add_dataset",
    "connect",
    "current_app",
    "dataset",
    "disconnect",
    "promote",
    "rollback",
    "run",
]
