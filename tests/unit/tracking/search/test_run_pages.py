"""Pages of runs: what a row holds, what may not be seen, and what happens while somebody turns pages."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from search_kit import ToyRun, insert_experiment, insert_runs

from paddock.kernel.errors import InvalidInput
from paddock.metadata import Metadata
from paddock.tracking.search import RUNS, Place, RunQuery, format_cursor, parse_filter, parse_order
from paddock.tracking.sql.search import RunRows, count_runs, find_run_rows
from paddock.tracking.sql.search.walk import Effort

ALL = RunQuery("default")


@pytest.fixture
def shelf(metadata: Metadata) -> Iterator[Metadata]:
    """A store with two experiments of the project and one of another, and no runs."""
    metadata.write(lambda tx: [insert_experiment(tx, number) for number in (1, 2)])
    metadata.write(lambda tx: insert_experiment(tx, 9, project_id="other"))
    return metadata


def _add(store: Metadata, *runs: ToyRun) -> None:
    store.write(lambda tx: insert_runs(tx, runs))


def _page(store: Metadata, query: RunQuery, effort: Effort | None = None) -> RunRows:
    return store.read(lambda reader: find_run_rows(reader, query, effort=effort))


def _ids(store: Metadata, filter_text: str = "", order: tuple[str, ...] = ()) -> list[str]:
    query = replace(ALL, filter=parse_filter(filter_text, RUNS), order=parse_order(order, RUNS))
    return [row.run.run_id for row in _page(store, query).rows]


def _run(number: int, **given: object) -> ToyRun:
    return replace(ToyRun(number, f"r{number}"), **given)  # type: ignore[arg-type]


def test_row_holds_what_a_list_shows(shelf):
    """A row is the run with its experiment, and the summary as it is stored."""
    _add(shelf, _run(7, name="first", experiment_no=2, started_at=1_500_000, status="failed"))

    (row,) = _page(shelf, ALL).rows

    assert (row.key.run_no, row.run.run_id, row.run.name, row.run.status) == (7, "r7", "first", "failed")
    assert (row.run.experiment, row.run.experiment_id) == ("experiment 2", "2")
    assert row.run.started_at.timestamp() == 1.5
    assert row.summary == "summary of r7"


def test_without_an_order_the_newest_comes_first(shelf):
    """Runs stand by their start, the newest first; those that started together by their id."""
    _add(shelf, _run(1, started_at=5), _run(2, started_at=9), _run(3, started_at=5), _run(4, started_at=7))

    assert _ids(shelf) == ["r2", "r4", "r1", "r3"]
    assert _ids(shelf, order=("start_time ASC",)) == ["r1", "r3", "r4", "r2"]


def test_nan_and_missing_come_last_in_both_directions(shelf):
    """Infinities are the ends of the order; NaN comes behind them, and behind it the runs without a value."""
    values = {1: float("nan"), 2: 1.0, 3: float("inf"), 5: float("-inf"), 6: 0.0}
    _add(shelf, *(_run(number, metrics={"m": value}) for number, value in values.items()), _run(4))

    assert _ids(shelf, order=("metrics.m",)) == ["r5", "r6", "r2", "r3", "r1", "r4"]
    assert _ids(shelf, order=("metrics.m DESC",)) == ["r3", "r2", "r6", "r5", "r1", "r4"]


def test_not_is_true_where_there_is_nothing(shelf):
    """A comparison with what a run has not is false, so its negation is true; `!=` asks for another value."""
    _add(shelf, _run(1, params={"p": "x"}), _run(2, params={"p": "y"}), _run(3), _run(4, ended_at=5_000))

    assert _ids(shelf, "params.p != 'x'") == ["r2"]
    assert _ids(shelf, "NOT params.p = 'x'") == ["r2", "r3", "r4"]
    assert _ids(shelf, "NOT end_time >= 5") == ["r1", "r2", "r3"]
    assert _ids(shelf, "params.p IS NULL AND end_time IS NULL") == ["r3"]


def test_nan_is_unequal_and_can_be_asked_for(shelf):
    """NaN is there, is not a number that is above or below another, and differs from every number."""
    _add(shelf, _run(1, metrics={"m": float("nan")}), _run(2, metrics={"m": 1.0}), _run(3))

    assert _ids(shelf, "metrics.m IS NAN") == ["r1"]
    assert _ids(shelf, "metrics.m != 1") == ["r1"]
    assert _ids(shelf, "metrics.m > -1e999 OR metrics.m <= 0") == ["r2"]
    assert _ids(shelf, "metrics.m IS NOT NULL AND NOT metrics.m IS NAN") == ["r2"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("LIKE 'a%'", ["r1", "r2", "r3"]),
        ("LIKE 'a_c'", ["r1", "r3"]),
        ("LIKE 'A%'", []),
        ("ILIKE 'A\\%'", ["r3"]),
        ("LIKE 'a\\%'", ["r3"]),
        ("ILIKE 'É%'", ["r5"]),
        ("LIKE '%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%x'", []),
    ],
)
def test_patterns_mean_the_same_on_both_engines(shelf, pattern, expected):
    """`%` and `_` are wild, a backslash is one, and ILIKE makes no difference of A to Z alone."""
    texts = ("abc", "abdc", "a\\c", "é", "É")
    _add(shelf, *(_run(number, params={"p": text}) for number, text in enumerate(texts, 1)))

    assert _ids(shelf, f"params.p {pattern}") == expected


def test_long_texts_that_begin_alike_are_told_apart(shelf):
    """An index has the head of a text only; filter and order know the rest."""
    head = "s3://bucket/" + "x" * 60
    _add(shelf, *(_run(number, params={"p": head + end}) for number, end in enumerate("cab", 1)))

    assert _ids(shelf, f"params.p = '{head}a'") == ["r2"]
    assert _ids(shelf, f"params.p LIKE '{head}b%'") == ["r3"]
    assert _ids(shelf, order=("params.p",)) == ["r2", "r3", "r1"]


def test_last_character_can_begin_a_text(shelf):
    """A pattern finds texts also where no character follows those it begins with."""
    last = "\U0010ffff"
    _add(
        shelf,
        _run(1, params={"p": last + "a"}),
        _run(2, params={"p": "a" + last}),
        _run(3, params={"p": "b"}),
    )

    assert _ids(shelf, f"params.p LIKE '{last}%'") == ["r1"]
    assert _ids(shelf, f"params.p LIKE 'a{last}%'") == ["r2"]


def test_times_are_whole_milliseconds(shelf):
    """A start is compared in milliseconds, which is what clients see of the microseconds that are stored."""
    _add(shelf, _run(1, started_at=1_000), _run(2, started_at=1_999), _run(3, started_at=2_000))

    assert _ids(shelf, "start_time = 1") == ["r2", "r1"]
    assert _ids(shelf, "start_time > 1") == ["r3"]
    assert _ids(shelf, "start_time <= 1.5") == ["r2", "r1"]
    assert _ids(shelf, "start_time != 1 OR start_time = 1.5") == ["r3"]
    assert _ids(shelf, "start_time < 99999999999999999999 AND start_time > -1e300") == ["r3", "r2", "r1"]


def test_datasets_of_both_kinds_are_found(shelf):
    """A run has read a dataset whether it is kept here or only described, by name, digest and context."""
    _add(shelf, _run(1, inputs=(("iris", "3", "train"),)), _run(2, inputs=(("iris", "d1", ""),)), _run(3))

    assert _ids(shelf, "dataset.name = 'iris'") == ["r1", "r2"]
    assert _ids(shelf, "datasets.digest IN ('3', 'd2')") == ["r1"]
    assert _ids(shelf, "dataset.context IS NULL") == ["r2", "r3"]
    assert _ids(shelf, "NOT dataset.name LIKE '%'") == ["r3"]


def test_children_of_a_run_are_found(shelf):
    """The tag by which MLflow nests runs is the run's parent."""
    _add(shelf, _run(1), _run(2, parent_id="r1"), _run(3, parent_id="r1", started_at=5))

    assert _ids(shelf, "tags.mlflow.parentRunId = 'r1'") == ["r3", "r2"]
    assert _ids(shelf, "tags.`mlflow.parentRunId` IS NULL") == ["r1"]


def test_artifact_uri_is_where_the_files_are(shelf):
    """A run's address is below its experiment's place, or below the server's."""
    shelf.write(
        lambda tx: tx.execute(
            "UPDATE experiments SET artifact_location = :place WHERE experiment_no = 2",
            {"place": "s3://b/x/"},
        )
    )
    _add(shelf, _run(1), _run(2, experiment_no=2))

    assert _ids(shelf, "artifact_uri = 's3://b/x/r2/artifacts'") == ["r2"]
    assert _ids(shelf, "artifact_uri LIKE 'mlflow-artifacts:/1/r1/%'") == ["r1"]


@pytest.mark.parametrize("text", ["' OR 1=1 --", "x'); DROP TABLE runs; --", ":v0", "%s", "{test}", "\\"])
def test_values_and_keys_are_never_sql(shelf, text):
    """Whatever stands in a value or a key is compared as it is."""
    _add(shelf, _run(1, params={text: text}, metrics={text: 1.0}, tags={"t": "other"}), _run(2))
    value, key = text.replace("'", "''"), text.replace("`", "``")

    assert _ids(shelf, f"params.`{key}` = '{value}' AND metrics.`{key}` > 0") == ["r1"]
    assert _ids(shelf, f"tags.t = '{value}'") == []
    assert _ids(shelf, order=(f"metrics.`{key}` DESC", f"params.`{key}`")) == ["r1", "r2"]


def test_runs_of_other_projects_stay_unseen(shelf):
    """Neither a number of a foreign experiment nor a run's id leads out of the project."""
    _add(shelf, _run(1, metrics={"m": 1.0}), _run(2, experiment_no=9, project_id="other", metrics={"m": 1.0}))
    foreign = replace(ALL, experiment_nos=(1, 9), order=parse_order(["metrics.m"], RUNS))

    assert [row.run.run_id for row in _page(shelf, foreign).rows] == ["r1"]
    assert _page(shelf, replace(foreign, experiment_nos=(9,))).rows == ()
    assert _ids(shelf, "run_id IN ('r1', 'r2')") == ["r1"]


def test_lifecycle_is_a_view_or_a_term(shelf):
    """Deleted runs are left out unless they are asked for, and can be told apart by the filter."""
    _add(shelf, _run(1), _run(2, lifecycle="deleted"))
    deleted = parse_filter("lifecycle = 'Deleted'", RUNS)

    assert _ids(shelf) == ["r1"]
    assert [row.run.run_id for row in _page(shelf, replace(ALL, lifecycle="deleted")).rows] == ["r2"]
    assert len(_page(shelf, replace(ALL, lifecycle="all")).rows) == 2
    assert [row.run.run_id for row in _page(shelf, replace(ALL, lifecycle="all", filter=deleted)).rows] == [
        "r2"
    ]


@pytest.mark.parametrize("order", [(), ("metrics.m DESC",), ("params.p",), ("end_time",)])
@pytest.mark.parametrize("effort", [None, Effort(0, 2)])
def test_runs_that_start_meanwhile_neither_shift_nor_repeat(shelf, order, effort):
    """A list whose pages are turned while runs start holds each run that was there, once and in order."""
    _add(
        shelf,
        *(_run(number, metrics={"m": 1.0}, params={"p": "x"}, started_at=number) for number in range(1, 8)),
    )
    query = replace(ALL, limit=2, order=parse_order(order, RUNS))
    listed: list[str] = []

    for number in range(10, 20):
        page = _page(shelf, query, effort)
        listed += [row.run.run_id for row in page.rows]
        if not page.next_cursor:
            break
        _add(shelf, _run(number, metrics={"m": 9.0}, params={"p": "a"}, started_at=number))
        query = replace(query, cursor=page.next_cursor)

    # runs without an end stand behind all, so that new ones may come up at the very end
    assert [run_id for run_id in listed if len(run_id) == 2] == [f"r{number}" for number in range(7, 0, -1)]
    assert len(set(listed)) == len(listed)


def test_metric_that_grows_does_not_repeat_a_run_on_the_way_down(shelf):
    """Pages are values, not counts: a run that was listed and rises is not listed again."""
    _add(shelf, *(_run(number, metrics={"m": float(number)}) for number in range(1, 6)))
    query = replace(ALL, limit=2, order=parse_order(["metrics.m DESC"], RUNS))
    first = _page(shelf, query)

    shelf.write(lambda tx: tx.execute("UPDATE run_metrics SET value = 99 WHERE run_no = 5", {}))
    second = _page(shelf, replace(query, cursor=first.next_cursor))

    assert [row.run.run_id for row in first.rows] == ["r5", "r4"]
    assert [row.run.run_id for row in second.rows] == ["r3", "r2"]


def test_cursor_of_another_query_is_refused(shelf):
    """A cursor goes with one query; with another filter it would show something nobody asked for."""
    _add(shelf, _run(1), _run(2))
    cursor = _page(shelf, replace(ALL, limit=1)).next_cursor

    with pytest.raises(InvalidInput, match="belongs to another query"):
        _page(shelf, replace(ALL, cursor=cursor, filter=parse_filter("status = 'failed'", RUNS)))


def test_forged_place_shows_nothing_else(shelf):
    """A cursor made by hand for the same query begins somewhere in the same list, and no more."""
    _add(shelf, _run(1, started_at=5), _run(2, started_at=3), _run(3, experiment_no=9, project_id="other"))
    forged = format_cursor(ALL.digest, (Place(0, 4), Place(0, "' OR 1=1 --")))

    assert [row.run.run_id for row in _page(shelf, replace(ALL, cursor=forged)).rows] == ["r2"]


@pytest.mark.parametrize("limit", [0, -1, 50_001])
def test_page_has_a_size(shelf, limit):
    """A page of no rows, or of too many, is refused."""
    with pytest.raises(InvalidInput, match="a page has 1 to 50,000 rows"):
        _page(shelf, replace(ALL, limit=limit))


def test_many_experiments_are_searched_at_once(shelf):
    """More experiments than are searched one by one give the same, and too many are refused."""
    numbers = tuple(range(100, 120))
    shelf.write(lambda tx: [insert_experiment(tx, number) for number in numbers])
    _add(shelf, *(_run(number, experiment_no=number, metrics={"m": float(-number)}) for number in numbers))
    query = RunQuery("default", numbers[1:], order=parse_order(["metrics.m"], RUNS), limit=3)

    assert [row.run.run_id for row in _page(shelf, query).rows] == ["r119", "r118", "r117"]
    assert [row.run.run_id for row in _page(shelf, query, Effort(0, 2)).rows] == ["r119", "r118", "r117"]
    with pytest.raises(InvalidInput, match="at most 20,000 experiments, not 20,001"):
        shelf.read(lambda reader: count_runs(reader, RunQuery("default", tuple(range(20_001)))))
