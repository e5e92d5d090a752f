"""Searches as SQL: a filter becomes conditions with bound parameters, an order a way through the indexes.

- No text of a user becomes part of a statement; keys and values are parameters, targets come from tables.
- What is found is of the query's project and experiments, whatever its cursor says.
- SQLite and PostgreSQL find the same runs in the same order.
"""

from paddock.tracking.sql.search.binding import Parameters
from paddock.tracking.sql.search.conditions import ColumnSql, LookupSql, Targets, TargetSql, compile_condition
from paddock.tracking.sql.search.experiments import ExperimentRows, find_experiment_rows
from paddock.tracking.sql.search.groups import count_runs, group_runs
from paddock.tracking.sql.search.keys import KeyUse, list_keys
from paddock.tracking.sql.search.rows import RunRows, find_run_rows
from paddock.tracking.sql.search.sorting import (
    SortColumn,
    after_places,
    order_columns,
    read_places,
    select_columns,
)

__all__ = [
    "ColumnSql",
    "ExperimentRows",
    "KeyUse",
    "LookupSql",
    "Parameters",
    "RunRows",
    "SortColumn",
    "TargetSql",
    "Targets",
    "after_places",
    "compile_condition",
    "count_runs",
    "find_experiment_rows",
    "find_run_rows",
    "group_runs",
    "list_keys",
    "order_columns",
    "read_places",
    "select_columns",
]
