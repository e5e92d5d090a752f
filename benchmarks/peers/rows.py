"""The runs that both stores are filled with: the same ids, names and values, whoever asks.

Standard library only: this is read in the other tool's environment too.
"""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

SEARCHED, TARGETS = "bench-search", "bench-targets"
SEARCHED_ID, TARGETS_ID = 1, 2  # the first two experiments that a store is given
TARGET_COUNT = 40
STARTED_MS = 1_735_689_600_000  # 2025-01-01
POINT_KEY = "loss"
OPTIMIZERS = ("adam", "lion", "rmsprop", "sgd")
STAGES = ("draft", "ready", "review")


class FilledRun(NamedTuple):
    """A finished run with 10 metrics, 10 params and 5 tags, as clients log them."""

    run_id: str
    name: str
    started_ms: int
    ended_ms: int
    metrics: tuple[tuple[str, float], ...]
    params: tuple[tuple[str, str], ...]
    tags: tuple[tuple[str, str], ...]


def filled_runs(first: int, end: int) -> Iterator[FilledRun]:
    """Yield the runs of the searched experiment of these numbers, each a minute after the one before."""
    for number in range(first, end):
        yield _filled(number)


def target_ids() -> list[str]:
    """Return the ids of the runs that are written to; they hold nothing but their tags at the start."""
    return [_id(f"target-{number}") for number in range(TARGET_COUNT)]


def history_id() -> str:
    """Return the id of the run with the long history, one of the experiment of the targets."""
    return _id("history")


def target_names() -> list[tuple[str, str]]:
    """Return id and name of every run beside the searched ones."""
    return [(run_id, f"target-{place}") for place, run_id in enumerate([*target_ids(), history_id()])]


def history(count: int) -> Iterator[tuple[int, int, float]]:
    """Yield step, milliseconds and value of each point of the long history: a noisy curve that falls."""
    random = Random(5)  # noqa: S311 - no secret
    for step in range(count):
        yield step, STARTED_MS + 100 * step, count / (count + 9 * step) + 0.1 * random.random()


def run_tags(name: str, stage: str) -> tuple[tuple[str, str], ...]:
    return (
        ("mlflow.runName", name),
        ("mlflow.source.name", "train.py"),
        ("mlflow.source.type", "LOCAL"),
        ("mlflow.user", "bench"),
        ("stage", stage),
    )


def _id(name: str) -> str:
    return f"{Random(name).getrandbits(128):032x}"  # noqa: S311 - no secret


def _filled(number: int) -> FilledRun:
    random = Random(number)  # noqa: S311 - no secret
    run_id, name = f"{random.getrandbits(128):032x}", f"run-{number}"
    started = STARTED_MS + 60_000 * number
    numbers = tuple((f"param_{place}", f"{random.random():.6f}") for place in range(1, 10))
    return FilledRun(
        run_id,
        name,
        started,
        started + 55_000,
        tuple((f"metric_{place}", random.random()) for place in range(10)),
        (("optimizer", random.choice(OPTIMIZERS)), *numbers),
        run_tags(name, random.choice(STAGES)),
    )
