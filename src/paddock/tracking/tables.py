"""Searching a table of another room: its filter, order and pages by the one language of searches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paddock.kernel.errors import InvalidInput
from paddock.metadata import Reader, Row
from paddock.tracking.search import (
    And,
    Comparison,
    Entity,
    Expression,
    Not,
    Or,
    OrderKey,
    Place,
    Target,
    digest_query,
    format_cursor,
    format_filter,
    format_order,
    full_order,
    parse_cursor,
    parse_filter,
    parse_order,
)
from paddock.tracking.sql.search.binding import Parameters
from paddock.tracking.sql.search.conditions import ColumnSql, LookupSql, Targets, compile_condition
from paddock.tracking.sql.search.sorting import (
    SortColumn,
    after_places,
    order_columns,
    read_places,
    select_columns,
)

__all__ = ["ColumnSql", "LookupSql", "SearchTable", "TablePage", "TableQuery", "find_rows"]


@dataclass(frozen=True, slots=True)
class SearchTable:
    """What is searched, and where each thing it is searched by is found.

    source, selected: stand behind FROM and SELECT; project: the column with the project. attributes: one for
    each of the entity, none of them longer than 256 characters where it is text that is sorted by. tags: see
    LookupSql. special: tags that have a place of their own, and the condition that holds unless the filter
    asks for that tag.
    """

    entity: Entity
    source: str
    selected: str
    project: str
    attributes: Mapping[str, ColumnSql]
    tags: LookupSql
    special: Mapping[str, tuple[ColumnSql, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableQuery:
    """What to find. order: one key a text. cursor: of the page before; nothing but the limit may differ."""

    project_id: str
    filter: str = ""
    order: tuple[str, ...] = ()
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class TablePage:
    """Rows in order. next_cursor: asks for the next page; empty on the last one."""

    rows: tuple[Row, ...]
    next_cursor: str


def find_rows(reader: Reader, table: SearchTable, query: TableQuery, *, most: int) -> TablePage:
    """Return the page that `query` asks for; InvalidInput says where filter or order are wrong.

    most: rows a page may have.
    """
    if not 1 <= query.limit <= most:
        raise InvalidInput(
            f"Invalid value {query.limit} for parameter 'max_results' supplied: a page has 1 to {most}"
            f" {table.entity.name}"
        )
    wanted = parse_filter(query.filter, table.entity)
    keys = full_order(parse_order(query.order, table.entity), table.entity)
    digest = digest_query((table.entity.name, query.project_id, format_filter(wanted), format_order(keys)))
    after = parse_cursor(query.cursor, digest, keys, table.entity) if query.cursor else None
    parameters = Parameters()
    columns = [_column(key, table) for key in keys]
    sql = _statement(table, query, wanted, columns, after, parameters)
    found = reader.fetch_all(sql, parameters.values)
    page = found[: query.limit]
    has_more = len(found) > len(page)
    return TablePage(tuple(page), format_cursor(digest, read_places(page[-1], columns)) if has_more else "")


def _statement(
    table: SearchTable,
    query: TableQuery,
    wanted: Expression | None,
    columns: Sequence[SortColumn],
    after: Sequence[Place] | None,
    parameters: Parameters,
) -> str:
    conditions = [f"{table.project} = {parameters.bind(query.project_id)}"]
    conditions += [
        condition
        for tag, (_, condition) in table.special.items()
        if not _asks_for(wanted, Target("tag", tag))
    ]
    if wanted is not None:
        conditions.append(compile_condition(wanted, _targets(table), parameters))
    sql = (
        f"SELECT {table.selected}, {select_columns(columns)} FROM {table.source}"  # noqa: S608 - the room's own words
        f" WHERE {' AND '.join(conditions)}"
    )
    if after is not None:
        sql = f"SELECT * FROM ({sql}) q WHERE {after_places(columns, after, parameters)}"  # noqa: S608
    return f"{sql} ORDER BY {order_columns(columns)} LIMIT {parameters.bind(query.limit + 1)}"


def _targets(table: SearchTable) -> Targets:
    attributes = {("attribute", name): column for name, column in table.attributes.items()}
    special = {("tag", key): column for key, (column, _) in table.special.items()}
    return Targets({**attributes, **special}, {"tag": table.tags})


def _column(key: OrderKey, table: SearchTable) -> SortColumn:
    return SortColumn(table.attributes[key.target.key].value, key.is_descending, is_nullable=False)


def _asks_for(expression: Expression | None, target: Target) -> bool:
    if isinstance(expression, Comparison):
        return expression.target == target
    if isinstance(expression, Not):
        return _asks_for(expression.term, target)
    if isinstance(expression, And | Or):
        return any(_asks_for(term, target) for term in expression.terms)
    return False
