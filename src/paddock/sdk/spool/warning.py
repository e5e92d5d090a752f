"""What a training process is told of its spool: as warnings, which never end it."""

import logging
import sys
import warnings

_LOG = logging.getLogger(__name__)
_OURS = ("paddock.", "contextlib", "threading")


class SpoolWarning(UserWarning):
    """What is logged does not reach its store, or not yet."""


def warn_of(message: str) -> None:
    """Warn at the line that has called Paddock; where warnings are errors, log instead."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_OURS):
        level, frame = level + 1, frame.f_back
    try:
        warnings.warn(message, SpoolWarning, stacklevel=level)
    except SpoolWarning:  # it is not the training's fault
        _LOG.warning("spool.warned", extra={"reason": message})
