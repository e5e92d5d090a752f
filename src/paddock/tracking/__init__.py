"""Experiments and runs: parameters, metrics, tags, artifacts, inputs, and the environment they ran in.

- A parameter is set once; a metric point is never changed; NaN and the infinities come back as they went in.
- An artifact's bytes are stored before the row that names them.
- `run.started` and `run.finished` are events of the ledger; metric points are not.
- No environment variable, no host name and no secret on the command line is captured.
"""

from paddock.tracking.environment import capture_environment, installed_packages
from paddock.tracking.records import (
    Artifact,
    EnvironmentSnapshot,
    Experiment,
    MetricPoint,
    Run,
    RunInput,
    RunPage,
    RunStatus,
)
from paddock.tracking.service import Tracking

__all__ = [
    "Artifact",
    "EnvironmentSnapshot",
    "Experiment",
    "MetricPoint",
    "Run",
    "RunInput",
    "RunPage",
    "RunStatus",
    "Tracking",
    "capture_environment",
    "installed_packages",
]
