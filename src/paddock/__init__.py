"""Paddock: take a machine-learning model from a notebook to production and keep it right there.

    import paddock as pk

Names are loaded at first use, so `import paddock` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddock.models import Signature, infer_signature
    from paddock.pipelines import pipeline, step
    from paddock.sdk import (
        ActiveRun,
        Dataset,
        SpoolWarning,
        add_dataset,
        connect,
        dataset,
        disconnect,
        gate,
        promote,
        rollback,
        rollout,
        run,
        withdraw,
    )

__version__ = "0.1.0"

_HOME_OF = {
    "ActiveRun": "sdk",
    "Dataset": "sdk",
    "Signature": "models",
    "SpoolWarning": "sdk",
    "add_dataset": "sdk",
    "connect": "sdk",
    "dataset": "sdk",
    "disconnect": "sdk",
    "gate": "sdk",
    "infer_signature": "models",
    "pipeline": "pipelines",
    "promote": "sdk",
    "rollback": "sdk",
    "rollout": "sdk",
    "run": "sdk",
    "step": "pipelines",
    "withdraw": "sdk",
}

__all__ = [
    "ActiveRun",
    "Dataset",
    "Signature",
    "SpoolWarning",
    "add_dataset",
    "connect",
    "dataset",
    "disconnect",
    "gate",
    "infer_signature",
    "pipeline",
    "promote",
    "rollback",
    "rollout",
    "run",
    "step",
    "withdraw",
]


def __getattr__(name: str) -> object:
    if name in _HOME_OF:
        return getattr(import_module(f"paddock.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module `paddock` has no attribute `{name}`")
