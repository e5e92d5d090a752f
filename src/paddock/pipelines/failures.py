"""Why a run ended early, in words: what was raised, and where in the user's own code."""

import traceback
from collections.abc import Mapping
from pathlib import PurePath

from paddock.kernel.errors import PaddockError
from paddock.pipelines.origin import is_external_file
from paddock.pipelines.records import PipelineStatus

# what asks the whole process to end: it is recorded, and goes on
STOPS = (KeyboardInterrupt, SystemExit)


def explain_end(error: BaseException) -> tuple[PipelineStatus, str]:
    """Return how a run ended that was left by `error`, and the reason.

    >>> explain_end(KeyboardInterrupt())
    ('killed', 'interrupted')
    >>> explain_end(SystemExit(3))
    ('killed', 'its code asked the process to end: SystemExit: 3')
    >>> explain_end(KeyError("depth"))
    ('failed', "KeyError: 'depth'")
    """
    if isinstance(error, KeyboardInterrupt):
        return "killed", "interrupted"
    words = format_error(error)
    if isinstance(error, SystemExit):
        return "killed", f"its code asked the process to end: {words}"
    return "failed", words


def format_error(error: BaseException) -> str:
    """Return the class and the message of an error, as the last line of its traceback has them.

    >>> from paddock.kernel.errors import NotFound
    >>> format_error(NotFound("no dataset `flights`"))
    'NotFound: no dataset `flights`'
    """
    if isinstance(error, PaddockError):
        return f"{type(error).__name__}: {error.message}"
    return "".join(traceback.format_exception_only(error)).strip()


def find_own_place(error: BaseException) -> str:
    """Return where in the user's own code `error` came from, as `flow.py:12 in train`; may be empty.

    That is the last frame that belongs neither to an installed package nor to Paddock; the pipeline function
    itself where it belongs to one of them.
    """
    frames = [
        (frame, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not _module_of(frame.f_globals).startswith("paddock.pipelines.")
    ]
    own = [
        (frame, line)
        for frame, line in frames
        if not is_external_file(frame.f_code.co_filename)
        and not _module_of(frame.f_globals).startswith("paddock.")
    ]
    for frame, line in own[-1:] or frames[:1]:
        return f"{PurePath(frame.f_code.co_filename).name}:{line} in `{frame.f_code.co_name}`"
    return ""


def _module_of(names: Mapping[str, object]) -> str:
    return f"{names.get('__name__', '')}."
