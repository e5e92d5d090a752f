"""Queries of every kind for the runs of the search tests."""

from collections.abc import Sequence
from typing import get_args

from hypothesis import strategies as st
from search_kit import PROJECT

from paddock.tracking.search import (
    RUNS,
    And,
    Comparison,
    LifecycleView,
    Not,
    Or,
    OrderKey,
    RunQuery,
    Target,
)
from paddock.tracking.search.expressions import Operator, Value
from paddock.tracking.search.parser import operators_of
from paddock.tracking.sql.search.walk import Effort

_TARGETS = (
    *(Target("metric", key) for key in ("a", "b", "c d", "none")),
    *(Target("param", key) for key in ("p", "q", "none")),
    *(Target("tag", key) for key in ("t", "u.v")),
    *(Target("dataset", key) for key in ("name", "digest", "context")),
    *(Target("attribute", key) for key in RUNS.attributes),
)
_SORTABLE = tuple(target for target in _TARGETS if target.kind != "dataset")
_LONG = "s3://bucket/" + "x" * 60
_WORDS = (
    "forest",
    "fo_est",
    "fo%",
    "%est",
    "%o%e%",
    "ÄPFEL",
    "äp%",
    "it's",
    "tree\\x",
    "t%\\%",
    "",
    _LONG + "a",
)
_OWN = (
    "alpha",
    "beta",
    "b%",
    "p1",
    "ann",
    "iris",
    "d1",
    "3",
    "train",
    _LONG + "%",
    _LONG + "y" * 300,
    "\U0010ffff%",
)


def _values(target: Target, operator: Operator) -> st.SearchStrategy[Value]:
    if operator in ("IS NULL", "IS NOT NULL", "IS NAN"):
        return st.none()
    if target.kind == "metric":
        return st.sampled_from((-1.0, 0.0, 0.5, 1.0, float("inf"), 0.7))
    attribute = RUNS.attributes[target.key] if target.kind == "attribute" else None
    if attribute and attribute.type == "number":
        return st.sampled_from((1000, 1001, 2000, -1, 1000.5, 5000, 10**18, float("-inf"), 5001.234))
    words: Sequence[str] = ("1", "2", "3") if attribute and attribute.type == "id" else _WORDS + _OWN
    if attribute and attribute.is_folded:
        words = ("running", "finished", "f%", "active", "deleted")
    if operator in ("IN", "NOT IN"):
        return st.lists(st.sampled_from(words), min_size=1, max_size=3).map(tuple)
    return st.sampled_from(words)


@st.composite
def _comparisons(draw: st.DrawFn) -> Comparison:
    target = draw(st.sampled_from(_TARGETS))
    operator = draw(st.sampled_from(operators_of(target, RUNS)))
    return Comparison(target, operator, draw(_values(target, operator)))


EXPRESSIONS = st.recursive(
    _comparisons(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: And(tuple(terms))),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: Or(tuple(terms))),
        inner.map(Not),
    ),
    max_leaves=4,
)
_ORDERS = st.lists(
    st.builds(OrderKey, st.sampled_from(_SORTABLE), st.booleans()),
    max_size=3,
    unique_by=lambda key: key.target,
).map(tuple)
QUERIES = st.builds(
    RunQuery,
    project_id=st.just(PROJECT),
    experiment_nos=st.sampled_from((None, (1,), (2, 1), (1, 9), (9,), ())),
    filter=st.none() | EXPRESSIONS,
    order=_ORDERS,
    lifecycle=st.sampled_from(get_args(LifecycleView)),
    limit=st.sampled_from((1, 3, 20, 100)),
)
EFFORTS = st.sampled_from((None, Effort(0, 1), Effort(0, 4), Effort(5, 7), Effort(1_000, 2)))
