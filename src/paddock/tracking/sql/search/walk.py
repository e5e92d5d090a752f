"""The way to the runs of one scope that come next in an order: read no more of the indexes than that takes.

1. When some comparison of the filter holds for few runs, by an index, these are tested and sorted.
2. Else the index of the order's first key is read in that order, and each run is tested, until there are
   enough. Runs that are equal in this key, when they are many, are a search of their own by the next key;
   so are those where it is NaN, and those that have it not.
3. When a piece of that index did not give enough, the rest is tested against sets read from the indexes of
   the filter, which costs more to begin with and less for each run.
"""

# ruff: noqa: S608 - statements are made of words of this package; values are parameters

from collections.abc import Sequence
from dataclasses import dataclass, replace

from paddock.metadata import Reader
from paddock.tracking.search import Comparison, Expression, Not, OrderKey, Place, Target
from paddock.tracking.search.cursor import HAS_VALUE, IS_MISSING, IS_NAN, ORDER_CHARACTERS
from paddock.tracking.sql.search.binding import Parameters
from paddock.tracking.sql.search.ranges import Head, Range, can_split, head_of, is_indexed, read_bounds
from paddock.tracking.sql.search.run_targets import (
    RANGE_OPERATORS,
    Driver,
    find_driver,
    ordering_head,
)
from paddock.tracking.sql.search.scopes import Scope
from paddock.tracking.sql.search.sorting import SortColumn
from paddock.tracking.sql.search.statements import Found, Listing, Statement, fetch_found

Terms = tuple[Expression, ...]
Keys = tuple[OrderKey, ...]
Places = tuple[Place, ...] | None

# a second piece of an index is at most so many times as large as the first
_WIDEST = 6
_START = Target("attribute", "start_time")
_RUN_ID = OrderKey(Target("attribute", "run_id"))


@dataclass(frozen=True, slots=True)
class Effort:
    """How many runs are few enough to be sorted, and how many are read along an index before sets are made.

    Measured at 100,000 runs: sorting 1,000 costs as much as reading on by the order until a page is full.
    """

    few_runs: int = 1_000
    window_runs: int = 2_000


class RunWalk:
    """Finds runs of one scope in one snapshot."""

    def __init__(self, reader: Reader, scope: Scope, effort: Effort) -> None:
        self._reader = reader
        self._scope = scope
        self._few = effort.few_runs
        self._window = effort.window_runs
        self._counts: dict[Comparison, int] = {}

    def find(self, terms: Terms, keys: Keys, after: Places, limit: int) -> list[Found]:
        """Return the first runs, at most `limit`, for which all terms hold, sorted by keys.

        keys: a total order, see `full_order`; after: the place behind which they begin, one for each key.
        """
        key = keys[0]
        fixed = _fixed_value(key, terms)
        if fixed is not None:
            return self._find_below(Place(HAS_VALUE, fixed), terms, keys, after, limit)
        few = self._fewest(terms)
        if few is not None:
            return self._sort_few(few, terms, keys, after, limit)
        if key.target == _START:
            return self._read_by_time(terms, keys, after, limit)
        if is_indexed(key):
            return self._read_by_key(terms, keys, after, limit)
        return self._sweep(terms, keys, after, limit)

    def _fewest(self, terms: Terms) -> Driver | None:
        """Return the comparison that holds for the fewest runs, if these are few."""
        drivers = [driver for term in terms if (driver := find_driver(term)) is not None]
        self._count([driver for driver in drivers if driver.comparison not in self._counts])
        fewest = min(drivers, key=lambda driver: self._counts[driver.comparison], default=None)
        return fewest if fewest and self._counts[fewest.comparison] <= self._few else None

    def _count(self, drivers: Sequence[Driver]) -> None:
        """Note how many runs each index range holds, counted to one more than few."""
        if not drivers:
            return
        parameters = Parameters()
        most = parameters.bind(self._few + 1)
        counts = ", ".join(
            f"(SELECT COUNT(*) FROM ({driver.select(self._scope, parameters)} LIMIT {most}) c) AS n{number}"
            for number, driver in enumerate(drivers)
        )
        row = self._reader.fetch_one(f"SELECT {counts}", parameters.values)
        assert row is not None, "an aggregate is one row"
        for number, driver in enumerate(drivers):
            self._counts[driver.comparison] = int(str(row[f"n{number}"]))

    def _sort_few(self, few: Driver, terms: Terms, keys: Keys, after: Places, limit: int) -> list[Found]:
        count = self._counts[few.comparison]
        if not count:
            return []
        statement = Statement(self._scope, "c.run_no")
        # the number, which is known, lets PostgreSQL know how few these are
        setup = f"WITH c AS MATERIALIZED ({few.select(self._scope, statement.parameters)} LIMIT {count}) "
        others = [term for term in terms if term != few.comparison or not few.is_exact]
        conditions = [
            "r.run_no = c.run_no",
            self._scope.runs_sql(statement.parameters),
            *statement.lookup(others),
        ]
        columns = [statement.column(key) for key in keys]
        listing = Listing("c CROSS JOIN runs r", conditions, columns, limit, after, setup=setup)
        return fetch_found(self._reader, statement, listing)

    def _sweep(self, terms: Terms, keys: Keys, after: Places, limit: int) -> list[Found]:
        statement = Statement(self._scope, "r.run_no")
        conditions = [self._scope.runs_sql(statement.parameters), *statement.sift(terms)]
        if after is not None and keys[0].target == _START:
            conditions.append(_not_before(keys[0], after[0], statement))
        columns = [statement.column(key) for key in keys]
        return fetch_found(self._reader, statement, Listing("runs r", conditions, columns, limit, after))

    def _read_by_time(self, terms: Terms, keys: Keys, after: Places, limit: int) -> list[Found]:
        is_by_column = all(_asks(term) == {"attribute"} for term in terms)
        if is_by_column or keys[1:] != (_RUN_ID,):
            return self._sweep(terms, keys, after, limit)
        window = self._window
        while window:
            found = self._read_window(terms, keys, after, limit, window)
            if len(found) == limit or self._is_last_window(terms, keys, after, window):
                return found
            window = self._wider(window, len(found), limit)
        return self._sweep(terms, keys, after, limit)

    def _wider(self, window: int, gained: int, wanted: int) -> int:
        """Return how many runs to read for `wanted` ones, when `window` runs gave `gained`; 0: use sets."""
        if window > self._window or not gained:
            return 0
        return _WIDEST * window if 5 * wanted <= 4 * _WIDEST * gained else 0

    def _read_window(
        self, terms: Terms, keys: Keys, after: Places, limit: int, window_runs: int
    ) -> list[Found]:
        """Test the first runs by time, no more than a window."""
        statement = Statement(self._scope, "w.run_no")
        own = [term for term in terms if _asks(term) == {"attribute"}]
        others = [term for term in terms if term not in own]
        needs_run = any("attribute" in _asks(term) for term in others)
        conditions = self._by_time(statement, own, keys, after)
        window = (
            f"(SELECT r.run_no, r.started_at, r.run_id FROM runs r WHERE {conditions}"
            f" ORDER BY {_time_order(keys)} LIMIT {statement.bind(window_runs)}) w"
        )
        columns = [
            SortColumn("w.started_at", keys[0].is_descending, is_nullable=False),
            SortColumn("w.run_id", is_descending=False, is_nullable=False),
        ]
        tests = [*(["r.run_no = w.run_no"] if needs_run else []), *statement.lookup(others)]
        source = f"{window} CROSS JOIN runs r" if needs_run else window
        return fetch_found(self._reader, statement, Listing(source, tests or ["TRUE"], columns, limit))

    def _is_last_window(self, terms: Terms, keys: Keys, after: Places, window_runs: int) -> bool:
        statement = Statement(self._scope, "r.run_no")
        own = [term for term in terms if _asks(term) == {"attribute"}]
        row = self._reader.fetch_one(
            f"SELECT 1 AS one FROM runs r WHERE {self._by_time(statement, own, keys, after)}"
            f" ORDER BY {_time_order(keys)} LIMIT 1 OFFSET {statement.bind(window_runs)}",
            statement.parameters.values,
        )
        return row is None

    def _by_time(self, statement: Statement, terms: Sequence[Expression], keys: Keys, after: Places) -> str:
        conditions = [self._scope.runs_sql(statement.parameters), *statement.lookup(terms)]
        if after is not None:
            at, run_id = statement.bind(_value(after[0])), statement.bind(_value(after[1]))
            follows = "<" if keys[0].is_descending else ">"
            conditions.append(_not_before(keys[0], after[0], statement))
            conditions.append(
                f"(r.started_at {follows} {at} OR (r.started_at = {at} AND r.run_id > {run_id}))"
            )
        return " AND ".join(conditions)

    def _read_by_key(self, terms: Terms, keys: Keys, after: Places, limit: int) -> list[Found]:
        """Return the runs by the value of a metric, param or tag, then those with NaN, then those without."""
        key, place = keys[0], after[0] if after is not None else None
        found: list[Found] = []
        if place is None or place.rank == HAS_VALUE:
            found += self._read_values(terms, keys, after, limit)
        for rank, term, is_possible in (
            (IS_NAN, Comparison(key.target, "IS NAN"), _may_be_nan(key, terms)),
            (IS_MISSING, Comparison(key.target, "IS NULL"), _may_be_missing(key, terms)),
        ):
            if len(found) < limit and is_possible and (place is None or place.rank <= rank):
                found += self._find_below(
                    Place(rank),
                    (*terms, term),
                    keys,
                    after if place and place.rank == rank else None,
                    limit - len(found),
                )
        return found

    def _find_below(self, place: Place, terms: Terms, keys: Keys, after: Places, limit: int) -> list[Found]:
        """Return runs that all stand at `place` by the first key, which `terms` say, sorted by the others."""
        below = self.find(terms, keys[1:], None if after is None else after[1:], limit)
        return [replace(each, above=(place, *each.above)) for each in below]

    def _read_values(self, terms: Terms, keys: Keys, after: Places, limit: int) -> list[Found]:
        values = Range(keys[0], _limits(keys[0], terms))
        found: list[Found] = []
        if after is not None:
            head = head_of(_head_value(after[0]), keys[0])
            found = self._read_rest(head, values, terms, keys, after, limit)
            values = values.behind(head)
        window = self._window
        while len(found) < limit:
            first, boundary = read_bounds(self._reader, self._scope, values, window)
            left = limit - len(found)
            if first is None:
                break
            if boundary is None:
                return found + self._read_range(values, terms, keys, left, most=window)
            if boundary == first:
                found += self._read_group(first, values, terms, keys, left)
                values = values.behind(first)
            else:
                found += self._read_range(replace(values, end=boundary), terms, keys, left, most=window)
                values = values.from_on(boundary)
            missing = limit - len(found)
            if missing and len(terms) > len(values.limits):
                window = self._wider(window, left - missing, missing)
                if not window:
                    return found + self._read_range(values, terms, keys, missing, is_sifted=True)
        return found

    def _read_rest(
        self, head: Head, values: Range, terms: Terms, keys: Keys, after: tuple[Place, ...], limit: int
    ) -> list[Found]:
        """Return what is left of the runs among which the page before has ended."""
        if not can_split(head, keys[0]):
            return self._read_range(replace(values, only=head), terms, keys, limit, after=after)
        same = Comparison(keys[0].target, "=", head)
        return self._find_below(after[0], (*terms, same), keys, after, limit)

    def _read_group(self, head: Head, values: Range, terms: Terms, keys: Keys, limit: int) -> list[Found]:
        """Return runs that have the same head, of which there are many."""
        if not can_split(head, keys[0]):
            return self._read_range(replace(values, only=head), terms, keys, limit)
        same = Comparison(keys[0].target, "=", head)
        return self._find_below(Place(HAS_VALUE, head), (*terms, same), keys, None, limit)

    def _read_range(
        self,
        values: Range,
        terms: Terms,
        keys: Keys,
        limit: int,
        *,
        after: Places = None,
        most: int | None = None,
        is_sifted: bool = False,
    ) -> list[Found]:
        """Read runs along the index.

        most: how many the range holds at most, where that is known. is_sifted: test them against sets, not
        one after the other.
        """
        key, statement = keys[0], Statement(self._scope, "m.run_no")
        source, conditions = values.table_sql, [values.conditions(self._scope, statement.parameters)]
        if most and not self._scope.is_one:
            # no index is in order for several experiments: the number lets PostgreSQL know how few these are
            source, conditions = f"(SELECT m.* FROM {source} WHERE {conditions[0]} LIMIT {most}) m", []
        others = [term for term in terms if term not in values.limits]
        conditions += ["r.run_no = m.run_no", self._scope.runs_sql(statement.parameters)]
        conditions += statement.sift(others) if is_sifted else statement.lookup(others)
        is_text = key.target.kind != "metric"
        value = ordering_head(values.value_sql) if is_text else values.value_sql
        columns = [
            SortColumn(value, key.is_descending, is_nullable=False),
            *(statement.column(other) for other in keys[1:]),
        ]
        leading = f"{values.order_sql}, " if is_text and after is None else ""
        listing = Listing(f"{source} CROSS JOIN runs r", conditions, columns, limit, after, leading=leading)
        return fetch_found(self._reader, statement, listing)


def _fixed_value(key: OrderKey, terms: Terms) -> float | str | None:
    """Return the one value that the first key can have, if the filter names it."""
    if key.target.kind == "attribute":
        return None
    for term in terms:
        if isinstance(term, Comparison) and term.target == key.target and term.operator == "=":
            assert isinstance(term.value, float | str), "metrics, params and tags are compared with these"
            return term.value if isinstance(term.value, float) else term.value[:ORDER_CHARACTERS]
    return None


def _limits(key: OrderKey, terms: Terms) -> tuple[Comparison, ...]:
    return tuple(
        term
        for term in terms
        if isinstance(term, Comparison)
        and term.target == key.target
        and key.target.kind == "metric"
        and term.operator in RANGE_OPERATORS
    )


def _may_be_nan(key: OrderKey, terms: Terms) -> bool:
    return key.target.kind == "metric" and not _limits(key, terms)


def _may_be_missing(key: OrderKey, terms: Terms) -> bool:
    asked = (term for term in terms if isinstance(term, Comparison) and term.target == key.target)
    return all(term.operator == "IS NULL" for term in asked)


def _asks(expression: Expression) -> set[str]:
    """Return the kinds of what an expression asks for."""
    if isinstance(expression, Comparison):
        return {expression.target.kind}
    if isinstance(expression, Not):
        return _asks(expression.term)
    return set().union(*(_asks(term) for term in expression.terms))


def _time_order(keys: Keys) -> str:
    return f"r.started_at{' DESC' if keys[0].is_descending else ''}, r.run_id"


def _not_before(key: OrderKey, place: Place, statement: Statement) -> str:
    """Return a bound on the time that says nothing new, but lets an index begin there."""
    return f"r.started_at {'<=' if key.is_descending else '>='} {statement.bind(_value(place))}"


def _value(place: Place) -> int | float | str:
    assert place.value is not None, "a run has a start and an id"
    return place.value


def _head_value(place: Place) -> Head:
    value = _value(place)
    assert not isinstance(value, int), "a cursor's types are checked"
    return value
