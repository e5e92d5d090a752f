"""Pieces of the index by which runs are sorted: the values of one key, in the direction of the order."""

# ruff: noqa: S608 - statements are made of words of this package; values are parameters

from dataclasses import dataclass, replace

from paddock.metadata import Reader, SqlValue
from paddock.tracking.search import Comparison, OrderKey
from paddock.tracking.sql.search.binding import Parameters
from paddock.tracking.sql.search.run_targets import HEAD_CHARACTERS, INDEXED_COLUMNS, TABLES
from paddock.tracking.sql.search.scopes import Scope

# a number, or what the index has of a text
Head = float | str


@dataclass(frozen=True, slots=True)
class Range:
    """Values of an indexed key by their heads, said as they follow one another in the order.

    past: behind all that have this head; start: from it on; end: before it; only: it alone.
    limits: what a filter says of a metric.
    """

    key: OrderKey
    limits: tuple[Comparison, ...] = ()
    past: Head | None = None
    start: Head | None = None
    end: Head | None = None
    only: Head | None = None

    def behind(self, head: Head) -> "Range":
        """Return the values behind all that have this head."""
        return replace(self, past=head, start=None)

    def from_on(self, head: Head) -> "Range":
        """Return the values that have this head, and those behind them."""
        return replace(self, past=None, start=head)

    @property
    def value_sql(self) -> str:
        """The value in a row `m` of the key's table."""
        return f"m.{INDEXED_COLUMNS.get(self.key.target.key, '')}" if self._is_column else "m.value"

    @property
    def head_sql(self) -> str:
        """What the index is sorted by, in a row `m`."""
        is_cut = self.key.target.kind in ("param", "tag")
        return f"substr(m.value, 1, {HEAD_CHARACTERS})" if is_cut else self.value_sql

    @property
    def table_sql(self) -> str:
        """The table, as a source `m`."""
        return f"{'runs' if self._is_column else TABLES[self.key.target.kind]} m"

    @property
    def order_sql(self) -> str:
        return f"{self.head_sql}{' DESC' if self.key.is_descending else ''}"

    @property
    def _is_column(self) -> bool:
        return self.key.target.kind == "attribute"

    def conditions(self, scope: Scope, parameters: Parameters) -> str:
        """Return the condition on a row `m`."""
        column = self.head_sql
        follows, comes = ("<", ">") if self.key.is_descending else (">", "<")
        parts = [scope.experiments_sql("m.experiment_no", parameters)]
        if not self._is_column:
            parts.append(f"m.key = {parameters.bind(self.key.target.key)}")
        if self.key.target.kind == "metric":
            parts.append(f"{column} IS NOT NULL")  # NULL is NaN
        for limit in self.limits:
            assert isinstance(limit.value, float), "metrics are compared with numbers"
            parts.append(f"{column} {limit.operator} {parameters.bind(limit.value)}")
        for sign, head in (
            (follows, self.past),
            (f"{follows}=", self.start),
            (comes, self.end),
            ("=", self.only),
        ):
            if head is not None:
                parts.append(f"{column} {sign} {parameters.bind(head)}")
        return " AND ".join(parts)


def is_indexed(key: OrderKey) -> bool:
    """Say whether an index of each experiment is sorted by this key."""
    return key.target.kind in TABLES or (key.target.kind == "attribute" and key.target.key in INDEXED_COLUMNS)


def can_split(head: Head, key: OrderKey) -> bool:
    """Say whether all values that have this head are equal; of params and tags those with a short one are.

    >>> from paddock.tracking.search import Target
    >>> key = OrderKey(Target("param", "path"))
    >>> can_split("forest", key), can_split("x" * 64, key)
    (True, False)
    """
    return not isinstance(head, str) or key.target.kind == "attribute" or len(head) < HEAD_CHARACTERS


def head_of(value: Head, key: OrderKey) -> Head:
    """Return what the index has of a value.

    >>> from paddock.tracking.search import Target
    >>> len(str(head_of("x" * 100, OrderKey(Target("param", "path")))))
    64
    """
    is_cut = isinstance(value, str) and key.target.kind in ("param", "tag")
    return value[:HEAD_CHARACTERS] if is_cut and isinstance(value, str) else value


def read_bounds(reader: Reader, scope: Scope, values: Range, window: int) -> tuple[Head | None, Head | None]:
    """Return the first head of a range, and the one `window` rows further on; None where there is none."""
    parameters = Parameters()
    head = (
        f"SELECT {values.head_sql} FROM {values.table_sql} WHERE {values.conditions(scope, parameters)}"
        f" ORDER BY {values.order_sql} LIMIT 1"
    )
    row = reader.fetch_one(
        f"SELECT ({head}) AS first, ({head} OFFSET {parameters.bind(window)}) AS boundary", parameters.values
    )
    assert row is not None, "a SELECT without FROM is one row"
    return _head(row["first"]), _head(row["boundary"])


def _head(value: SqlValue) -> Head | None:
    assert value is None or isinstance(value, float | str)
    return value
