"""Pages of experiments. There are few, so one statement tests and sorts them all."""

# ruff: noqa: S608 - statements are made of words of this package; values are parameters

from collections.abc import Sequence
from dataclasses import dataclass

from paddock.metadata import Reader
from paddock.tracking.records import Experiment
from paddock.tracking.search import (
    EXPERIMENTS,
    ExperimentQuery,
    OrderKey,
    Place,
    format_cursor,
    full_order,
    parse_cursor,
)
from paddock.tracking.search.queries import check_limit
from paddock.tracking.sql.experiments import experiment_of, get_tags
from paddock.tracking.sql.search.binding import Parameters
from paddock.tracking.sql.search.conditions import ColumnSql, LookupSql, Targets, compile_condition
from paddock.tracking.sql.search.sorting import (
    SortColumn,
    after_places,
    order_columns,
    read_places,
    select_columns,
)

_ATTRIBUTES = {
    "name": ColumnSql("e.name"),
    "experiment_id": ColumnSql("e.experiment_id", unit="whole"),
    "creation_time": ColumnSql("e.created_at", unit="milliseconds"),
    "last_update_time": ColumnSql("e.updated_at", unit="milliseconds"),
    "lifecycle": ColumnSql("e.lifecycle", fold="lower"),
}
_TARGETS = Targets(
    {("attribute", name): column for name, column in _ATTRIBUTES.items()},
    {
        "tag": LookupSql(
            "EXISTS (SELECT 1 FROM experiment_tags x"
            " WHERE x.experiment_no = e.experiment_no AND x.key = {key} AND {test})",
            "x.value",
        )
    },
)


@dataclass(frozen=True, slots=True)
class ExperimentRows:
    """A page of experiments in order, with their tags; runs are not counted.

    next_cursor: asks for the next page; empty on the last one.
    """

    rows: tuple[Experiment, ...]
    next_cursor: str


def find_experiment_rows(reader: Reader, query: ExperimentQuery) -> ExperimentRows:
    """Return the page of experiments that `query` asks for. InvalidInput for a cursor of another query."""
    check_limit(query.limit)
    keys = full_order(query.order, EXPERIMENTS)
    after = parse_cursor(query.cursor, query.digest, keys, EXPERIMENTS) if query.cursor else None
    columns = [_column(key) for key in keys]
    parameters = Parameters()
    sql = _statement(query, columns, after, parameters)
    found = reader.fetch_all(sql, parameters.values)
    page = found[: query.limit]
    numbers = [int(str(row["experiment_no"])) for row in page]
    tags = get_tags(reader, numbers)
    rows = tuple(
        experiment_of(row, tags=tags.get(number, {})) for row, number in zip(page, numbers, strict=True)
    )
    has_more = len(found) > len(page)
    return ExperimentRows(
        rows, format_cursor(query.digest, read_places(page[-1], columns)) if has_more else ""
    )


def _statement(
    query: ExperimentQuery,
    columns: Sequence[SortColumn],
    after: Sequence[Place] | None,
    parameters: Parameters,
) -> str:
    conditions = [f"e.project_id = {parameters.bind(query.project_id)}"]
    if query.lifecycle != "all":
        conditions.append(f"e.lifecycle = {parameters.bind(query.lifecycle)}")
    if query.filter is not None:
        conditions.append(compile_condition(query.filter, _TARGETS, parameters))
    sql = (
        "SELECT e.experiment_no, e.experiment_id, e.name, e.artifact_location, e.lifecycle, e.principal,"
        f" e.created_at, e.updated_at, {select_columns(columns)}"
        f" FROM experiments e WHERE {' AND '.join(conditions)}"
    )
    if after is not None:
        sql = f"SELECT * FROM ({sql}) q WHERE {after_places(columns, after, parameters)}"
    return f"{sql} ORDER BY {order_columns(columns)} LIMIT {parameters.bind(query.limit + 1)}"


def _column(key: OrderKey) -> SortColumn:
    # names are short, and nothing is missing
    return SortColumn(_ATTRIBUTES[key.target.key].value, key.is_descending, is_nullable=False)
