"""Columns of a list of runs, orders and filters, as text and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.errors import InvalidInput
from paddock.tracking.search import (
    RUN_COLUMNS,
    RUNS,
    And,
    Comparison,
    OrderKey,
    Target,
    check_filter,
    format_columns,
    format_order,
    narrow_filter,
    parse_columns,
    parse_filter,
    parse_order,
    split_order,
)
from paddock.tracking.search.targets import MAX_COLUMNS

KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
ATTRIBUTES = st.sampled_from(list(RUN_COLUMNS.attributes)).map(lambda name: Target("attribute", name))
TARGETS = (
    st.builds(Target, st.sampled_from(["metric", "param", "tag"]), KEYS).filter(
        lambda target: target.key not in RUNS.tag_attributes
    )
    | ATTRIBUTES
)


@given(st.lists(TARGETS, max_size=20, unique=True).map(tuple))
def test_columns_come_back_as_they_were_written(targets: tuple[Target, ...]) -> None:
    """Whatever a key holds, commas, quotes and backticks too, a list of columns is read as it was meant."""
    assert parse_columns(format_columns(targets)) == targets


@given(st.lists(TARGETS.filter(lambda each: each.key != "duration"), min_size=1, max_size=5, unique=True))
def test_order_is_split_at_the_commas_between_its_keys(targets: list[Target]) -> None:
    """A comma inside of a key does not end it."""
    keys = tuple(OrderKey(target, is_descending=True) for target in targets)

    assert parse_order(split_order(format_order(keys)), RUNS) == keys


def test_empty_text_names_nothing() -> None:
    """No text is no columns and no order."""
    assert parse_columns(" ") == ()
    assert split_order("  ") == ()


@pytest.mark.parametrize(
    ("text", "position"),
    [("metrics.auc,", 13), ("metrics.auc params.a", 13), ("auc", 1), ("metrics.a,'b'", 11), (",", 1)],
)
def test_faulty_columns_point_at_the_fault(text: str, position: int) -> None:
    """What is no list of names is refused at its character."""
    with pytest.raises(InvalidInput) as caught:
        parse_columns(text)

    assert caught.value.details["position"] == position


def test_columns_are_bounded() -> None:
    """A table has at most 100 columns; one named twice counts once."""
    names = [f"metrics.m{number}" for number in range(MAX_COLUMNS)]

    assert len(parse_columns(",".join([*names, names[0]]))) == MAX_COLUMNS
    with pytest.raises(InvalidInput, match="101 columns"):
        parse_columns(",".join([*names, "status"]))


@given(st.text(max_size=60))
def test_check_says_no_where_parsing_refuses(text: str) -> None:
    """A filter is without fault exactly when it can be parsed, and a fault lies within the text."""
    fault = check_filter(text)

    if fault is None:
        parse_filter(text, RUNS)
    else:
        assert 0 <= fault.position <= len(text)
        with pytest.raises(InvalidInput):
            parse_filter(text, RUNS)


@given(KEYS, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40))
def test_narrowed_filter_holds_both_conditions(key: str, value: str) -> None:
    """`a OR b`, narrowed to a value, asks for the value of either."""
    narrowed = parse_filter(narrow_filter("tags.a = 'x' OR tags.b = 'y'", Target("param", key), value), RUNS)

    assert isinstance(narrowed, And)
    assert narrowed.terms[0] == parse_filter("tags.a = 'x' OR tags.b = 'y'", RUNS)
    assert narrowed.terms[1] == Comparison(Target("param", key), "=", value)
