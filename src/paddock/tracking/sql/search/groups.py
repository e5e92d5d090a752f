"""Runs counted, and counted by what they have in common."""

# ruff: noqa: S608 - statements are made of words of this package; values are parameters

from dataclasses import dataclass

from paddock.kernel.errors import InvalidInput
from paddock.metadata import Reader, Row, SqlValue
from paddock.tracking.search import Grouping, RunGroup, RunQuery, Target, and_terms
from paddock.tracking.sql.search.run_targets import TABLES
from paddock.tracking.sql.search.scopes import Scope, plan_scopes
from paddock.tracking.sql.search.statements import Statement

_STATUS = Target("attribute", "status")
_MOST_GROUPS = 10_000
# sums of numbers beyond it leave what a float can hold, which PostgreSQL refuses
_SUMMABLE = 1e300


@dataclass(frozen=True, slots=True)
class Tally:
    """What one scope says of a group. summed_count: values that are in `total`."""

    run_count: int
    metric_count: int
    summed_count: int
    total: float
    minimum: float | None
    maximum: float | None

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.run_count + other.run_count,
            self.metric_count + other.metric_count,
            self.summed_count + other.summed_count,
            self.total + other.total,
            min((each.minimum for each in (self, other) if each.minimum is not None), default=None),
            max((each.maximum for each in (self, other) if each.maximum is not None), default=None),
        )

    def as_group(self, value: str | None) -> RunGroup:
        """Return the group of all runs with that value.

        >>> (Tally(1, 1, 1, 1.0, 1.0, 1.0) + Tally(2, 1, 1, 4.0, 4.0, 4.0)).as_group("a").mean
        2.5
        """
        mean = self.total / self.summed_count if self.summed_count else None
        return RunGroup(value, self.run_count, self.metric_count, mean, self.minimum, self.maximum)


def count_runs(reader: Reader, query: RunQuery, at_most: int | None = None) -> int:
    """Return how many runs the query finds on all its pages; order, limit and cursor do not matter.

    at_most: where to stop counting, None to count them all.
    """
    count = 0
    for scope in plan_scopes(reader, query):
        if at_most is None or count < at_most:
            count += _count(reader, scope, query, None if at_most is None else at_most - count)
    return count


def group_runs(reader: Reader, query: RunQuery, grouping: Grouping) -> tuple[RunGroup, ...]:
    """Return the runs that the query finds by one value they have in common, the largest group first.

    Groups of equal size stand by their value, those without one last. InvalidInput for another attribute than
    `status`, or for too many groups.
    """
    if grouping.by != _STATUS and grouping.by.kind not in ("param", "tag"):
        raise InvalidInput("runs are grouped by a param, a tag or `status`", hint="params.model")
    if not 1 <= grouping.limit <= _MOST_GROUPS:
        raise InvalidInput(f"1 to {_MOST_GROUPS:,} groups can be asked for, not {grouping.limit:,}")
    tallies: dict[str | None, Tally] = {}
    scopes = plan_scopes(reader, query)
    for scope in scopes:
        # a group that is small in each scope may be large in all of them
        limit = grouping.limit if len(scopes) == 1 else None
        for value, tally in _tally(reader, scope, query, grouping, limit):
            tallies[value] = tallies[value] + tally if value in tallies else tally
    groups = [tally.as_group(value) for value, tally in tallies.items()]
    groups.sort(key=lambda group: (-group.run_count, group.value is None, group.value or ""))
    return tuple(groups[: grouping.limit])


def _count(reader: Reader, scope: Scope, query: RunQuery, at_most: int | None) -> int:
    statement = Statement(scope, "r.run_no")
    conditions = [scope.runs_sql(statement.parameters), *statement.sift(and_terms(query.filter))]
    found = f"FROM runs r WHERE {' AND '.join(conditions)}"
    if at_most is not None:
        found = f"FROM (SELECT 1 {found} LIMIT {statement.bind(at_most)}) c"
    row = reader.fetch_one(f"SELECT COUNT(*) AS n {found}", statement.parameters.values)
    assert row is not None, "an aggregate is one row"
    return _whole(row["n"])


def _tally(
    reader: Reader, scope: Scope, query: RunQuery, grouping: Grouping, limit: int | None
) -> list[tuple[str | None, Tally]]:
    statement = Statement(scope, "r.run_no")
    value, joins = "r.status", ""
    if grouping.by.kind != "attribute":
        value = "g.value"
        table, key = TABLES[grouping.by.kind], statement.bind(grouping.by.key)
        joins = f" LEFT JOIN {table} g ON g.run_no = r.run_no AND g.key = {key}"
    number = "CAST(NULL AS DOUBLE PRECISION)"
    if grouping.metric:
        number, key = "v.value", statement.bind(grouping.metric)
        joins += f" LEFT JOIN run_metrics v ON v.run_no = r.run_no AND v.key = {key}"
    is_summable = f"{number} BETWEEN {statement.bind(-_SUMMABLE)} AND {statement.bind(_SUMMABLE)}"
    conditions = [scope.runs_sql(statement.parameters), *statement.sift(and_terms(query.filter))]
    rows = reader.fetch_all(
        f"SELECT {value} AS value, COUNT(*) AS runs, COUNT({number}) AS numbers,"
        f" COUNT(CASE WHEN {is_summable} THEN 1 END) AS summed,"
        f" SUM(CASE WHEN {is_summable} THEN {number} END) AS total,"
        f" MIN({number}) AS minimum, MAX({number}) AS maximum FROM runs r{joins}"
        f" WHERE {' AND '.join(conditions)} GROUP BY {value} ORDER BY runs DESC, value NULLS LAST"
        + (f" LIMIT {statement.bind(limit)}" if limit else ""),
        statement.parameters.values,
    )
    return [(None if row["value"] is None else str(row["value"]), _read_tally(row)) for row in rows]


def _read_tally(row: Row) -> Tally:
    return Tally(
        _whole(row["runs"]),
        _whole(row["numbers"]),
        _whole(row["summed"]),
        _number(row["total"]) or 0.0,
        _number(row["minimum"]),
        _number(row["maximum"]),
    )


def _number(value: SqlValue) -> float | None:
    assert value is None or isinstance(value, float)
    return value


def _whole(value: SqlValue) -> int:
    assert isinstance(value, int)
    return value
