"""The language of searches: filters, orders and cursors, as text and as values. Pure: it knows no store.

- A text becomes a value or an InvalidInput that points at the character; nothing else can happen.
- Its length, depth, terms, lists and patterns are bounded before anything is built from them.
- Text is read once from left to right, without regular expressions.
- A cursor goes with one query, and is refused by any other.
"""

from paddock.tracking.search.cursor import Place, digest_query, format_cursor, parse_cursor
from paddock.tracking.search.entities import (
    EXPERIMENTS,
    LOGGED_MODELS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    RUNS,
    Attribute,
    Entity,
)
from paddock.tracking.search.expressions import (
    And,
    Comparison,
    Expression,
    Not,
    Or,
    OrderKey,
    Target,
    and_terms,
    join_and,
)
from paddock.tracking.search.ordering import full_order, parse_order
from paddock.tracking.search.parser import parse_filter
from paddock.tracking.search.printing import format_filter, format_order
from paddock.tracking.search.queries import (
    MAX_PAGE,
    ExperimentQuery,
    Grouping,
    LifecycleView,
    RunGroup,
    RunQuery,
)
from paddock.tracking.search.targets import (
    RUN_COLUMNS,
    FilterFault,
    check_filter,
    format_columns,
    narrow_filter,
    parse_columns,
    split_order,
)

__all__ = [
    "EXPERIMENTS",
    "LOGGED_MODELS",
    "MAX_PAGE",
    "MODEL_VERSIONS",
    "REGISTERED_MODELS",
    "RUNS",
    "RUN_COLUMNS",
    "And",
    "Attribute",
    "Comparison",
    "Entity",
    "ExperimentQuery",
    "Expression",
    "FilterFault",
    "Grouping",
    "LifecycleView",
    "Not",
    "Or",
    "OrderKey",
    "Place",
    "RunGroup",
    "RunQuery",
    "Target",
    "and_terms",
    "check_filter",
    "digest_query",
    "format_columns",
    "format_cursor",
    "format_filter",
    "format_order",
    "full_order",
    "join_and",
    "narrow_filter",
    "parse_columns",
    "parse_cursor",
    "parse_filter",
    "parse_order",
    "split_order",
]
