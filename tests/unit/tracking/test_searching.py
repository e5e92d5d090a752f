"""Searches as a face meets them: text in, pages of documents out."""

import json

import pytest

from paddock.kernel.errors import InvalidInput
from paddock.tracking import Experiments, Grouping, MetricPoint, RunsWanted, Searches, Tracking
from paddock.tracking.search import Target


@pytest.fixture
def searches(tracking: Tracking) -> Searches:
    return Searches(tracking.metadata, tracking.actor)


def start(tracking: Tracking, experiment: str, depth: int, auc: float) -> str:
    run = tracking.start_run(experiment=experiment, params={"depth": str(depth)})
    tracking.log_metrics(run.run_id, [MetricPoint("auc", auc, 0, 0)])
    return run.run_id


def test_runs_come_filtered_ordered_and_by_page(tracking: Tracking, searches: Searches) -> None:
    """A filter keeps the runs it names, an order sorts them, and a cursor goes on behind the last."""
    runs = [start(tracking, "delay", depth, 0.6 + depth / 100) for depth in range(6)]
    start(tracking, "churn", 9, 0.99)
    delay = tracking.get_run(runs[0]).experiment_id
    wanted = RunsWanted([delay], "metrics.auc > 0.605 AND NOT params.depth = '3'", ["metrics.auc DESC"])

    first = searches.runs(wanted, limit=3)
    second = searches.runs(wanted, limit=3, cursor=first.next_cursor)

    found = [document.run.run_id for page in (first, second) for document in page.documents]
    assert found == [runs[depth] for depth in (5, 4, 2, 1)]
    assert second.next_cursor == ""
    assert json.loads(first.documents[0].summary)["data"]["params"] == [{"key": "depth", "value": "5"}]


def test_search_goes_over_all_experiments_or_none(tracking: Tracking, searches: Searches) -> None:
    """Without experiments all of the project are searched, with unknown ones nothing is found."""
    start(tracking, "delay", 1, 0.6)
    start(tracking, "churn", 1, 0.7)

    assert searches.count() == 2
    assert searches.count(RunsWanted(["77", "no such"])) == 0
    assert searches.runs(RunsWanted(())).documents == ()


def test_runs_are_grouped(tracking: Tracking, searches: Searches) -> None:
    """Runs are counted by the value of a param, with the mean of a metric."""
    for depth, auc in ((1, 0.6), (1, 0.8), (2, 0.5)):
        start(tracking, "delay", depth, auc)

    groups = searches.group(RunsWanted(), Grouping(Target("param", "depth"), "auc"))

    assert [(group.value, group.run_count, group.mean) for group in groups] == [
        ("1", 2, pytest.approx(0.7)),
        ("2", 1, 0.5),
    ]


def test_a_run_with_a_large_summary_is_found_whole(tracking: Tracking, searches: Searches) -> None:
    """What is too large to be kept as a summary is put together for a search as well."""
    params = {f"layer_{number}": "x" * 500 for number in range(100)}
    tracking.start_run(experiment="delay", params=params)

    (document,) = searches.runs().documents

    assert len(json.loads(document.summary)["data"]["params"]) == 100


def test_experiments_are_searched(tracking: Tracking, searches: Searches) -> None:
    """Experiments are found by name and tags, by page."""
    experiments = Experiments(tracking.metadata, tracking.clock, tracking.actor)
    for name in ("delay-a", "delay-b", "churn"):
        experiments.create(name, tags={"team": name[:5]})

    first = searches.experiments("tags.team = 'delay'", order_by=["name ASC"], limit=1)
    second = searches.experiments(
        "tags.team = 'delay'", order_by=["name ASC"], limit=1, cursor=first.next_cursor
    )

    assert [each.name for page in (first, second) for each in page.experiments] == ["delay-a", "delay-b"]
    assert first.experiments[0].tags == {"team": "delay"}


def test_fault_of_a_filter_is_told(searches: Searches) -> None:
    """A filter that cannot be read is InvalidInput, not an empty page."""
    with pytest.raises(InvalidInput):
        searches.runs(RunsWanted(filter="metrics.auc >"))
