"""Tokens of the pages of a metric's history."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.errors import InvalidInput
from paddock.mlflow_api.history import format_page_token, parse_page_token


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 10**9 - 1))
def test_token_is_read_as_it_was_written(at_micros: int, count: int):
    """Every moment and count come back."""
    assert parse_page_token(format_page_token(at_micros, count)) == (at_micros, count)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h1",
        "h1.5",
        "h2.5.1",
        "h1.x.1",
        "h1.5.-1",
        "h1.5.x",
        "h1.9223372036854775808.1",
        "h1.5.1.2",
        "h1.5.9999999999",
    ],
)
def test_forged_token_is_refused(text: str):
    """What was not written here is refused."""
    with pytest.raises(InvalidInput, match="Invalid page token"):
        parse_page_token(base64.urlsafe_b64encode(text.encode()).decode())


@given(st.text(max_size=40))
def test_any_text_is_refused_in_words(text: str):
    """Whatever stands in the place of a token ends in a value or a refusal."""
    try:
        parse_page_token(text)
    except InvalidInput:
        return
    assert parse_page_token(text)
