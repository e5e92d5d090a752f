"""Logged models: what a run has made and kept, with parameters, tags and what was measured of it.

- A model is pending until it is finalized as ready or failed; its files lie under `artifact_uri`.
- A parameter is set once. A point that is there already is that one.
- A deleted model is found by nobody who does not ask for deleted ones.
"""

from paddock.tracking.logged_models.points import add_model_points
from paddock.tracking.logged_models.records import (
    LoggedModel,
    LoggedModelPage,
    LoggedModelQuery,
    LoggedModelStatus,
    MeasuredOn,
    ModelMetric,
    ModelOrder,
)
from paddock.tracking.logged_models.service import LoggedModels

__all__ = [
    "LoggedModel",
    "LoggedModelPage",
    "LoggedModelQuery",
    "LoggedModelStatus",
    "LoggedModels",
    "MeasuredOn",
    "ModelMetric",
    "ModelOrder",
    "add_model_points",
]
