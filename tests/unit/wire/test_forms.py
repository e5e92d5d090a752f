"""Forms of pages, read into structs."""

from typing import Literal
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.errors import InvalidInput
from paddock.wire import RequestRefused, decode_form
from paddock.wire.structs import Request

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


class Choice(Request, frozen=True, kw_only=True):
    change: Literal["tag", "delete"]
    runs: tuple[str, ...] = ()
    value: str = ""


@given(st.lists(TEXT, max_size=20), TEXT)
def test_form_comes_back_as_a_browser_sends_it(runs: list[str], value: str) -> None:
    """Every text, in every field, arrives as it was."""
    pairs = [("change", "tag"), ("value", value), *(("runs", run) for run in runs)]

    assert decode_form(urlencode(pairs).encode(), Choice) == Choice(
        change="tag", runs=tuple(runs), value=value
    )


@pytest.mark.parametrize(
    "body",
    [
        b"change",
        b"change=tag&change=delete",
        b"change=tag&value=a&value=b",
        b"change=tag&value=%00",
        b"change=tag&value=%ff",
        b"change=tag&value=\xc3\xa4",
        b"&".join([b"change=tag", *[b"runs=a"] * 2_000]),
    ],
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    """Fields without a value, twice where there can be one, with NUL, not in UTF-8 or too many."""
    with pytest.raises(RequestRefused):
        decode_form(body, Choice)


@pytest.mark.parametrize("body", [b"", b"change=purge", b"change=tag&owner=eve"])
def test_form_that_does_not_fit_says_why(body: bytes) -> None:
    """A missing field, a value that is none, and a field that is not there are told apart from bad forms."""
    with pytest.raises(InvalidInput, match="the form does not fit"):
        decode_form(body, Choice)
