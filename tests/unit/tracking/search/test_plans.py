"""What SQLite does for a search: it reads indexes, and touches nothing but the tables of runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from search_kit import ToyRun, insert_experiment, insert_runs
from search_queries import EFFORTS, QUERIES

from paddock.kernel.clock import SystemClock
from paddock.metadata import Reader, Row, SqlValue, open_metadata
from paddock.metadata.sqlite_connection import SqliteReader, open_connection
from paddock.tracking.search import RUNS, Grouping, RunQuery, Target, parse_filter, parse_order
from paddock.tracking.sql.search import count_runs, find_run_rows, group_runs
from paddock.tracking.sql.search.walk import Effort

# with these no way is taken because there are few runs in the store
BY_ORDER, BY_SETS, BY_FEW = Effort(0, 1_000), Effort(0, 1), Effort(1_000, 1_000)
KNOWN_TABLES = frozenset(
    (
        *("runs", "experiments", "run_metrics", "run_params", "run_tags", "run_summaries"),
        *("run_inputs", "run_described_inputs", "described_datasets"),
    )
)


@dataclass
class Listener:
    """A reader that notes what is asked."""

    reader: Reader
    asked: list[tuple[str, Mapping[str, SqlValue]]] = field(default_factory=list)

    def fetch_all(self, sql: str, params: Mapping[str, SqlValue] | None = None) -> list[Row]:
        self.asked.append((sql, params or {}))
        return self.reader.fetch_all(sql, params or {})

    def fetch_one(self, sql: str, params: Mapping[str, SqlValue] | None = None) -> Row | None:
        rows = self.fetch_all(sql, params)
        return rows[0] if rows else None

    def plans(self) -> list[list[str]]:
        """Return how SQLite goes about each statement."""
        return [
            [str(row["detail"]) for row in self.reader.fetch_all(f"EXPLAIN QUERY PLAN {sql}", params)]
            for sql, params in self.asked
        ]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    """A connection to a store with enough runs that every way leads somewhere."""
    folder = tmp_path_factory.mktemp("plans")
    store = open_metadata(str(folder), clock=SystemClock())
    store.write(lambda tx: [insert_experiment(tx, number) for number in range(1, 13)])
    store.write(
        lambda tx: insert_runs(
            tx,
            (
                ToyRun(
                    number,
                    f"r{number:04}",
                    experiment_no=1 if number < 90 else number % 12 + 1,
                    name=f"run-{number % 9}",
                    started_at=number * 7 % 50,
                    metrics={"a": number % 7 / 2, "b": float(number)},
                    params={"p": str(number % 5), "q": "x" * 70 + str(number)},
                    tags={"t": str(number % 3)},
                )
                for number in range(1, 120)
            ),
        )
    )
    store.close()
    connection = open_connection(folder / "metadata.db", busy_timeout_s=1, is_writable=False)
    yield connection
    connection.close()


@pytest.fixture
def listener(connection: apsw.Connection) -> Listener:
    return Listener(SqliteReader(connection, Path("plans")))


@pytest.mark.parametrize(
    ("filter_text", "order", "effort", "index"),
    [
        ("", (), BY_ORDER, "runs_by_experiment (experiment_no=? AND lifecycle=?)"),
        ("params.p != '1'", (), BY_ORDER, "runs_by_experiment (experiment_no=? AND lifecycle=?)"),
        ("", ("start_time ASC",), BY_ORDER, "runs_by_experiment (experiment_no=? AND lifecycle=?)"),
        (
            "start_time > 5",
            (),
            BY_ORDER,
            "runs_by_experiment (experiment_no=? AND lifecycle=? AND started_at>?)",
        ),
        ("", ("metrics.a DESC",), BY_ORDER, "run_metrics_by_value (experiment_no=? AND key=? AND value>?)"),
        (
            "metrics.a < 2",
            ("metrics.a",),
            BY_ORDER,
            "run_metrics_by_value (experiment_no=? AND key=? AND value>? AND value<?)",
        ),
        (
            "params.p = '1'",
            ("metrics.a",),
            BY_ORDER,
            "run_metrics_by_value (experiment_no=? AND key=? AND value>?)",
        ),
        ("", ("params.p",), BY_ORDER, "run_params_by_value (experiment_no=? AND key=?)"),
        ("", ("params.q DESC",), BY_ORDER, "run_params_by_value (experiment_no=? AND key=?)"),
        ("", ("tags.t",), BY_ORDER, "run_tags_by_value (experiment_no=? AND key=?)"),
        ("", ("run_name",), BY_ORDER, "runs_by_name (experiment_no=?)"),
        ("", ("status",), BY_ORDER, "runs_by_status (experiment_no=?)"),
        (
            "metrics.b > 5",
            ("params.p",),
            BY_FEW,
            "run_metrics_by_value (experiment_no=? AND key=? AND value>?)",
        ),
        (
            "params.p = '1'",
            ("metrics.a",),
            BY_FEW,
            "run_params_by_value (experiment_no=? AND key=? AND <expr>=?)",
        ),
        (
            "tags.t LIKE '1%'",
            ("metrics.a",),
            BY_FEW,
            "run_tags_by_value (experiment_no=? AND key=? AND <expr>>? AND <expr><?)",
        ),
        ("run_name = 'run-1'", (), BY_FEW, "runs_by_name (experiment_no=? AND name=?)"),
        ("status IN ('failed', 'killed')", (), BY_FEW, "runs_by_status (experiment_no=? AND status=?)"),
        ("run_id = 'r0001'", (), BY_FEW, "sqlite_autoindex_runs_1 (run_id=?)"),
        ("parent_id = 'r0001'", (), BY_FEW, "runs_by_parent (project_id=? AND parent_id=?)"),
        (
            "metrics.b > 5 AND tags.t = '1'",
            (),
            BY_SETS,
            "run_tags_by_value (experiment_no=? AND key=? AND <expr>=?)",
        ),
        (
            "metrics.b > 5 AND tags.t = '1'",
            ("metrics.a",),
            BY_SETS,
            "run_tags_by_value (experiment_no=? AND key=? AND <expr>=?)",
        ),
    ],
)
def test_search_reads_its_index(listener, filter_text, order, effort, index):
    """Each way goes along the index that is made for it, and no table is read from end to end."""
    query = RunQuery("default", (1,), parse_filter(filter_text, RUNS), parse_order(order, RUNS), limit=5)

    find_run_rows(listener, query, effort=effort)

    steps = [step for plan in listener.plans() for step in plan]
    assert any(step.endswith(index) for step in steps), steps
    assert _whole_scans(listener.plans()) == []


@pytest.mark.parametrize("order", [(), ("metrics.a DESC",), ("params.p",)])
@pytest.mark.parametrize("experiment_nos", [None, (1, 2), tuple(range(1, 12))])
@pytest.mark.parametrize("effort", [BY_ORDER, BY_SETS, BY_FEW])
def test_several_experiments_are_searched_by_index(listener, order, experiment_nos, effort):
    """A search over some experiments, or all, reads no table from end to end either."""
    wanted = parse_filter("metrics.b > 5 AND params.p != '1'", RUNS)
    query = RunQuery("default", experiment_nos, wanted, parse_order(order, RUNS), limit=5)

    find_run_rows(listener, query, effort=effort)

    assert _whole_scans(listener.plans()) == []


@pytest.mark.parametrize(
    ("order", "effort"),
    [((), BY_ORDER), (("metrics.a DESC",), BY_ORDER), (("params.p",), BY_ORDER), (("run_name",), BY_ORDER)],
)
def test_page_without_a_filter_is_not_sorted_as_a_whole(listener, order, effort):
    """What comes first is known from the index: at most runs that are equal in the first key are sorted."""
    query = RunQuery("default", (1,), order=parse_order(order, RUNS), limit=5)

    find_run_rows(listener, query, effort=effort)

    assert "USE TEMP B-TREE FOR ORDER BY" not in [step for plan in listener.plans() for step in plan]


def test_next_page_begins_where_the_last_one_ended(listener):
    """The index is entered at the cursor, not read up to it."""
    query = RunQuery("default", (1,), limit=5)
    cursor = find_run_rows(listener, query).next_cursor
    listener.asked.clear()

    find_run_rows(listener, RunQuery("default", (1,), limit=5, cursor=cursor))

    steps = [step for plan in listener.plans() for step in plan]
    assert any(step.endswith("(experiment_no=? AND lifecycle=? AND started_at<?)") for step in steps), steps


def test_no_comparison_multiplies_the_work(listener):
    """Fifty comparisons are fifty look-ups for each run, never a join of their rows."""
    text = " AND ".join(f"params.p != '{number}'" for number in range(50))

    find_run_rows(listener, RunQuery("default", (1,), parse_filter(text, RUNS)))

    steps = [step for plan in listener.plans() for step in plan]
    assert sum(step == "SEARCH x USING PRIMARY KEY (run_no=? AND key=?)" for step in steps) == 50
    assert not any("AUTOMATIC" in step for step in steps)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(query=QUERIES, effort=EFFORTS)
def test_searches_only_read_and_only_what_is_of_runs(connection, query, effort):
    """No filter and no order makes a statement that writes, or reads another table."""
    refused: list[tuple[int, str | None]] = []

    def allow(action: int, first: str | None, second: str | None, _database: object, _trigger: object) -> int:
        is_known = action in (apsw.SQLITE_SELECT, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE) or (
            action == apsw.SQLITE_READ and first in KNOWN_TABLES | {"c", ""}
        )
        refused.extend([] if is_known else [(action, first)])
        return apsw.SQLITE_OK if is_known else apsw.SQLITE_DENY

    reader = SqliteReader(connection, Path("plans"))
    connection.authorizer = allow
    try:
        find_run_rows(reader, query, effort=effort)
        count_runs(reader, query)
        group_runs(reader, query, Grouping(Target("param", "p"), "a"))
    finally:
        connection.authorizer = None

    assert refused == []


def _whole_scans(plans: list[list[str]]) -> list[str]:
    """Return the steps that read a table from end to end; the few rows of experiments may be read so."""
    scans: list[str] = []
    for plan in plans:
        made = {step.split()[-1] for step in plan if step.startswith(("CO-ROUTINE", "MATERIALIZE"))}
        own = {f"SCAN {name}" for name in made} | {"SCAN CONSTANT ROW", "SCAN experiments"}
        scans += [step for step in plan if step.startswith("SCAN") and step not in own]
    return scans
