"""Which keys runs have, and counting that ends somewhere."""

import pytest
from search_kit import PROJECT, ToyRun, insert_experiment, insert_runs

from paddock.metadata import Metadata
from paddock.tracking.search import RUNS, RunQuery, parse_filter
from paddock.tracking.sql.search import KeyUse, count_runs, list_keys


def keys_of(store: Metadata, numbers: tuple[int, ...] | None, kind: str, limit: int = 100) -> list[KeyUse]:
    return list(store.read(lambda reader: list_keys(reader, PROJECT, numbers, kind, limit)))


@pytest.mark.parametrize("numbers", [None, (1,), (1, 2), ()])
@pytest.mark.parametrize(("kind", "field"), [("metric", "metrics"), ("param", "params"), ("tag", "tags")])
def test_keys_are_counted_and_most_used_first(
    store: Metadata, runs: tuple[ToyRun, ...], numbers: tuple[int, ...] | None, kind: str, field: str
) -> None:
    """Each key that runs of these experiments have comes with their number, equal ones by name."""
    counts: dict[str, int] = {}
    for run in runs:
        if run.project_id == PROJECT and (numbers is None or run.experiment_no in numbers):
            for key in getattr(run, field):
                counts[key] = counts.get(key, 0) + 1
    expected = [KeyUse(key, counts[key]) for key in sorted(counts, key=lambda key: (-counts[key], key))]

    assert keys_of(store, numbers, kind) == expected
    assert keys_of(store, numbers, kind, limit=1) == expected[:1]


def test_keys_of_another_project_stay_there(store: Metadata, runs: tuple[ToyRun, ...]) -> None:
    """Naming an experiment of another project shows nothing of it."""
    assert any(run.experiment_no == 9 and run.project_id != PROJECT and run.metrics for run in runs)
    assert keys_of(store, (9,), "metric") == []


def test_of_many_experiments_the_newest_are_looked_at(metadata: Metadata) -> None:
    """With more experiments than are looked at, the keys of the oldest are left out."""
    runs = [ToyRun(number, f"r{number}", number, metrics={f"m{number:03d}": 1.0}) for number in range(1, 61)]
    metadata.write(lambda tx: [insert_experiment(tx, number) for number in range(1, 61)])
    metadata.write(lambda tx: insert_runs(tx, runs))

    found = keys_of(metadata, None, "metric")

    assert [use.key for use in found] == [f"m{number:03d}" for number in range(11, 61)]
    assert [use.key for use in keys_of(metadata, (1, 60), "metric")] == ["m001", "m060"]


@pytest.mark.parametrize("text", ["", "metrics.a > -10", "status != 'finished' OR tags.t IS NOT NULL"])
@pytest.mark.parametrize("numbers", [None, (1, 2)])
def test_counting_ends_where_it_is_told(store: Metadata, text: str, numbers: tuple[int, ...] | None) -> None:
    """A bound gives itself when there are more, and the exact number when there are not."""
    query = RunQuery(PROJECT, numbers, parse_filter(text, RUNS), lifecycle="all")
    exact = store.read(lambda reader: count_runs(reader, query))
    assert exact > 10

    for bound in (1, 10, exact, exact + 5):
        found = store.read(lambda reader, bound=bound: count_runs(reader, query, bound))
        assert found == min(bound, exact)
