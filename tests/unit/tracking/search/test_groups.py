"""Runs counted by what they have in common."""

import pytest
from search_kit import ToyRun, insert_experiment, insert_runs

from paddock.kernel.errors import InvalidInput
from paddock.metadata import Metadata
from paddock.tracking.search import RUNS, Grouping, RunGroup, RunQuery, Target, parse_filter
from paddock.tracking.sql.search import count_runs, group_runs

MODEL = Target("param", "model")
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def shelf(metadata: Metadata) -> Metadata:
    """Seven runs in two experiments: three forests, two trees, one without a model, one deleted."""
    models = ("forest", "forest", "forest", "tree", "tree", "", "forest")
    values = (1.0, 2.0, NAN, 4.0, INF, 7.0, 9.0)
    runs = [
        ToyRun(
            number,
            f"r{number}",
            experiment_no=1 + number % 2,
            params={"model": model} if model else {},
            metrics={"auc": value},
            tags={"team": "a" if number < 3 else "b"},
            status="failed" if number == 5 else "finished",
            lifecycle="deleted" if number == 6 else "active",
        )
        for number, (model, value) in enumerate(zip(models, values, strict=True))
    ]
    metadata.write(lambda tx: [insert_experiment(tx, number) for number in (1, 2)])
    metadata.write(lambda tx: insert_runs(tx, runs))
    return metadata


@pytest.mark.parametrize("experiment_nos", [None, (1, 2)])
def test_groups_hold_counts_and_a_metric(shelf, experiment_nos):
    """Each value has its runs, and mean, least and largest of the metric; the same however it is counted."""
    query = RunQuery("default", experiment_nos)

    groups = shelf.read(lambda reader: group_runs(reader, query, Grouping(MODEL, "auc")))

    assert groups == (
        RunGroup("forest", 3, 2, 1.5, 1.0, 2.0),
        RunGroup("tree", 2, 2, 4.0, 4.0, INF),
        RunGroup(None, 1, 1, 7.0, 7.0, 7.0),
    )


def test_groups_can_be_filtered_and_cut(shelf):
    """Only runs that the query finds are counted, and only the largest groups are given."""
    query = RunQuery("default", filter=parse_filter("metrics.auc > 1.5", RUNS), lifecycle="all")

    groups = shelf.read(lambda reader: group_runs(reader, query, Grouping(MODEL, limit=2)))

    assert groups == (RunGroup("forest", 2), RunGroup("tree", 2))


def test_runs_are_grouped_by_tag_and_status(shelf):
    """A tag and the status group runs as a param does."""
    query = RunQuery("default")

    by_team = shelf.read(lambda reader: group_runs(reader, query, Grouping(Target("tag", "team"))))
    by_status = shelf.read(lambda reader: group_runs(reader, query, Grouping(Target("attribute", "status"))))

    assert [(group.value, group.run_count) for group in by_team] == [("a", 3), ("b", 3)]
    assert [(group.value, group.run_count) for group in by_status] == [("finished", 5), ("failed", 1)]


def test_values_at_the_edge_of_numbers_have_a_mean(shelf):
    """Values whose sum no float can hold are left out of the mean, and do not end the query."""
    runs = [ToyRun(number, f"e{number}", metrics={"edge": 1.7e308}) for number in (20, 21)]
    shelf.write(lambda tx: insert_runs(tx, [*runs, ToyRun(22, "e22", metrics={"edge": 3.0})]))
    query = RunQuery("default", filter=parse_filter("metrics.edge IS NOT NULL", RUNS))

    (group,) = shelf.read(lambda reader: group_runs(reader, query, Grouping(MODEL, "edge")))

    assert group == RunGroup(None, 3, 3, 3.0, 3.0, 1.7e308)


@pytest.mark.parametrize(
    "grouping", [Grouping(Target("metric", "auc")), Grouping(Target("attribute", "run_id"))]
)
def test_other_things_do_not_group(shelf, grouping):
    """Runs are grouped by what many have in common."""
    with pytest.raises(InvalidInput, match="grouped by a param, a tag or `status`"):
        shelf.read(lambda reader: group_runs(reader, RunQuery("default"), grouping))


@pytest.mark.parametrize("limit", [0, 10_001])
def test_number_of_groups_is_bounded(shelf, limit):
    """No groups, or more than anybody reads, are refused."""
    with pytest.raises(InvalidInput, match=r"1 to 10,000 groups"):
        shelf.read(lambda reader: group_runs(reader, RunQuery("default"), Grouping(MODEL, limit=limit)))


def test_count_is_of_all_pages(shelf):
    """The count does not depend on the page, and knows filter, experiments and lifecycle."""
    forest = parse_filter("params.model = 'forest' AND params.model LIKE 'f%'", RUNS)

    counts = [
        shelf.read(lambda reader, query=query: count_runs(reader, query))  # type: ignore[misc]
        for query in (
            RunQuery("default", limit=1),
            RunQuery("default", filter=forest, lifecycle="all"),
            RunQuery("default", (1,)),
            RunQuery("default", ()),
        )
    ]

    assert counts == [6, 4, 3, 0]
