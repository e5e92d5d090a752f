"""Experiments by filter and order, page after page."""

from dataclasses import replace

import pytest
from search_kit import insert_experiment

from paddock.kernel.errors import InvalidInput
from paddock.metadata import Metadata
from paddock.tracking.search import EXPERIMENTS, ExperimentQuery, parse_filter, parse_order
from paddock.tracking.sql.search import find_experiment_rows

ALL = ExperimentQuery("default")


@pytest.fixture
def shelf(metadata: Metadata) -> Metadata:
    """Four experiments, one of them deleted, with tags; and one of another project."""
    for number, name in enumerate(("delay", "Demand", "fraud", "churn"), 1):
        metadata.write(
            lambda tx, number=number, name=name: insert_experiment(  # type: ignore[misc]
                tx, number, name=name, created_at=number // 3 * 1_000_000
            )
        )
        metadata.write(
            lambda tx, number=number: tx.execute(  # type: ignore[misc]
                "INSERT INTO experiment_tags (experiment_no, key, value, principal)"
                " VALUES (:number, 'team', :team, 'ann')",
                {"number": number, "team": "ab"[number % 2]},
            )
        )
    metadata.write(
        lambda tx: tx.execute("UPDATE experiments SET lifecycle = 'deleted' WHERE experiment_no = 4")
    )
    metadata.write(lambda tx: insert_experiment(tx, 9, project_id="other", name="secret"))
    return metadata


def _names(
    store: Metadata, filter_text: str = "", order: tuple[str, ...] = (), query: ExperimentQuery = ALL
) -> list[str]:
    wanted = replace(
        query, filter=parse_filter(filter_text, EXPERIMENTS), order=parse_order(order, EXPERIMENTS)
    )
    return [row.name for row in store.read(lambda reader: find_experiment_rows(reader, wanted)).rows]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["fraud", "delay", "Demand"]),
        ("name LIKE 'd%'", ["delay"]),
        ("name ILIKE 'd%'", ["delay", "Demand"]),
        ("tags.team = 'a'", ["Demand"]),
        ("NOT tags.team = 'a' AND creation_time < 1000", ["delay"]),
        ("creation_time = 1000 OR experiment_id IN ('2')", ["fraud", "Demand"]),
        ("tags.other IS NULL AND last_update_time >= 1000", ["fraud"]),
        ("name = 'secret'", []),
    ],
)
def test_experiments_are_found_by_filter(shelf, text, expected):
    """Names, times, ids and tags find experiments of the project, the newest first."""
    assert _names(shelf, text) == expected


def test_experiments_are_sorted_as_asked(shelf):
    """An order of its own is followed, and the id makes it total."""
    assert _names(shelf, order=("name",)) == ["Demand", "delay", "fraud"]
    assert _names(shelf, order=("creation_time ASC",)) == ["Demand", "delay", "fraud"]
    assert _names(shelf, order=("experiment_id",), query=replace(ALL, lifecycle="all")) == [
        "delay",
        "Demand",
        "fraud",
        "churn",
    ]


def test_deleted_experiments_are_a_view_of_their_own(shelf):
    """A deleted experiment is listed where deleted ones are asked for, with its tags."""
    page = shelf.read(lambda reader: find_experiment_rows(reader, replace(ALL, lifecycle="deleted")))

    assert [(row.name, row.experiment_id, row.tags) for row in page.rows] == [("churn", "4", {"team": "a"})]


def test_pages_follow_one_another(shelf):
    """Each page begins behind the one before, and the last one says so; a foreign cursor is refused."""
    names: list[str] = []
    query = replace(ALL, limit=1, lifecycle="all")
    for _ in range(4):
        page = shelf.read(lambda reader, query=query: find_experiment_rows(reader, query))  # type: ignore[misc]
        names += [row.name for row in page.rows]
        query = replace(query, cursor=page.next_cursor)

    assert names == ["fraud", "churn", "delay", "Demand"]
    assert query.cursor == ""
    with pytest.raises(InvalidInput, match="no cursor"):
        shelf.read(lambda reader: find_experiment_rows(reader, replace(ALL, cursor="x")))
