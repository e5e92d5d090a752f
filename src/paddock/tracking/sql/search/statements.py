"""The statements that find runs: where they read from, what they test, and how they sort."""

# ruff: noqa: S608 - statements are made of words of this package; values are parameters

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from paddock.metadata import Reader, Row
from paddock.tracking.search import RUNS, Expression, OrderKey, Place
from paddock.tracking.sql.search.binding import Parameters
from paddock.tracking.sql.search.conditions import ColumnSql, compile_condition
from paddock.tracking.sql.search.run_targets import TABLES, find_driver, ordering_head, run_targets
from paddock.tracking.sql.search.scopes import Scope
from paddock.tracking.sql.search.sorting import (
    SortColumn,
    after_places,
    order_columns,
    read_places,
    select_columns,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A run as a statement has found it. above: where it stands by keys that statement did not know."""

    row: Row
    columns: Sequence[SortColumn]
    above: tuple[Place, ...] = ()

    @property
    def run_no(self) -> int:
        return _whole(self.row["run_no"])

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the run stands by each key of the order."""
        return (*self.above, *read_places(self.row, self.columns))


class Statement:
    """One SELECT of runs. run_no: how it calls the number of a run; `runs r` is among its sources."""

    def __init__(self, scope: Scope, run_no: str) -> None:
        self.parameters = Parameters()
        self._scope = scope
        self.run_no = run_no
        self._targets = run_targets(run_no)

    def bind(self, value: int | float | str) -> str:
        return self.parameters.bind(value)

    def lookup(self, terms: Iterable[Expression]) -> list[str]:
        """Return conditions that test each run by itself."""
        return [compile_condition(term, self._targets, self.parameters) for term in terms]

    def sift(self, terms: Iterable[Expression]) -> list[str]:
        """Return conditions that test runs against sets read from indexes, where there are any."""
        conditions: list[str] = []
        for term in terms:
            driver = find_driver(term)
            if driver is not None:
                conditions.append(f"{self.run_no} IN ({driver.select(self._scope, self.parameters)})")
            if driver is None or not driver.is_exact:
                conditions += self.lookup((term,))
        return conditions

    def column(self, key: OrderKey) -> SortColumn:
        """Return how runs are sorted by `key`."""
        target = key.target
        if target.kind == "attribute":
            return self._attribute_column(key)
        of_run = (
            f"FROM {TABLES[target.kind]} x WHERE x.run_no = {self.run_no} AND x.key = {self.bind(target.key)}"
        )
        if target.kind == "metric":
            rank = f"(SELECT CASE WHEN x.value IS NULL THEN 1 ELSE 0 END {of_run})"
            return SortColumn(f"(SELECT x.value {of_run})", key.is_descending, rank=rank)
        return SortColumn(f"(SELECT {ordering_head('x.value')} {of_run})", key.is_descending)

    def _attribute_column(self, key: OrderKey) -> SortColumn:
        place = self._targets.find(key.target)
        assert isinstance(place, ColumnSql), "attributes of runs are columns"
        attribute = RUNS.attributes[key.target.key]
        # a run_id is short, and its order that of an index
        is_cut = attribute.type == "text" and key.target.key != "run_id"
        value = ordering_head(place.value) if is_cut else place.value
        return SortColumn(value, key.is_descending, is_nullable=attribute.is_missable)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a statement lists. source: stands behind FROM; setup: before SELECT, such as a WITH.

    leading: sorted by before all columns, and ends in a comma. after: the place it begins behind.
    """

    source: str
    conditions: Sequence[str]
    columns: Sequence[SortColumn]
    limit: int
    after: Sequence[Place] | None = None
    leading: str = ""
    setup: str = ""


def fetch_found(reader: Reader, statement: Statement, listing: Listing) -> list[Found]:
    """Run what `listing` says, with the values that were bound in `statement`."""
    sql = (
        f"SELECT {statement.run_no} AS run_no, {select_columns(listing.columns)} FROM {listing.source}"
        f" WHERE {' AND '.join(listing.conditions)}"
    )
    if listing.after is not None:
        keyset = after_places(listing.columns, listing.after, statement.parameters)
        sql = f"SELECT * FROM ({sql}) q WHERE {keyset}"
    order = f"{listing.leading}{order_columns(listing.columns)}"
    rows = reader.fetch_all(
        f"{listing.setup}{sql} ORDER BY {order} LIMIT {statement.bind(listing.limit)}",
        statement.parameters.values,
    )
    return [Found(row, listing.columns) for row in rows]


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
