"""One store for each engine, filled once: searches change nothing."""

import random
from collections.abc import Iterator

import pytest
from search_kit import PROJECT, ToyRun, insert_experiment, insert_runs

from paddock.kernel.clock import SystemClock
from paddock.metadata import Metadata, open_metadata

_NUMBERS = (-1.0, 0.0, 0.5, 0.5, 0.5, 1.0, float("inf"), float("-inf"), float("nan"), float("nan"))
_LONG = "s3://bucket/" + "x" * 60
_TEXTS = (
    "forest",
    "forest",
    "Forest",
    "fo_est",
    "fo%est",
    "",
    "ÄPFEL",
    "äpfel",
    "tree\\x",
    "it's",
    _LONG + "a",
)
_LONGEST = (_LONG + "b", _LONG + "c", _LONG + "y" * 300, _LONG + "y" * 301, "\U0010ffff\U0010ffffz")
OTHER_PROJECT = "other"


def make_runs() -> tuple[ToyRun, ...]:
    """Return runs in which everything happens that can happen, with many that are equal in something."""
    rng = random.Random(11)
    return tuple(_make_run(number, rng) for number in range(1, 91))


def _make_run(number: int, rng: random.Random) -> ToyRun:
    experiment_no = rng.choice((1, 1, 1, 2, 2, 9))
    started_at = rng.choice((1_000_000, 1_000_500, 1_001_000, 2_000_000, -500, rng.randrange(3_000_000)))
    return ToyRun(
        run_no=number,
        run_id=f"{rng.getrandbits(64):032x}",
        experiment_no=experiment_no,
        project_id=OTHER_PROJECT if experiment_no == 9 else PROJECT,
        name=rng.choice(("alpha", "beta", "Beta", f"run-{number}")),
        status=rng.choice(("running", "finished", "failed", "killed")),
        lifecycle=rng.choice(("active", "active", "active", "deleted")),
        parent_id=rng.choice(("", "", "p1", "p2")),
        user_name=rng.choice(("ann", "ben")),
        started_at=started_at,
        ended_at=rng.choice((None, started_at + 1_234, 5_000_000)),
        metrics={key: rng.choice(_NUMBERS) for key in ("a", "b", "c d") if rng.random() < 0.8},
        params={key: rng.choice(_TEXTS + _LONGEST) for key in ("p", "q") if rng.random() < 0.8},
        tags={key: rng.choice(_TEXTS) for key in ("t", "u.v") if rng.random() < 0.7},
        inputs=tuple(
            (rng.choice(("iris", "wine")), rng.choice(("d1", "d2", "3")), rng.choice(("train", "test", "")))
            for _ in range(rng.choice((0, 1, 1)))
        ),
    )


@pytest.fixture(scope="session")
def runs() -> tuple[ToyRun, ...]:
    return make_runs()


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, runs: tuple[ToyRun, ...]
) -> Iterator[Metadata]:
    """A store with `runs` in the experiments 1 and 2, and 9 of another project."""
    if request.param == "sqlite":
        url = str(tmp_path_factory.mktemp("search") / "store")
    else:
        url = request.getfixturevalue("postgres_server").create_database()
    metadata = open_metadata(url, clock=SystemClock())
    metadata.write(lambda tx: [insert_experiment(tx, number) for number in (1, 2)])
    metadata.write(lambda tx: insert_experiment(tx, 9, project_id=OTHER_PROJECT))
    metadata.write(lambda tx: insert_runs(tx, runs))
    yield metadata
    metadata.close()
