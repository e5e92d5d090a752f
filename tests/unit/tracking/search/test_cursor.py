"""Cursors: opaque, bound to their query, and harmless when forged."""

import base64
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.kernel.errors import InvalidInput
from paddock.tracking.search import (
    RUNS,
    Place,
    RunQuery,
    format_cursor,
    full_order,
    parse_cursor,
    parse_filter,
    parse_order,
)

KEYS = full_order(parse_order(["metrics.a", "params.b DESC", "end_time"], RUNS), RUNS)
PLACES = (Place(0, 0.5), Place(2), Place(2), Place(0, -7), Place(0, "0192"))
QUERY = RunQuery("default", (1, 2), parse_filter("metrics.a > 1", RUNS), parse_order(["metrics.a"], RUNS))


def _encode(digest: object, *places: object) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode([digest, list(places)])).decode().rstrip("=")


def test_cursor_comes_back_as_it_was():
    """A place keeps its values exactly, the infinities and the longest texts too."""
    places = (Place(0, float("-inf")), Place(0, "é" * 256), *PLACES[2:])

    assert parse_cursor(format_cursor("d", places), "d", KEYS, RUNS) == places
    assert parse_cursor(format_cursor("d", (Place(1), *PLACES[1:])), "d", KEYS, RUNS)[0] == Place(1)


@pytest.mark.parametrize(
    "other",
    [
        replace(QUERY, project_id="other"),
        replace(QUERY, experiment_nos=(1,)),
        replace(QUERY, experiment_nos=None),
        replace(QUERY, filter=parse_filter("metrics.a > 2", RUNS)),
        replace(QUERY, order=parse_order(["metrics.a DESC"], RUNS)),
        replace(QUERY, lifecycle="all"),
    ],
)
def test_every_part_of_a_query_is_in_its_digest(other):
    """A cursor of a query that differs in anything that decides the rows is refused."""
    keys = full_order(QUERY.order, RUNS)
    cursor = format_cursor(QUERY.digest, (PLACES[0], *PLACES[3:]))

    assert parse_cursor(cursor, QUERY.digest, keys, RUNS)
    with pytest.raises(InvalidInput, match="another query"):
        parse_cursor(cursor, other.digest, keys, RUNS)


def test_how_a_query_is_written_does_not_matter():
    """Order of the experiments, spelling of the filter, limit and cursor leave the digest as it is."""
    same = replace(
        QUERY, experiment_nos=(2, 1, 2), filter=parse_filter("(metric.`a`>1.0)", RUNS), limit=7, cursor="x"
    )

    assert same.digest == QUERY.digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "é",
        "====",
        "A" * 20_000,
        _encode("d"),
        _encode("d", [0, 0.5]),
        _encode("d", [0, 1], [2, None], [2, None], [0, -7], [0, "r"]),
        _encode("d", [0, float("nan")], [2, None], [2, None], [0, -7], [0, "r"]),
        _encode("d", [0, None], [2, None], [2, None], [0, -7], [0, "r"]),
        _encode("d", [3, None], [2, None], [2, None], [0, -7], [0, "r"]),
        _encode("d", [2, 0.5], [2, None], [2, None], [0, -7], [0, "r"]),
        _encode("d", [0, 0.5], [1, None], [2, None], [0, -7], [0, "r"]),
        _encode("d", [0, 0.5], [0, "x" * 257], [2, None], [0, -7], [0, "r"]),
        _encode("d", [0, 0.5], [0, "a\0"], [2, None], [0, -7], [0, "r"]),
        _encode("d", [0, 0.5], [0, b"a"], [2, None], [0, -7], [0, "r"]),
        _encode("d", [0, 0.5], [2, None], [2, None], [2, None], [0, "r"]),
        _encode("d", [0, 0.5], [2, None], [2, None], [0, 2**63], [0, "r"]),
        _encode("d", [0, 0.5], [2, None], [2, None], [0, -7.0], [0, "r"]),
        _encode("d", [0, 0.5], [2, None], [2, None], [0, -7], [2, None]),
        _encode("d", [0, 0.5], [2, None], [2, None], [0, -7], [0, "r"], [0, "r"]),
        _encode(5, [0, 0.5], [2, None], [2, None], [0, -7], [0, "r"]),
    ],
)
def test_forged_cursor_is_refused(text):
    """What is no cursor of the order, by number, type, rank or size of its values, is refused."""
    with pytest.raises(InvalidInput, match="no cursor of a search"):
        parse_cursor(text, "d", KEYS, RUNS)


WIRE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
PLACE = st.tuples(st.sampled_from((0, 1, 2)), WIRE)
BODIES = st.one_of(
    st.binary(),
    WIRE.map(msgspec.msgpack.encode),
    st.tuples(PLACE, PLACE, PLACE, PLACE, PLACE).map(lambda places: msgspec.msgpack.encode(["d", places])),
)


@settings(max_examples=300, deadline=None)
@given(body=BODIES)
def test_any_bytes_are_a_place_or_invalid(body):
    """Whatever stands in a cursor, it is refused, or its values have the types of the order."""
    text = base64.urlsafe_b64encode(body).decode().rstrip("=")

    try:
        places = parse_cursor(text, "d", KEYS, RUNS)
    except InvalidInput:
        return

    types = (float, str, int, int, str)
    assert all(
        place.value is None or type(place.value) is kind for place, kind in zip(places, types, strict=True)
    )
