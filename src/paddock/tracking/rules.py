"""What a run may be given, and what may become of it. Values in, values out."""

import base64
import binascii
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import get_args

from paddock.kernel.clock import to_micros
from paddock.kernel.errors import Conflict, InvalidInput, LimitExceeded, NotFound
from paddock.kernel.ids import RunId
from paddock.tracking.records import DescribedInput, MetricPoint, RunStatus

MAX_KEY_CHARACTERS = 250
MAX_EXPERIMENT_CHARACTERS = 500
MAX_PARAM_CHARACTERS = 6_000
MAX_TAG_CHARACTERS = 8_000
MAX_EXPERIMENT_TAG_CHARACTERS = 20_000
MAX_PATH_BYTES = 1_024
MAX_DIGEST_CHARACTERS = 64
MAX_SOURCE_CHARACTERS = 65_535
MAX_SCHEMA_CHARACTERS = 1_048_576
MAX_PROFILE_CHARACTERS = 16_777_216
MAX_POINTS = 100_000
MAX_PAIRS = 1_000
MAX_PAGE = 1_000
OPEN_STATUSES: tuple[RunStatus, ...] = ("running", "scheduled")

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}")
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
    if current == wanted:
        return Transition(True, False, "")
    if wanted in OPEN_STATUSES and current not in OPEN_STATUSES:
        return Transition(False, False, f"is {current} and cannot run again")
    if current not in OPEN_STATUSES:
        return Transition(False, False, f"is {current} already and cannot become {wanted}")
    return Transition(True, True, "")


def newer_points(known: Mapping[str, MetricPoint], points: Iterable[MetricPoint]) -> tuple[MetricPoint, ...]:
    """Return for each key the point at the highest (step, at, value), if it is higher than the known one.

    NaN is below every number.

    >>> a, b = MetricPoint("auc", 0.7, 2, 0), MetricPoint("auc", 0.9, 1, 0)
    >>> newer_points({}, [a, b]) == (a,), newer_points({"auc": a}, [b])
    (True, ())
    """
    newest: dict[str, MetricPoint] = {}
    for point in points:
        rival = newest.get(point.key) or known.get(point.key)
        if rival is None or _rank(point) > _rank(rival):
            newest[point.key] = point
    return tuple(newest.values())


def check_points(points: Sequence[MetricPoint]) -> None:
    """Raise InvalidInput with every fault of the points, or LimitExceeded for too many."""
    _check_count("metric points", len(points), MAX_POINTS)
    problems = [problem for key in {p.key: 0 for p in points} if (problem := _key_problem("metric", key))]
    for point in points:
        if point.step not in _INT64:
            problems.append(f"metric `{point.key}` has step {point.step}, outside 64 bits")
        if point.at_micros not in _INT64:
            problems.append(f"metric `{point.key}` at step {point.step} has a time outside of 64 bits")
    _raise_all(problems)


def check_params(params: Mapping[str, str]) -> None:
    """Raise InvalidInput with every fault of the parameters, or LimitExceeded for too many."""
    _check_pairs("param", params, MAX_PARAM_CHARACTERS)


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise InvalidInput with every fault of the tags, or LimitExceeded for too many."""
    _check_pairs("tag", tags, MAX_TAG_CHARACTERS)


def check_experiment_tags(tags: Mapping[str, str]) -> None:
    """As check_tags; what is said of an experiment may be longer."""
    _check_pairs("tag", tags, MAX_EXPERIMENT_TAG_CHARACTERS)


def check_described(inputs: Sequence[DescribedInput]) -> None:
    """Raise InvalidInput with every fault of described datasets, or LimitExceeded for too many."""
    _check_count("datasets", len(inputs), MAX_PAIRS)
    problems = []
    for given in inputs:
        known = given.dataset
        for field, text, most in (
            ("name", known.name, MAX_EXPERIMENT_CHARACTERS),
            ("digest", known.digest, MAX_DIGEST_CHARACTERS),
            ("source type", known.source_type, MAX_DIGEST_CHARACTERS),
            ("source", known.source, MAX_SOURCE_CHARACTERS),
        ):
            if problem := _name_problem(text, most):
                problems.append(f"the {field} of dataset `{_short(known.name)}` {problem}")
        for field, text, most in (
            ("schema", known.schema_text, MAX_SCHEMA_CHARACTERS),
            ("profile", known.profile, MAX_PROFILE_CHARACTERS),
        ):
            if problem := _text_problem(text, most):
                problems.append(f"the {field} of dataset `{_short(known.name)}` {problem}")
    _raise_all(problems)


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


def check_experiment_name(name: str) -> str:
    """Return `name` if it may name an experiment: any text of one line, at most 500 characters.

    >>> check_experiment_name("Delays, all carriers / 2013")
    'Delays, all carriers / 2013'
    """
    problem = _name_problem(name, MAX_EXPERIMENT_CHARACTERS)
    if problem:
        raise InvalidInput(f"`{_short(name)}` cannot name an experiment: it {problem}")
    return name


def check_location(location: str) -> str:
    """Return `location` if it can say where clients keep files; it is text to the server and never opened."""
    problem = _text_problem(location, MAX_PATH_BYTES)
    if problem or _CONTROL.search(location):
        raise InvalidInput(f"an artifact location {problem or 'holds a control character'}")
    return location


def is_experiment_id(text: str) -> bool:
    """Say whether a text can be the id of an experiment.

    >>> is_experiment_id("0"), is_experiment_id("delay")
    (True, False)
    """
    return text.isascii() and text.isdecimal() and len(text) < 19


def parse_experiment_id(text: str) -> int:
    """Return the number of an experiment id, such as `0`; NotFound for what can be none.

    >>> parse_experiment_id("12")
    12
    """
    if is_experiment_id(text):
        return int(text)
    raise NotFound(f"there is no experiment with id `{_short(text)}`", hint="paddock runs list")


def parse_run_id(text: str) -> RunId:
    """Return `text` if it can be the id of a run: 1 to 256 letters, digits, `-` and `_`, not `-` first.

    >>> parse_run_id("0192f0c1aabb7ccc8dddeeeeffff0a1b")
    '0192f0c1aabb7ccc8dddeeeeffff0a1b'
    """
    if _RUN_ID.fullmatch(text):
        return RunId(text)
    raise InvalidInput(f"`{_short(text)}` is no id of a run; one is 1 to 256 letters, digits, `-` and `_`")


def check_run_name(name: str) -> str:
    """Return `name` if it may name a run: any text of one line of at most 250 characters.

    >>> check_run_name("depth 6, all carriers")
    'depth 6, all carriers'
    """
    problem = _name_problem(name, MAX_KEY_CHARACTERS)
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
        return int(micros), parse_run_id(run_id)
    except (ValueError, binascii.Error, InvalidInput) as error:
        raise InvalidInput(
            f"`{cursor[:60]!r}` is not a cursor of a list of runs", hint="start again without a cursor"
        ) from error


def check_page_limit(limit: int) -> int:
    """Return `limit` if a page may have so many runs, else raise InvalidInput."""
    if 1 <= limit <= MAX_PAGE:
        return limit
    raise InvalidInput(f"a page has 1 to {MAX_PAGE} runs, not {limit}")


def _text_problem(text: str, most: int) -> str:
    """Return what keeps `text` from being stored as it is, or an empty string.

    >>> _text_problem("a\\x00b", 10)
    'holds a NUL character'
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode text"
    if "\x00" in text:
        return "holds a NUL character"
    return f"has {len(text)} characters, more than {most}" if len(text) > most else ""


def _name_problem(text: str, most: int) -> str:
    if not text:
        return "is empty"
    if problem := _text_problem(text, most):
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
    return f"takes more than {MAX_PATH_BYTES} bytes" if len(path.encode()) > MAX_PATH_BYTES else ""


def _rank(point: MetricPoint) -> tuple[int, int, float]:
    return point.step, point.at_micros, -math.inf if math.isnan(point.value) else point.value


def _key_problem(kind: str, key: str) -> str:
    problem = _name_problem(key, MAX_KEY_CHARACTERS)
    return f"{kind} key `{_short(key)}` {problem}" if problem else ""


def _check_pairs(kind: str, pairs: Mapping[str, str], most: int) -> None:
    _check_count(f"{kind}s", len(pairs), MAX_PAIRS)
    problems = [problem for key in pairs if (problem := _key_problem(kind, key))]
    problems += [
        f"the value of {kind} `{_short(key)}` {problem}"
        for key, value in pairs.items()
        if (problem := _text_problem(value, most))
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
