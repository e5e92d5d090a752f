"""From a filter to a condition, for any table: the caller says where each target is found.

A condition is true or false, never unknown, so that NOT of it is what it says. Values are bound parameters;
the text of a statement is made of the caller's own words and of these operators alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from paddock.tracking.search import And, Comparison, Expression, Not, Or, Target
from paddock.tracking.sql.search.binding import Parameters

# milliseconds: a column in microseconds that filters speak of in milliseconds, which are whole ones of them;
# whole: a whole number that filters write as text
Unit = Literal["as_is", "milliseconds", "whole"]
Fold = Literal["as_is", "lower", "upper"]

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True)
class ColumnSql:
    """A value of the searched row itself. fold: the case in which the column holds its words."""

    value: str
    is_nullable: bool = False
    unit: Unit = "as_is"
    fold: Fold = "as_is"


@dataclass(frozen=True, slots=True)
class LookupSql:
    """A value of another table.

    found: a condition that is never NULL, with `{test}` where the value is tested and `{key}` where the key
    is named, such as `EXISTS (SELECT 1 FROM tags t WHERE t.name = m.name AND t.key = {key} AND {test})`.
    value: what is tested there, such as `t.value`. has_nan: NULL is NaN.
    """

    found: str
    value: str
    has_nan: bool = False


TargetSql: TypeAlias = ColumnSql | LookupSql


class Targets:
    """Where each target of an entity is found.

    named: by kind and key, such as ("attribute", "status"). keyed: all other keys of a kind, such as "tag".
    """

    def __init__(
        self, named: Mapping[tuple[str, str], TargetSql], keyed: Mapping[str, LookupSql] | None = None
    ) -> None:
        self._named = named
        self._keyed = keyed or {}

    def find(self, target: Target) -> TargetSql:
        """Return it; a KeyError says that a table allows a target that has no column."""
        named = self._named.get((target.kind, target.key))
        return self._keyed[target.kind] if named is None else named


def compile_condition(expression: Expression, targets: Targets, parameters: Parameters) -> str:
    """Return a condition for a WHERE, with its values bound in `parameters`.

    >>> parameters = Parameters()
    >>> targets = Targets({("attribute", "name"): ColumnSql("m.name")})
    >>> compile_condition(Not(Comparison(Target("attribute", "name"), "=", "delay")), targets, parameters)
    'NOT (m.name = :v0)'
    """
    if isinstance(expression, And):
        return _join(" AND ", expression.terms, targets, parameters)
    if isinstance(expression, Or):
        return _join(" OR ", expression.terms, targets, parameters)
    if isinstance(expression, Not):
        return f"NOT ({compile_condition(expression.term, targets, parameters)})"
    return _comparison(expression, targets.find(expression.target), parameters)


def escape_pattern(pattern: str) -> str:
    """Return a LIKE pattern in which a backslash is a backslash, for use with ESCAPE '\\'.

    >>> escape_pattern("50%\\\\")
    '50%\\\\\\\\'
    """
    return pattern.replace("\\", "\\\\")


def lower_ascii(text: str) -> str:
    """Return `text` as LOWER does on both engines: other letters stay as they are.

    >>> lower_ascii("ÄB")
    'Äb'
    """
    return text.translate(_ASCII_LOWER)


def _join(word: str, terms: tuple[Expression, ...], targets: Targets, parameters: Parameters) -> str:
    return f"({word.join(compile_condition(term, targets, parameters) for term in terms)})"


def _comparison(comparison: Comparison, place: TargetSql, parameters: Parameters) -> str:
    if isinstance(place, LookupSql):
        test = _lookup_test(comparison, place, parameters)
        found = place.found.replace("{test}", test)
        if "{key}" in found:
            found = found.replace("{key}", parameters.bind(comparison.target.key))
        return f"NOT {found}" if comparison.operator == "IS NULL" else found
    if comparison.operator in ("IS NULL", "IS NOT NULL"):
        return f"{place.value} {comparison.operator}"
    test = _column_test(comparison, place, parameters)
    return f"COALESCE({test}, FALSE)" if place.is_nullable else test


def _lookup_test(comparison: Comparison, place: LookupSql, parameters: Parameters) -> str:
    if comparison.operator in ("IS NULL", "IS NOT NULL"):
        return "TRUE"
    if comparison.operator == "IS NAN":
        return f"{place.value} IS NULL"
    test = _test(place.value, comparison, parameters)
    # NaN is unequal to everything
    return f"({place.value} IS NULL OR {test})" if place.has_nan and comparison.operator == "!=" else test


def _column_test(comparison: Comparison, place: ColumnSql, parameters: Parameters) -> str:
    value = comparison.value
    if place.unit == "milliseconds" and isinstance(value, int | float):
        return _time_test(place.value, comparison.operator, value, parameters)
    if place.unit == "whole":
        values = value if isinstance(value, tuple) else (str(value),)
        numbers = parameters.bind_all(tuple(int(each) for each in values))
        return f"{place.value} {'NOT IN' if comparison.operator in ('!=', 'NOT IN') else 'IN'} ({numbers})"
    if place.fold != "as_is":
        comparison = Comparison(comparison.target, comparison.operator, _folded(comparison, place.fold))
    return _test(place.value, comparison, parameters)


def _folded(comparison: Comparison, fold: Fold) -> str | tuple[str, ...]:
    change = str.upper if fold == "upper" else str.lower
    value = comparison.value
    return tuple(change(each) for each in value) if isinstance(value, tuple) else change(str(value))


def _test(tested: str, comparison: Comparison, parameters: Parameters) -> str:
    operator, value = comparison.operator, comparison.value
    if isinstance(value, tuple):
        return f"{tested} {operator} ({parameters.bind_all(value)})"
    if isinstance(value, str):
        if operator == "LIKE":
            return rf"{tested} LIKE {parameters.bind(escape_pattern(value))} ESCAPE '\'"
        if operator == "ILIKE":
            pattern = lower_ascii(escape_pattern(value))
            return rf"LOWER({tested}) LIKE {parameters.bind(pattern)} ESCAPE '\'"
    return f"{tested} {'<>' if operator == '!=' else operator} {parameters.bind(value)}"


def _time_test(column: str, operator: str, value: int | float, parameters: Parameters) -> str:
    """Compare a column in microseconds, rounded down to milliseconds, with a number of milliseconds.

    >>> parameters = Parameters()
    >>> _time_test("r.started_at", ">", 1.5, parameters), parameters.values
    ('r.started_at >= :v0', {'v0': 2000})
    """
    above, at_least = _whole_micros(value, is_above=True), _whole_micros(value, is_above=False)
    if operator in ("=", "!="):
        is_whole = not math.isinf(value) and value == math.floor(value)
        # of a time that is no whole millisecond there is none
        low, high = (at_least, above) if is_whole else (_LARGEST, _SMALLEST)
        test = f"{column} >= {parameters.bind(low)} AND {column} < {parameters.bind(high)}"
        return f"({test})" if operator == "=" else f"NOT ({test})"
    sign = ">=" if operator in (">", ">=") else "<"
    return f"{column} {sign} {parameters.bind(above if operator in ('>', '<=') else at_least)}"


def _whole_micros(value: int | float, *, is_above: bool) -> int:
    """Return the first microsecond of the first whole millisecond above (or at least) `value`."""
    if math.isinf(value):
        return _LARGEST if value > 0 else _SMALLEST
    first = math.floor(value) + 1 if is_above else math.ceil(value)
    return min(max(first * 1_000, _SMALLEST), _LARGEST)
