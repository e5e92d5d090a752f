"""What a filter and an order say, as values. Nothing here knows tables or their columns."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind = Literal["attribute", "metric", "param", "tag", "dataset"]
Operator = Literal[
    "=", "!=", ">", ">=", "<", "<=", "LIKE", "ILIKE", "IN", "NOT IN", "IS NULL", "IS NOT NULL", "IS NAN"
]
Value: TypeAlias = int | float | str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Target:
    """What is compared or sorted by: `Target("metric", "auc")`, `Target("attribute", "start_time")`."""

    kind: Kind
    key: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """One test. It is false, never unknown, where the target is missing; `NOT` of it is then true.

    value: a number or text, a tuple of texts for IN and NOT IN, None after IS. NaN is there, unequal to
    every number, and neither above nor below one.
    """

    target: Target
    operator: Operator
    value: Value = None


@dataclass(frozen=True, slots=True)
class And:
    """At least two terms, none of them an And."""

    terms: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least two terms, none of them an Or."""

    terms: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Not:
    term: "Expression"


Expression: TypeAlias = Comparison | And | Or | Not


@dataclass(frozen=True, slots=True)
class OrderKey:
    """Missing and NaN come last in both directions, NaN before missing."""

    target: Target
    is_descending: bool = False


def join_and(terms: tuple[Expression, ...]) -> Expression:
    """Return one expression that holds when all of `terms` do; there is at least one.

    >>> a, b = Comparison(Target("tag", "a"), "IS NULL"), Comparison(Target("tag", "b"), "IS NULL")
    >>> join_and((a, And((b, a)))) == And((a, b, a)), join_and((a,)) == a
    (True, True)
    """
    flat = tuple(inner for term in terms for inner in (term.terms if isinstance(term, And) else (term,)))
    return And(flat) if len(flat) > 1 else flat[0]


def join_or(terms: tuple[Expression, ...]) -> Expression:
    """Return one expression that holds when one of `terms` does; there is at least one."""
    flat = tuple(inner for term in terms for inner in (term.terms if isinstance(term, Or) else (term,)))
    return Or(flat) if len(flat) > 1 else flat[0]


def and_terms(expression: Expression | None) -> tuple[Expression, ...]:
    """Return what must all hold for `expression` to hold.

    >>> and_terms(None)
    ()
    """
    if expression is None:
        return ()
    return expression.terms if isinstance(expression, And) else (expression,)
