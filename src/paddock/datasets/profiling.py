"""Make a profile of an Arrow table: one pass per column, no copy of the table.

A number column costs one sort: counts at any edges, exact quantiles and the places of NaN and
infinity are then binary searches (about 80 million rows a second). Categories are counted as
dictionary codes; only the values that are kept become Python strings.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from paddock.datasets.profile import (
    MAX_CATEGORIES,
    MAX_EDGES,
    MAX_NEW_CATEGORIES,
    ColumnKind,
    ColumnProfile,
    Profile,
    top_new,
)
from paddock.kernel.errors import InvalidRows

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_BOOLEANS = ("false", "true")
_MICROS_PER_DAY = 86_400_000_000
_MICROS_PER_UNIT = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}


def profile_table(table: pa.Table) -> Profile:
    """Return the profile of `table`, its bins made from these rows.

    Numbers and times: up to 256 bins at the quantiles, or one per value when there are fewer.
    Texts with more than 1,000 values, of which most occur once, are profiled by length.
    Columns of other types (lists, structs, bytes) are counted as present or missing.
    """
    return Profile(table.num_rows, tuple(map(profile_column, table.column_names, table.columns)))


def profile_like(table: pa.Table, reference: Profile) -> Profile:
    """Return the profile of `table` over the columns, bins and categories of `reference`.

    Columns that the reference does not have are left out. Raises InvalidRows with all faults
    when a column is missing or holds another kind of value.
    """
    check_like(table.schema, reference)
    columns = (profile_column_like(table.column(column.name), column) for column in reference.columns)
    return Profile(table.num_rows, tuple(columns))


def check_like(schema: pa.Schema, reference: Profile) -> None:
    """Raise InvalidRows with all the reasons why rows of `schema` cannot be profiled like `reference`."""
    problems = [problem for column in reference.columns for problem in _faults(schema, column)]
    if problems:
        raise InvalidRows("; ".join(problems), problems=tuple(problems))


def kind_of(arrow_type: pa.DataType) -> ColumnKind:
    """Return how a column of this Arrow type is profiled, before its values are seen.

    >>> kind_of(pa.float32()), kind_of(pa.date32()), kind_of(pa.string())
    ('number', 'time', 'category')
    """
    if pa.types.is_boolean(arrow_type):
        return "boolean"
    if _is_number(arrow_type):
        return "number"
    return "time" if pa.types.is_temporal(arrow_type) and arrow_type != _CALENDAR else "category"


_CALENDAR = pa.month_day_nano_interval()


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _has_names(kind: pa.DataType) -> bool:
    """Say whether each value can be counted by its name."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return _is_text(inner) or _is_number(inner) or pa.types.is_boolean(inner) or inner == pa.null()


def profile_column(name: str, column: pa.ChunkedArray) -> ColumnProfile:
    """Return what `profile_table` says about one column."""
    kind = kind_of(column.type)
    if kind in ("number", "time"):
        return _count_numbers(name, kind, column, None)
    if kind == "boolean":
        return _count_known(name, kind, column, _BOOLEANS)
    if not _has_names(column.type):
        return _count_presence(name, column)
    values, counts = _value_counts(column)
    if _is_text(column.type) and len(values) > MAX_CATEGORIES and 2 * len(values) > int(counts.sum()):
        return _count_lengths(name, column, None)
    return _keep_top(name, column, values, counts)


def profile_column_like(column: pa.ChunkedArray, reference: ColumnProfile) -> ColumnProfile:
    """Return what `profile_like` says about one column; it must have passed `check_like`."""
    name, kind = reference.name, reference.kind
    if kind in ("number", "time"):
        return _count_numbers(name, kind, column, np.asarray(reference.edges))
    if kind == "text":
        return _count_lengths(name, column, np.asarray(reference.edges))
    if kind == "boolean" and _is_number(column.type):
        column = _zeros_and_ones(column)
    if not _has_names(column.type):
        return _count_presence(name, column)
    return _count_known(name, kind, column, reference.categories, complete=not reference.other)


def _faults(schema: pa.Schema, reference: ColumnProfile) -> list[str]:
    places = schema.get_all_field_indices(reference.name)
    if len(places) != 1:
        return [f"column `{reference.name}` is " + ("missing" if not places else "there more than once")]
    arrow_type = schema.field(places[0]).type
    if arrow_type == pa.null() or _fits(reference, arrow_type):
        return []
    return [f"column `{reference.name}` is of type {arrow_type}, but was {reference.kind} in the reference"]


def _fits(reference: ColumnProfile, arrow_type: pa.DataType) -> bool:
    inner = arrow_type.value_type if pa.types.is_dictionary(arrow_type) else arrow_type
    if reference.kind == "number":
        return _is_number(inner) or bool(pa.types.is_boolean(inner))
    if reference.kind == "time":
        return kind_of(inner) == "time"
    if reference.kind == "boolean":
        return _is_text(inner) or _is_number(inner) or bool(pa.types.is_boolean(inner))
    if reference.kind == "text":
        return _is_text(inner)
    return not pa.types.is_floating(arrow_type) and kind_of(arrow_type) != "time"


def _count_numbers(
    name: str, kind: ColumnKind, column: pa.ChunkedArray, edges: Floats | None
) -> ColumnProfile:
    ordered = np.sort(_as_floats(column))
    nan = int(np.count_nonzero(np.isnan(ordered)))  # NaN sorts behind +inf
    low = int(np.searchsorted(ordered, -np.inf, side="right"))
    high = int(np.searchsorted(ordered[: len(ordered) - nan], np.inf, side="left"))
    finite = ordered[low:high]
    used = quantile_edges(finite) if edges is None else edges
    mean, m2 = _moments(finite)
    return ColumnProfile(
        name=name,
        kind=kind,
        row_count=len(column),
        missing=len(column) - len(ordered),
        nan=nan,
        infinite=len(ordered) - nan - len(finite),
        edges=tuple(used.tolist()),
        counts=tuple(_count_between(finite, used).tolist()),
        mean=mean,
        m2=m2,
        minimum=float(finite[0]) if len(finite) else np.inf,
        maximum=float(finite[-1]) if len(finite) else -np.inf,
    )


def quantile_edges(ordered: Floats) -> Floats:
    """Return at most 257 rising edges for finite values in rising order.

    The first edge is the float just below the smallest value, the last the largest value, so
    nothing of these values lies outside. Up to 256 different values get an edge each.

    >>> quantile_edges(np.array([1.0, 1.0, 2.0]))[1:].tolist()
    [1.0, 2.0]
    """
    if not len(ordered):
        return np.empty(0)
    last_of_equal = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    if len(last_of_equal) >= MAX_EDGES:
        shares = np.arange(1, MAX_EDGES) / (MAX_EDGES - 1)
        last_of_equal = np.ceil(shares * len(ordered)).astype(np.int64) - 1
    inner = np.unique(ordered[last_of_equal])
    return np.concatenate(([math.nextafter(ordered[0], -math.inf)], inner))


def _count_between(ordered: Floats, edges: Floats) -> Integers:
    upto = np.searchsorted(ordered, edges, side="right")
    return np.diff(upto, prepend=0, append=len(ordered)).astype(np.int64)


def _moments(values: Floats) -> tuple[float, float]:
    if not len(values):
        return 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # beyond 1e154 a square is infinite, and stays so
        mean = float(values.mean())
        return mean, float(np.square(values - mean).sum())


def _as_floats(column: pa.ChunkedArray) -> Floats:
    """Return the present values as a new or borrowed array; times in microseconds."""
    arrow_type = column.type
    if pa.types.is_dictionary(arrow_type):
        column = pc.cast(column, arrow_type.value_type)
        arrow_type = column.type
    scale = 1.0
    if pa.types.is_temporal(arrow_type):
        scale = _MICROS_PER_DAY if pa.types.is_date32(arrow_type) else _scale_of(arrow_type)
        column = pc.cast(column, pa.int32() if arrow_type.bit_width == 32 else pa.int64())
    present = pc.drop_null(column) if column.null_count else column
    if not len(present):
        return np.empty(0)
    values = np.asarray(pc.cast(present, pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    return values if scale == 1.0 else values * scale


def _scale_of(arrow_type: pa.DataType) -> float:
    return 1e3 if pa.types.is_date64(arrow_type) else _MICROS_PER_UNIT[arrow_type.unit]


def _count_lengths(name: str, column: pa.ChunkedArray, edges: Floats | None) -> ColumnProfile:
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    text = pc.cast(column, pa.large_string())
    empty = pc.equal(text, "")
    lengths = _count_numbers(name, "text", pc.utf8_length(pc.filter(text, pc.invert(empty))), edges)
    return _with_rows(lengths, rows=len(column), missing=column.null_count, empty=_count_true(empty))


def _with_rows(column: ColumnProfile, *, rows: int, missing: int, empty: int) -> ColumnProfile:
    return ColumnProfile(
        name=column.name,
        kind=column.kind,
        row_count=rows,
        missing=missing,
        empty=empty,
        edges=column.edges,
        counts=column.counts,
        mean=column.mean,
        m2=column.m2,
        minimum=column.minimum,
        maximum=column.maximum,
    )


def _count_true(flags: pa.ChunkedArray) -> int:
    return int(pc.sum(flags).as_py() or 0)


def _count_presence(name: str, column: pa.ChunkedArray) -> ColumnProfile:
    rows, missing = len(column), column.null_count
    return ColumnProfile(name, "category", rows, missing=missing, other=rows - missing)


def _keep_top(name: str, column: pa.ChunkedArray, values: pa.Array, counts: Integers) -> ColumnProfile:
    """Keep the most frequent values; ties by name, so that the order of the rows does not matter."""
    table = pa.table({"value": values, "count": counts})
    named = table.filter(pc.not_equal(table["value"], ""))
    kept = named.sort_by([("count", "descending"), ("value", "ascending")]).slice(0, MAX_CATEGORIES)
    present, kept_counts = int(counts.sum()), tuple(kept["count"].to_pylist())
    named_count = int(pc.sum(named["count"]).as_py() or 0)
    return ColumnProfile(
        name=name,
        kind="category",
        row_count=len(column),
        missing=len(column) - present,
        empty=present - named_count,
        categories=tuple(kept["value"].to_pylist()),
        category_counts=kept_counts,
        other=named_count - sum(kept_counts),
    )


def _count_known(
    name: str, kind: ColumnKind, column: pa.ChunkedArray, categories: Sequence[str], *, complete: bool = True
) -> ColumnProfile:
    """Count by given categories; what is none of them is new by name if they are `complete`."""
    values, counts = _value_counts(column)
    places = pc.index_in(values, value_set=pa.array(categories, pa.large_string()))
    known = np.asarray(places.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    empty = np.asarray(pc.equal(values, "").to_numpy(zero_copy_only=False), dtype=bool)
    new = ~known & ~empty
    by_category = np.zeros(len(categories), dtype=np.int64)
    np.add.at(by_category, places.drop_null().to_numpy(), counts[known])
    return ColumnProfile(
        name=name,
        kind=kind,
        row_count=len(column),
        missing=len(column) - int(counts.sum()),
        empty=int(counts[empty].sum()),
        categories=tuple(categories),
        category_counts=tuple(by_category.tolist()),
        other=int(counts[new].sum()),
        new_categories=_name_new(values.filter(pa.array(new)), counts[new]) if complete else (),
    )


def _name_new(values: pa.Array, counts: Integers) -> tuple[tuple[str, int], ...]:
    table = pa.table({"value": values, "count": counts})
    top = table.sort_by([("count", "descending"), ("value", "ascending")]).slice(0, MAX_NEW_CATEGORIES)
    return top_new(dict(zip(top["value"].to_pylist(), top["count"].to_pylist(), strict=True)))


def _value_counts(column: pa.ChunkedArray) -> tuple[pa.Array, Integers]:
    """Return the different values that occur, as text, and how often each does; nulls left out."""
    was_dictionary = pa.types.is_dictionary(column.type)
    if not was_dictionary:
        column = pc.cast(column, pa.large_string()).dictionary_encode()
    codes = column.unify_dictionaries().combine_chunks()
    counts = np.bincount(
        codes.indices.drop_null().to_numpy(zero_copy_only=False).astype(np.int64),
        minlength=len(codes.dictionary),
    )
    table = pa.table({"value": pc.cast(codes.dictionary, pa.large_string()), "count": counts})
    if was_dictionary:  # a foreign dictionary may hold null, values twice, and values that no row has
        table = table.filter(pc.and_(pc.is_valid(table["value"]), pc.greater(table["count"], 0)))
        table = table.group_by("value").aggregate([("count", "sum")]).rename_columns(["value", "count"])
    return table["value"].combine_chunks(), table["count"].to_numpy().astype(np.int64)


def _zeros_and_ones(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return numbers as texts, 0 and 1 as the two booleans; NaN becomes missing."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    text = pc.cast(column, pa.large_string())
    text = pc.if_else(pc.equal(column, 1), "true", text)
    return pc.if_else(pc.equal(column, 0), "false", text)
