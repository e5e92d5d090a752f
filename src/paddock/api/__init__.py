"""The HTTP API under `/api/v1`: the nouns and verbs of the Python package and the command line.

A handler reads the request, calls one service in the caller's name and describes the result; it
decides nothing. Every POST takes an Idempotency-Key, every list a limit of at most 1,000 and a cursor.
"""

from paddock.api.routes import routes
from paddock.api.views import (
    view,
    view_dataset,
    view_dataset_version,
    view_endpoint,
    view_event,
    view_gate_report,
    view_monitor,
    view_revision,
    view_run,
    view_verdict,
    view_window,
)

__all__ = [
    "routes",
    "view",
    "view_dataset",
    "view_dataset_version",
    "view_endpoint",
    "view_event",
    "view_gate_report",
    "view_monitor",
    "view_revision",
    "view_run",
    "view_verdict",
    "view_window",
]
