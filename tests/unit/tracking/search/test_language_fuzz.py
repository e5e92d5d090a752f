"""Whatever text comes, the language answers with a value or with InvalidInput."""

from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.kernel.errors import InvalidInput
from paddock.tracking.search import (
    EXPERIMENTS,
    LOGGED_MODELS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    RUNS,
    format_filter,
    format_order,
    parse_filter,
    parse_order,
)

ENTITIES = st.sampled_from((RUNS, EXPERIMENTS, REGISTERED_MODELS, MODEL_VERSIONS, LOGGED_MODELS))
PIECES = st.sampled_from(
    (
        *(
            "metrics.a",
            "params.`b c`",
            'tags."d"',
            "attributes.run_id",
            "start_time",
            "dataset.name",
            "x",
            "name",
        ),
        *(
            "=",
            "!=",
            ">",
            ">=",
            "<",
            "<=",
            "==",
            "LIKE",
            "ilike",
            "IN",
            "NOT",
            "IS",
            "NULL",
            "NAN",
            "AND",
            "or",
        ),
        *(
            "(",
            ")",
            ",",
            "'text'",
            '"text"',
            "`key`",
            "'it''s'",
            "'",
            "`",
            "1",
            "-1.5",
            "1e999",
            ".",
            "'%_\\'",
            ";",
        ),
        *(
            "metrics.a > 1",
            "params.b = 'c'",
            "tags.d IS NULL",
            "run_id IN ('a', 'b')",
            "status = 'X'",
            "\ud800",
            "\0",
        ),
    )
)
SENTENCES = st.builds(str.join, st.sampled_from((" ", " ", "", "\n")), st.lists(PIECES, max_size=12))


@settings(max_examples=500, deadline=None)
@given(text=st.one_of(st.text(), SENTENCES), entity=ENTITIES)
def test_any_text_is_a_filter_or_invalid(text, entity):
    """No text makes the parser do anything but answer or refuse; what it takes is printed and read again."""
    try:
        expression = parse_filter(text, entity)
    except InvalidInput as error:
        position = error.details["position"]
    else:
        position = 1
        assert parse_filter(format_filter(expression), entity) == expression

    assert 1 <= position <= len(text) + 1


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(st.one_of(st.text(), SENTENCES), max_size=3), entity=ENTITIES)
def test_any_text_is_an_order_or_invalid(texts, entity):
    """The same holds for orders."""
    try:
        keys = parse_order(texts, entity)
    except InvalidInput:
        return

    assert parse_order([format_order([key]) for key in keys], entity) == keys
