"""Pages of logged models: one statement tests and sorts those of the experiments that are asked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from paddock.metadata import Reader
from paddock.tracking.logged_models import rules
from paddock.tracking.logged_models.records import LoggedModelPage, LoggedModelQuery, MeasuredOn
from paddock.tracking.logged_models.sql import MODEL_COLUMNS, fill, model_row_of
from paddock.tracking.search import (
    LOGGED_MODELS,
    Expression,
    OrderKey,
    Place,
    digest_query,
    format_cursor,
    format_filter,
    full_order,
    parse_cursor,
    parse_filter,
)
from paddock.tracking.search.cursor import ORDER_CHARACTERS
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
    "name": ColumnSql("m.name"),
    "model_id": ColumnSql("m.model_id"),
    "model_type": ColumnSql("NULLIF(m.model_type, '')", is_nullable=True),
    "status": ColumnSql("m.status", fold="lower"),
    "source_run_id": ColumnSql("NULLIF(m.source_run_id, '')", is_nullable=True),
    "creation_timestamp": ColumnSql("m.created_at", unit="milliseconds"),
    "last_updated_timestamp": ColumnSql("m.updated_at", unit="milliseconds"),
}


@dataclass(frozen=True, slots=True)
class _Plan:
    """A query that was read. orders: for each key, the points of a metric that count."""

    query: LoggedModelQuery
    filter: Expression | None
    keys: tuple[OrderKey, ...]
    orders: tuple[MeasuredOn, ...]
    digest: str


def find_models(reader: Reader, project_id: str, query: LoggedModelQuery) -> LoggedModelPage:
    """Return the page of models that `query` asks for. InvalidInput for a cursor of another query."""
    plan = _read(project_id, query)
    after = parse_cursor(query.cursor, plan.digest, plan.keys, LOGGED_MODELS) if query.cursor else None
    parameters = Parameters()
    columns = [_column(key, on, parameters) for key, on in zip(plan.keys, plan.orders, strict=True)]
    sql = _statement(project_id, plan, columns, after, parameters)
    found = reader.fetch_all(sql, parameters.values)
    page = found[: query.limit]
    has_more = len(found) > len(page)
    return LoggedModelPage(
        fill(reader, [model_row_of(row) for row in page]),
        format_cursor(plan.digest, read_places(page[-1], columns)) if has_more else "",
    )


def _read(project_id: str, query: LoggedModelQuery) -> _Plan:
    given = [rules.order_key(each.field_name, is_descending=each.is_descending) for each in query.order]
    keys = full_order(given, LOGGED_MODELS)
    on = [each.measured_on for each in query.order]
    orders = (*on, *(MeasuredOn("") for _ in keys[len(on) :]))
    asked = replace(query, limit=1, cursor="", filter="", experiment_ids=tuple(sorted(query.experiment_ids)))
    parsed = parse_filter(query.filter, LOGGED_MODELS)
    parts = ("logged models", project_id, msgspec.json.encode(asked).decode(), format_filter(parsed))
    return _Plan(query, parsed, keys, orders, digest_query(parts))


def _statement(
    project_id: str,
    plan: _Plan,
    columns: Sequence[SortColumn],
    after: Sequence[Place] | None,
    parameters: Parameters,
) -> str:
    ids = tuple(int(each) for each in plan.query.experiment_ids)
    conditions = [
        f"e.project_id = {parameters.bind(project_id)}",
        f"e.experiment_id IN ({parameters.bind_all(ids)})",
        "m.lifecycle = 'active'",
    ]
    measured = _measured_on(plan.query.datasets, parameters)
    if plan.filter is not None:
        conditions.append(compile_condition(plan.filter, _targets(measured), parameters))
    if measured:
        conditions.append(
            f"EXISTS (SELECT 1 FROM logged_model_metrics p WHERE p.model_no = m.model_no{measured})"  # noqa: S608
        )
    sql = (
        f"SELECT {MODEL_COLUMNS}, {select_columns(columns)} FROM experiments e"  # noqa: S608 - own words
        f" JOIN logged_models m ON m.experiment_no = e.experiment_no WHERE {' AND '.join(conditions)}"
    )
    if after is not None:
        sql = f"SELECT * FROM ({sql}) q WHERE {after_places(columns, after, parameters)}"  # noqa: S608
    return f"{sql} ORDER BY {order_columns(columns)} LIMIT {parameters.bind(plan.query.limit + 1)}"


def _targets(measured: str) -> Targets:
    pair = "EXISTS (SELECT 1 FROM {table} x WHERE x.model_no = m.model_no AND x.key = {{key}} AND {{test}})"
    point = (
        "EXISTS (SELECT 1 FROM logged_model_metrics p"  # noqa: S608 - own words
        f" WHERE p.model_no = m.model_no AND p.key = {{key}}{measured} AND {{test}})"
    )
    return Targets(
        {("attribute", name): column for name, column in _ATTRIBUTES.items()},
        {
            "metric": LookupSql(point, "p.value", has_nan=True),
            "param": LookupSql(pair.format(table="logged_model_params"), "x.value"),
            "tag": LookupSql(pair.format(table="logged_model_tags"), "x.value"),
        },
    )


def _measured_on(datasets: Sequence[MeasuredOn], parameters: Parameters) -> str:
    """Return the condition, with its AND, that a point `p` was measured on one of them; empty for none."""
    tests = []
    for each in datasets:
        digest = (
            f" AND p.dataset_digest = {parameters.bind(each.dataset_digest)}" if each.dataset_digest else ""
        )
        tests.append(f"(p.dataset_name = {parameters.bind(each.dataset_name)}{digest})")
    return f" AND ({' OR '.join(tests)})" if tests else ""


def _column(key: OrderKey, on: MeasuredOn, parameters: Parameters) -> SortColumn:
    if key.target.kind == "attribute":
        attribute = LOGGED_MODELS.attributes[key.target.key]
        value = _ATTRIBUTES[key.target.key].value
        is_cut = attribute.type == "text" and key.target.key != "model_id"
        return SortColumn(
            f"substr({value}, 1, {ORDER_CHARACTERS})" if is_cut else value,
            key.is_descending,
            is_nullable=attribute.is_missable,
        )
    measured = _measured_on((on,), parameters) if on.dataset_name or on.dataset_digest else ""
    bound = parameters.bind(key.target.key)
    newest = (
        f"FROM logged_model_metrics p WHERE p.model_no = m.model_no AND p.key = {bound}{measured}"
        " ORDER BY p.at DESC, p.step DESC, p.run_no LIMIT 1"
    )
    return SortColumn(
        f"(SELECT p.value {newest})",
        key.is_descending,
        rank=f"(SELECT CASE WHEN p.value IS NULL THEN 1 ELSE 0 END {newest})",
    )
