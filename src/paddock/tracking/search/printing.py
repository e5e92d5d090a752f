"""From a filter or an order back to text: one text for everything that means the same to the parser."""

import math
from collections.abc import Iterable

from paddock.tracking.search.entities import PLURALS
from paddock.tracking.search.expressions import And, Comparison, Expression, Not, Or, OrderKey, Target, Value
from paddock.tracking.search.lexer import is_name_character


def format_filter(expression: Expression | None) -> str:
    """Return a text that is parsed to `expression` again.

    >>> a, b = Comparison(Target("metric", "a b"), ">", 1.0), Comparison(Target("tag", "b"), "=", "it's")
    >>> format_filter(And((a, Or((b, Not(a))))))
    "metrics.`a b` > 1.0 AND (tags.b = 'it''s' OR NOT metrics.`a b` > 1.0)"
    """
    if expression is None:
        return ""
    if isinstance(expression, And):
        return " AND ".join(_bracket(term, isinstance(term, Or)) for term in expression.terms)
    if isinstance(expression, Or):
        return " OR ".join(format_filter(term) for term in expression.terms)
    if isinstance(expression, Not):
        return f"NOT {_bracket(expression.term, isinstance(expression.term, And | Or))}"
    return _format_comparison(expression)


def format_order(keys: Iterable[OrderKey]) -> str:
    """Return an order as one text.

    >>> format_order([OrderKey(Target("metric", "auc"), is_descending=True)])
    'metrics.auc DESC'
    """
    return ", ".join(f"{format_target(key.target)} {'DESC' if key.is_descending else 'ASC'}" for key in keys)


def format_target(target: Target) -> str:
    """Return a target as it is written, its key in backticks where that is needed.

    >>> format_target(Target("param", "learning rate"))
    'params.`learning rate`'
    """
    if all(is_name_character(each) for each in target.key):
        return f"{PLURALS[target.kind]}.{target.key}"
    return f"{PLURALS[target.kind]}.`{target.key.replace('`', '``')}`"


def _format_comparison(comparison: Comparison) -> str:
    written = f"{format_target(comparison.target)} {comparison.operator}"
    return written if comparison.value is None else f"{written} {_format_value(comparison.value)}"


def _format_value(value: Value) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(_format_value(each) for each in value)})"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, float) and math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    return repr(value)


def _bracket(expression: Expression, is_needed: bool) -> str:
    text = format_filter(expression)
    return f"({text})" if is_needed else text
