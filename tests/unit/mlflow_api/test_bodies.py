"""Reading requests as MLflow's clients write them."""

import json
import math

import pytest

from paddock.kernel.errors import InvalidInput
from paddock.kernel.refusals import BodyTooDeep, BodyTooLarge, MalformedJson
from paddock.mlflow_api.bodies import Int64, OfRun, Part, read_body, read_query, require, run_id_of
from paddock.wire import JsonLimits

LIMITS = JsonLimits()


class Inner(Part, frozen=True):
    key: str = ""
    value: float | None = None


class Outer(OfRun, frozen=True):
    name: str = ""
    step: Int64 = 0
    at: Int64 | None = None
    ids: tuple[str, ...] = ()
    parts: tuple[Inner, ...] = ()


def read(body: bytes, limits: JsonLimits = LIMITS) -> Outer:
    found = read_body(Outer)(b"name=from-the-query", body, limits)
    assert isinstance(found, Outer)
    return found


def ask(query: bytes) -> Outer:
    found = read_query(Outer)(query, b"", LIMITS)
    assert isinstance(found, Outer)
    return found


def test_absent_fields_are_empty():
    """No body is an empty message, and nothing of it comes from the query."""
    assert read(b"") == Outer()
    assert read(b"{}") == Outer()


@pytest.mark.parametrize(
    ("text", "value"),
    [('"NaN"', math.nan), ('"Infinity"', math.inf), ('"-Infinity"', -math.inf), ('"1.5"', 1.5), ("2", 2.0)],
)
def test_floats_are_numbers_or_words(text: str, value: float):
    """A float comes as a number or as a word that names one."""
    (part,) = read(f'{{"parts": [{{"value": {text}}}]}}'.encode()).parts

    assert part.value == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), ('"5"', 5), ("5.0", 5), ('"-9223372036854775808"', -(2**63))]
)
def test_whole_numbers_are_numbers_or_text(text: str, value: int):
    """An int64 comes as a number or as text."""
    assert read(f'{{"step": {text}}}'.encode()).step == value


def test_nulls_and_unknown_fields_are_skipped():
    """A null is an absent field at every level, and what nobody knows is no error."""
    body = b'{"name": null, "new": [{"er": null}], "parts": [{"key": null, "value": 1, "x": {}}]}'

    assert read(body) == Outer(parts=(Inner(value=1.0),))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": 31}, "Invalid value 31 for parameter 'name' supplied: Hint: Value was of type 'int'."),
        ({"step": "x"}, "Invalid value \"x\" for parameter 'step' supplied"),
        (
            {"at": []},
            "Invalid value [] for parameter 'at' supplied: Hint: Value was of type 'list'. Expected `int`",
        ),
        ({"parts": [{}, {"value": "x"}]}, "Invalid value \"x\" for parameter 'parts[1].value' supplied"),
        ({"ids": "a"}, "Invalid value \"a\" for parameter 'ids' supplied"),
        ({"name": ["x" * 500]}, "..."),
    ],
)
def test_misfit_is_told_with_value_and_place(body: object, words: str):
    """What is of the wrong type is shown, shortened, and its place is named."""
    with pytest.raises(InvalidInput) as caught:
        read(json.dumps(body).encode())

    assert words in caught.value.message
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    "body", [b"{", b"[1]", b"nonsense", b'"text"', b'{"step": NaN}', b'{"name": "\xff"}']
)
def test_what_is_no_message_is_refused(body: bytes):
    """What is no JSON object in UTF-8 is refused."""
    with pytest.raises(InvalidInput):
        read(body)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"new": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"])
def test_depth_is_bounded(body: bytes):
    """Deep nesting is refused where it stands, also in fields nobody reads."""
    with pytest.raises((BodyTooDeep, MalformedJson)):
        read(body)


def test_nulls_are_taken_out_within_bounds():
    """Taking nulls out of a deep body ends in a refusal, not in a fault."""
    deep = b'{"name": null, "new": ' + b"[" * 900 + b"]" * 900 + b"}"

    with pytest.raises(BodyTooDeep):
        read(deep)


def test_size_is_bounded():
    """A body beyond the limit is refused unread."""
    with pytest.raises(BodyTooLarge, match="the limit is 10"):
        read(b'{"name": "x"}', JsonLimits(max_bytes=10))


def test_query_has_lists_by_repeating_names():
    """A name that stands several times is a list where the field is one; else the first one counts."""
    assert ask(b"ids=a&ids=b%20c&name=x&name=y&step=5&new=1") == Outer(name="x", step=5, ids=("a", "b c"))


def test_query_of_nothing_is_an_empty_message():
    """A GET without arguments is an empty message."""
    assert ask(b"") == Outer()


@pytest.mark.parametrize("query", [b"step=x", b"name=%ff", b"&".join([b"ids=a"] * 1_001)])
def test_query_that_cannot_be_read_is_refused(query: bytes):
    """Ill-typed values, bytes that are no text and endless lists are refused."""
    with pytest.raises(InvalidInput):
        ask(query)


def test_run_is_named_by_either_field():
    """`run_id` counts before `run_uuid`; without both the request names no run."""
    assert run_id_of(OfRun(run_id="a", run_uuid="b")) == "a"
    assert run_id_of(OfRun(run_uuid="b")) == "b"
    with pytest.raises(InvalidInput, match="Missing value for required parameter 'run_id'"):
        run_id_of(OfRun())


def test_required_fields_are_told_in_their_order():
    """The first field that is missing is named, with the place of the part it is missing in."""
    with pytest.raises(InvalidInput, match=r"'parts\[2\]\.key'"):
        require(Inner(), "key", "value", path="parts[2].")
    require(Inner("a", 0.0), "key", "value")
