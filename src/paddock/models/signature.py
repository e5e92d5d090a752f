"""A signature read off a table: names, types, ranges and categories as observed."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

from paddock.kernel.errors import InvalidInput
from paddock.models.records import Column, ColumnType, Output, Signature

if TYPE_CHECKING:
    import pyarrow as pa

MAX_CATEGORIES = 65_536


def infer_signature(
    table: "pa.Table",
    *,
    output: Output = Output(),  # noqa: B008  frozen
    allow_missing: Collection[str] = (),
    optional: Collection[str] = (),
    unknown_category: Literal["error", "missing"] = "error",
) -> Signature:
    """Return the signature of the feature columns of `table`, in the order of the table.

    Give the rows the model was fitted on, not a small sample of them: categories are those observed,
    sorted. A column may be missing when a value of it is missing here (null or NaN) or it is named in
    `allow_missing`; `optional` names columns a request may leave out.
    Raises InvalidInput naming every column whose type has no place in a matrix, or that is unknown.
    """
    known = set(table.column_names)
    problems = [f"`{name}` is not a column" for name in [*allow_missing, *optional] if name not in known]
    columns = []
    for field in table.schema:
        kind = _classify(field.type)
        if not kind:
            problems.append(f"column `{field.name}` of type {field.type} cannot be a model input")
            continue
        columns.append(_observe(field.name, kind, table.column(field.name), unknown_category))
    if problems:
        raise InvalidInput("; ".join(problems), problems=tuple(problems))
    return Signature(tuple(_loosen(column, allow_missing, optional) for column in columns), output)


def _classify(kind: "pa.DataType") -> ColumnType | Literal[""]:
    import pyarrow as pa

    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value):
        return "category"
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind):
        return "number"
    return ""


def _observe(
    name: str, kind: ColumnType, values: "pa.ChunkedArray", unknown: Literal["error", "missing"]
) -> Column:
    import pyarrow.compute as pc

    if kind == "category":
        categories = tuple(sorted(text for text in pc.unique(values).to_pylist() if text is not None))
        if len(categories) > MAX_CATEGORIES:
            raise InvalidInput(
                f"column `{name}` has {len(categories)} categories; at most {MAX_CATEGORIES} fit a signature"
            )
        missing = values.null_count > 0
        return Column(name, kind, missing_allowed=missing, categories=categories, unknown_category=unknown)
    present = values.drop_null()
    if kind == "number":
        present = present.filter(pc.is_finite(present))
    missing = values.null_count > 0 or (kind == "number" and len(present) < len(values))
    if kind == "boolean" or not len(present):
        return Column(name, kind, missing_allowed=missing)
    ends = pc.min_max(present).as_py()
    return Column(name, kind, missing_allowed=missing, minimum=float(ends["min"]), maximum=float(ends["max"]))


def _loosen(column: Column, allow_missing: Collection[str], optional: Collection[str]) -> Column:
    from msgspec.structs import replace

    is_optional = column.name in optional
    missing = column.missing_allowed or is_optional or column.name in allow_missing
    return replace(column, missing_allowed=missing, required=not is_optional)
