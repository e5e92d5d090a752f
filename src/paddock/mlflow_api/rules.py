"""What MLflow takes as a name, a value, a batch or a page, and what it does with more."""

import posixpath
import re
from collections.abc import Iterable, Sequence

from paddock.kernel.errors import InvalidInput
from paddock.mlflow_api.errors import invalid_value

MAX_KEY_LETTERS = 250
MAX_PARAM_LETTERS = 6_000
MAX_TAG_LETTERS = 8_000
MAX_EXPERIMENT_TAG_LETTERS = 20_000
MAX_EXPERIMENT_NAME_LETTERS = 500
MAX_METRICS = 1_000
MAX_PAIRS = 100
MAX_ENTITIES = 1_000
MAX_RESULTS = 50_000
# 9999-12-31: what a calendar can still show
MAX_MILLIS = 253_402_300_799_999

_KEY = re.compile(r"[/\w.\- :]*")
_KEY_WORDS = (
    "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) "
    "and slashes (/)."
)


def check_key(key: str, path: str, kind: str) -> str:
    """Return `key` if it may name a metric, a param or a tag. path: where it stands in the request.

    >>> check_key("train/loss", "key", "Metric name")
    'train/loss'
    >>> check_key("a?b", "key", "Metric name")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    paddock.kernel.errors.InvalidInput: Invalid value "a?b" for parameter 'key' supplied: Names may only ...
    """
    if not _KEY.fullmatch(key):
        raise invalid_value(path, key, _KEY_WORDS)
    if not key or "/" in key or key.startswith("."):
        resolved = posixpath.normpath(key)
        if resolved != key or resolved == "." or resolved.startswith(("..", "/")):
            raise invalid_value(
                path,
                key,
                "Names may be treated as files in certain cases, and must not resolve to other names when "
                f"treated as such. This name would resolve to '{resolved}'",
            )
    return check_length(key, MAX_KEY_LETTERS, kind)


def check_length(text: str, most: int, what: str) -> str:
    """Return `text` unless it has more than `most` letters.

    >>> check_length("ab", 1, "name")
    Traceback (most recent call last):
    ...
    paddock.kernel.errors.InvalidInput: 'name' exceeds the maximum length of 1 characters
    """
    if len(text) > most:
        raise InvalidInput(f"'{what}' exceeds the maximum length of {most} characters")
    return text


def check_batch_size(metrics: int, params: int, tags: int) -> None:
    """Raise InvalidInput for more than one batch may hold.

    >>> check_batch_size(0, 101, 0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    paddock.kernel.errors.InvalidInput: A batch logging request can contain at most 100 params. Got 101 ...
    """
    total = "metrics, params, and tags"
    for what, count, most in (
        ("metrics", metrics, MAX_METRICS),
        ("params", params, MAX_PAIRS),
        ("tags", tags, MAX_PAIRS),
        (total, metrics + params + tags, MAX_ENTITIES),
    ):
        if count > most:
            raise InvalidInput(
                f"A batch logging request can contain at most {most} {what}. Got {count} {what}. Please "
                f"split up {what} across multiple requests and try again."
            )


def check_unique(keys: Sequence[str]) -> None:
    """Raise InvalidInput when a batch names a param twice.

    >>> check_unique(["depth", "rate", "depth"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    paddock.kernel.errors.InvalidInput: Duplicate parameter keys have been submitted: ['depth']. Please ...
    """
    if len(set(keys)) < len(keys):
        twice = [key for place, key in enumerate(keys) if key in keys[:place]]
        raise InvalidInput(
            f"Duplicate parameter keys have been submitted: {twice}. Please ensure the request contains only "
            "one param value per param key."
        )


def check_results(count: int, most: int = MAX_RESULTS) -> int:
    """Return `count` if a page may have so many rows.

    >>> check_results(0)
    Traceback (most recent call last):
    ...
    paddock.kernel.errors.InvalidInput: Invalid value 0 for parameter 'max_results' supplied. It must be a \
positive integer
    """
    if count < 1:
        bound = "a positive integer"
    elif count > most:
        bound = f"at most {most}"
    else:
        return count
    raise InvalidInput(f"Invalid value {count} for parameter 'max_results' supplied. It must be {bound}")


def check_experiment_id(experiment_id: str) -> str:
    """Return `experiment_id` if it is a whole number.

    >>> check_experiment_id("first")
    Traceback (most recent call last):
    ...
    paddock.kernel.errors.InvalidInput: Invalid experiment ID 'first'. Experiment ID must be a valid integer.
    """
    digits = experiment_id.removeprefix("-")
    if digits.isascii() and digits.isdecimal():
        return experiment_id
    raise InvalidInput(
        f"Invalid experiment ID '{experiment_id[:64]}'. Experiment ID must be a valid integer."
    )


def micros_of(millis: int, path: str) -> int:
    """Return a time in microseconds. path: the field that holds it in milliseconds.

    >>> micros_of(-1, "timestamp")
    Traceback (most recent call last):
    ...
    paddock.kernel.errors.InvalidInput: Invalid value -1 for parameter 'timestamp' supplied: It must be a \
nonnegative number of milliseconds before the year 10000.
    """
    if 0 <= millis <= MAX_MILLIS:
        return millis * 1000
    raise invalid_value(
        path, millis, "It must be a nonnegative number of milliseconds before the year 10000."
    )


def changed_params(run_id: str, stored: Iterable[tuple[str, str, str]]) -> InvalidInput:
    """Return the error of params that have another value already. stored: (key, old, new) of each.

    >>> changed_params("ab12", [("depth", "6", "7")]).message
    "Changing param values is not allowed. Param with key='depth' was already logged with value='6' for run \
ID='ab12'. Attempted logging new value '7'."
    """
    clashes = list(stored)
    start = "Changing param values is not allowed. Param"
    if len(clashes) == 1:
        ((key, old, new),) = clashes
        return InvalidInput(
            f"{start} with key='{key}' was already logged with value='{old}' for run ID='{run_id}'. "
            f"Attempted logging new value '{new}'."
        )
    told = [{"key": key, "old_value": old, "new_value": new} for key, old, new in clashes]
    return InvalidInput(f"{start}s were already logged='{told}' for run ID='{run_id}'.")
