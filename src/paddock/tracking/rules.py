"""What a run may be given, and what may become of it. Values in, values out."""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import get_args

from paddock.kernel.clock import to_micros
from paddock.kernel.errors import Conflict, InvalidInput, LimitExceeded
from paddock.kernel.ids import parse_id
from paddock.tracking.records import MetricPoint, RunStatus

MAX_KEY_BYTES = 250
MAX_PARAM_BYTES = 6_000
MAX_TAG_BYTES = 8_000
MAX_PATH_BYTES = 1_024
MAX_POINTS = 100_000
MAX_PAIRS = 1_000
MAX_PAGE = 1_000

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SECRET_WORDS = frozenset({"password", "passwd", "passphrase", "token", "secret", "apikey", "credentials"})
_SECRET_PAIRS = (("api", "key"), ("access", "key"), ("private", "key"))
_URL_PASSWORD = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+@")
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Transition:
    """Whether a run may change its status; changes is False when it already has it."""

    allowed: bool
    changes: bool
    reason: str


def check_transition(current: RunStatus, wanted: RunStatus) -> Transition:
    """Say whether a run may go from `current` to `wanted`: a run that ended stays as it ended.

    >>> check_transition("running", "finished").allowed
    True
    >>> check_transition("failed", "finished").reason
    'is failed already and cannot become finished'
    """
    if wanted not in get_args(RunStatus):
        return Transition(False, False, f"cannot become `{wanted}`; it ends finished, failed or killed")
    if wanted == "running" and current != "running":
        return Transition(False, False, f"is {current} and cannot run again")
    if current == wanted:
        return Transition(True, False, "")
    if current != "running":
        return Transition(False, False, f"is {current} already and cannot become {wanted}")
    return Transition(True, True, "")


def latest_points(points: Iterable[MetricPoint]) -> tuple[MetricPoint, ...]:
    """Return for each key the point at the highest (step, at), of equal ones the last given.

    >>> from paddock.kernel.clock import from_micros
    >>> t = from_micros(0)
    >>> [p.value for p in latest_points([MetricPoint("a", 1.0, 2, t), MetricPoint("a", 9.0, 1, t)])]
    [1.0]
    """
    newest: dict[str, MetricPoint] = {}
    for point in points:
        known = newest.get(point.key)
        if known is None or (point.step, point.at) >= (known.step, known.at):
            newest[point.key] = point
    return tuple(newest.values())


def check_points(points: Sequence[MetricPoint]) -> None:
    """Raise InvalidInput with every fault of the points, or LimitExceeded for too many."""
    _check_count("metric points", len(points), MAX_POINTS)
    problems = [problem for key in {p.key: 0 for p in points} if (problem := _key_problem("metric", key))]
    for point in points:
        if point.step not in _INT64:
            problems.append(f"metric `{point.key}` has step {point.step}, outside 64 bits")
        if point.at.tzinfo is None:
            problems.append(f"metric `{point.key}` at step {point.step} has a time without a zone")
    _raise_all(problems)


def check_params(params: Mapping[str, str]) -> None:
    """Raise InvalidInput with every fault of the parameters, or LimitExceeded for too many."""
    _check_pairs("param", params, MAX_PARAM_BYTES)


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise InvalidInput with every fault of the tags, or LimitExceeded for too many."""
    _check_pairs("tag", tags, MAX_TAG_BYTES)


def new_params(stored: Mapping[str, str], given: Mapping[str, str]) -> Mapping[str, str]:
    """Return the parameters of `given` that are not stored yet.

    A parameter is set once: the same value again is fine, another value is a Conflict.

    >>> dict(new_params({"depth": "6"}, {"depth": "6", "rate": "0.1"}))
    {'rate': '0.1'}
    """
    clashes = [
        f"param `{key}` is `{_short(stored[key])}` and cannot become `{_short(value)}`"
        for key, value in given.items()
        if key in stored and stored[key] != value
    ]
    if clashes:
        raise Conflict("; ".join(clashes), hint="start a new run", problems=tuple(clashes))
    return {key: value for key, value in given.items() if key not in stored}


def check_artifact_path(path: str) -> str:
    """Return `path` if it is relative, clean and stays inside the run, else raise InvalidInput.

    >>> check_artifact_path("plots/roc.svg")
    'plots/roc.svg'
    """
    problem = _name_problem(path, MAX_PATH_BYTES) or _path_problem(path)
    if problem:
        raise InvalidInput(f"`{_short(path)}` cannot name an artifact: it {problem}")
    return path


def check_run_name(name: str) -> str:
    """Return `name` if it may name a run: any text of one line, at most 250 bytes; else raise InvalidInput.

    >>> check_run_name("depth 6, all carriers")
    'depth 6, all carriers'
    """
    problem = _name_problem(name, MAX_KEY_BYTES)
    if problem:
        raise InvalidInput(f"`{_short(name)}` cannot name a run: it {problem}")
    return name


def redact_arguments(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return command-line arguments with the values of secrets replaced by `***`.

    A secret is the value of a flag or `name=value` whose name holds a word such as password, token,
    secret or api-key, and the password inside an address.

    >>> redact_arguments(["fit.py", "--token", "abc", "--api-key=xyz", "--max-tokens", "5"])
    ('fit.py', '--token', '***', '--api-key=***', '--max-tokens', '5')
    >>> redact_arguments(["postgresql://ann:pw@db/x"])
    ('postgresql://ann:***@db/x',)
    """
    safe: list[str] = []
    is_next_secret = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        names_secret = _names_secret(name)
        if is_next_secret:
            safe.append("***")
        elif equals and names_secret:
            safe.append(f"{name}=***")
        else:
            safe.append(_URL_PASSWORD.sub(r"\g<before>***@", argument))
        is_next_secret = not is_next_secret and names_secret and not equals and argument.startswith("-")
    return tuple(safe)


def default_run_name(experiment: str, run_id: str) -> str:
    """Return the name of a run that was given none.

    >>> default_run_name("delay", "0192f0c1aabb7ccc8dddeeeeffff0a1b")
    'delay-ff0a1b'
    """
    return f"{experiment}-{run_id[-6:]}"


def format_cursor(started_at: datetime, run_id: str) -> str:
    """Return the opaque cursor that stands behind this run in the order of `search_runs`.

    >>> from paddock.kernel.clock import from_micros
    >>> parse_cursor(format_cursor(from_micros(5), "0192f0c1aabb7ccc8dddeeeeffff0a1b"))
    (5, '0192f0c1aabb7ccc8dddeeeeffff0a1b')
    """
    text = f"r1.{to_micros(started_at)}.{run_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse_cursor(cursor: str) -> tuple[int, str]:
    """Return (started_at in microseconds, run id) of a cursor, or raise InvalidInput."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        version, micros, run_id = base64.b64decode(padded, altchars=b"-_", validate=True).decode().split(".")
        if version != "r1" or len(micros) > 20 or int(micros) not in _INT64:
            raise ValueError(version)
        return int(micros), parse_id(run_id)
    except (ValueError, binascii.Error, InvalidInput) as error:
        raise InvalidInput(
            f"`{cursor[:60]!r}` is not a cursor of a list of runs", hint="start again without a cursor"
        ) from error


def check_page_limit(limit: int) -> int:
    """Return `limit` if a page may have so many runs, else raise InvalidInput."""
    if 1 <= limit <= MAX_PAGE:
        return limit
    raise InvalidInput(f"a page has 1 to {MAX_PAGE} runs, not {limit}")


def _text_problem(text: str, most_bytes: int) -> str:
    """Return what keeps `text` from being stored as it is, or an empty string.

    >>> _text_problem("a\\x00b", 10)
    'holds a NUL character'
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode text"
    if "\x00" in text:
        return "holds a NUL character"
    return f"takes {size} bytes, more than {most_bytes}" if size > most_bytes else ""


def _name_problem(text: str, most_bytes: int) -> str:
    if not text:
        return "is empty"
    if problem := _text_problem(text, most_bytes):
        return problem
    return "holds a control character" if _CONTROL.search(text) else ""


def _path_problem(path: str) -> str:
    segments = path.split("/")
    if path.startswith("/"):
        return "is absolute"
    if "\\" in path:
        return "holds a backslash"
    if "" in segments:
        return "has an empty segment"
    if "." in segments or ".." in segments:
        return "has a segment `.` or `..`"
    return ""


def _key_problem(kind: str, key: str) -> str:
    problem = _name_problem(key, MAX_KEY_BYTES)
    return f"{kind} key `{_short(key)}` {problem}" if problem else ""


def _check_pairs(kind: str, pairs: Mapping[str, str], most_bytes: int) -> None:
    _check_count(f"{kind}s", len(pairs), MAX_PAIRS)
    problems = [problem for key in pairs if (problem := _key_problem(kind, key))]
    problems += [
        f"the value of {kind} `{_short(key)}` {problem}"
        for key, value in pairs.items()
        if (problem := _text_problem(value, most_bytes))
    ]
    _raise_all(problems)


def _check_count(what: str, count: int, most: int) -> None:
    if count > most:
        raise LimitExceeded(
            f"{count} {what} in one call, at most {most} are taken", hint="send several calls"
        )


def _raise_all(problems: Sequence[str]) -> None:
    if problems:
        raise InvalidInput("; ".join(problems[:5]), problems=tuple(problems[:100]))


def _names_secret(name: str) -> bool:
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    pairs = pairwise(words)
    return not _SECRET_WORDS.isdisjoint(words) or any(pair in _SECRET_PAIRS for pair in pairs)


def _short(text: str) -> str:
    return text[:60].encode("unicode_escape").decode() if _CONTROL.search(text[:60]) else text[:60]
