"""Both engines find what plain Python finds, on every way that a search can take."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from search_kit import PROJECT, ToyRun, holds, sort_runs
from search_queries import EFFORTS, QUERIES

from paddock.metadata import Metadata, Reader
from paddock.tracking.search import RunQuery
from paddock.tracking.sql.search import count_runs, find_run_rows
from paddock.tracking.sql.search.walk import Effort


def _expected(query: RunQuery, runs: Sequence[ToyRun]) -> list[str]:
    within = [
        run
        for run in runs
        if run.project_id == PROJECT
        and (query.experiment_nos is None or run.experiment_no in query.experiment_nos)
        and query.lifecycle in ("all", run.lifecycle)
        and holds(query.filter, run)
    ]
    return [run.run_id for run in sort_runs(within, query.order)]


def _all_pages(store: Metadata, query: RunQuery, effort: Effort | None = None) -> list[str]:
    def read_all(reader: Reader) -> list[str]:
        found: list[str] = []
        page = find_run_rows(reader, query, effort=effort)
        while True:
            found += [row.run.run_id for row in page.rows]
            if not page.next_cursor:
                return found
            assert len(page.rows) == query.limit
            page = find_run_rows(reader, replace(query, cursor=page.next_cursor), effort=effort)

    return store.read(read_all)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(query=QUERIES, effort=EFFORTS)
def test_every_query_finds_the_same_runs_in_the_same_order(
    store: Metadata, runs: tuple[ToyRun, ...], query: RunQuery, effort: Effort | None
) -> None:
    """Filter, order, pages and count of any query are those of plain Python, whichever way is taken."""
    expected = _expected(query, runs)

    assert _all_pages(store, query, effort) == expected
    assert store.read(lambda reader: count_runs(reader, query)) == len(expected)
