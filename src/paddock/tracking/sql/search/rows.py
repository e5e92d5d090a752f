"""Pages of runs, each with its experiment and what a list shows of it."""

# ruff: noqa: S608 - statements are made of words of this package; values are parameters

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from paddock.metadata import Reader
from paddock.tracking.search import (
    RUNS,
    OrderKey,
    RunQuery,
    and_terms,
    format_cursor,
    full_order,
    parse_cursor,
)
from paddock.tracking.search.cursor import HAS_VALUE, IS_MISSING, IS_NAN
from paddock.tracking.search.queries import check_limit
from paddock.tracking.sql.runs import RUN_COLUMNS, RunRow, run_row_of
from paddock.tracking.sql.search.scopes import plan_scopes
from paddock.tracking.sql.search.statements import Found
from paddock.tracking.sql.search.walk import Effort, RunWalk

_CHUNK = 500
_RANKS = (HAS_VALUE, IS_NAN, IS_MISSING)


@dataclass(frozen=True, slots=True)
class RunRows:
    """A page of runs in order. next_cursor: asks for the next page; empty on the last one."""

    rows: tuple[RunRow, ...]
    next_cursor: str


def find_run_rows(reader: Reader, query: RunQuery, *, effort: Effort | None = None) -> RunRows:
    """Return the page of runs that `query` asks for, each with its experiment and its summary.

    Runs that start meanwhile neither shift nor repeat what is listed: a page begins behind the values by
    which the last run of the page before was sorted. InvalidInput for a cursor of another query.
    """
    check_limit(query.limit)
    keys = full_order(query.order, RUNS)
    after = parse_cursor(query.cursor, query.digest, keys, RUNS) if query.cursor else None
    terms = and_terms(query.filter)
    found: list[Found] = []
    scopes = plan_scopes(reader, query)
    for scope in scopes:
        walk = RunWalk(reader, scope, effort or Effort(window_runs=max(2_000, 2 * query.limit)))
        found += walk.find(terms, keys, after, query.limit + 1)
    if len(scopes) > 1:
        found = sort_found(found, keys)
    page = found[: query.limit]
    next_cursor = format_cursor(query.digest, page[-1].places) if len(found) > len(page) else ""
    return RunRows(_read_rows(reader, [each.run_no for each in page]), next_cursor)


def sort_found(found: Sequence[Found], keys: Sequence[OrderKey]) -> list[Found]:
    """Return the runs sorted as statements do: by the last key first, as sorting keeps what is equal."""
    runs = [(run.places, run) for run in found]
    for number, key in reversed(list(enumerate(keys))):
        ranks = {rank: [run for run in runs if run[0][number].rank == rank] for rank in _RANKS}
        # one key's values are of one type
        ranks[HAS_VALUE].sort(key=lambda run: cast(float, run[0][number].value), reverse=key.is_descending)
        runs = [run for rank in _RANKS for run in ranks[rank]]
    return [run for _, run in runs]


def _read_rows(reader: Reader, run_nos: Sequence[int]) -> tuple[RunRow, ...]:
    """Return the runs with these numbers, in the same order."""
    rows: dict[int, RunRow] = {}
    for start in range(0, len(run_nos), _CHUNK):
        chunk = {f"run_{number}": run_no for number, run_no in enumerate(run_nos[start : start + _CHUNK])}
        places = ", ".join(f":{name}" for name in chunk)
        for row in reader.fetch_all(
            f"SELECT {RUN_COLUMNS}, s.body AS summary"
            " FROM runs r JOIN experiments e ON e.experiment_no = r.experiment_no"
            f" LEFT JOIN run_summaries s ON s.run_no = r.run_no WHERE r.run_no IN ({places})",
            chunk,
        ):
            found = run_row_of(row)
            rows[found.key.run_no] = found
    return tuple(rows[run_no] for run_no in run_nos)
