"""Reading JSON that was written to do harm."""

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.errors import InvalidInput, LimitExceeded, PaddockError
from paddock.kernel.refusals import (
    BodyTooDeep,
    BodyTooLarge,
    DuplicateKey,
    MalformedJson,
    NumberOutOfRange,
)
from paddock.wire import JsonLimits, check_json, decode_json
from paddock.wire.structs import LogBatch, StartRun

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"[" * 65 + b"]" * 65, BodyTooDeep),
        (b'{"a":[' * 33 + b"]}" * 33, BodyTooDeep),
        (b"[" * 100_000, BodyTooDeep),
        (b"[]" * 3 + b"[" * 70, BodyTooDeep),
        (b'{"a":1,"a":1}', DuplicateKey),
        (b'{"a":1,"\\u0061":1}', DuplicateKey),
        (b'[{"x":{"a":"}","a":"{"}}]', DuplicateKey),
        (b'{"a":":","a":"\\u003a\\u003a"}', DuplicateKey),
        (b"[9223372036854775808]", NumberOutOfRange),
        (b"[-9223372036854775809]", NumberOutOfRange),
        (b"[" + b"9" * 5_000 + b"]", NumberOutOfRange),
        (b"[NaN]", MalformedJson),
        (b"[-Infinity]", MalformedJson),
        (b"[1e999]", MalformedJson),
        (b'["\\ud800"]', MalformedJson),
        (b'["\\udc00\\ud800"]', MalformedJson),
        (b'["\xed\xa0\x80"]', MalformedJson),
        (b'["\xff"]', MalformedJson),
        (b'["\x01"]', MalformedJson),
        (b"[1,]", MalformedJson),
        (b"[01]", MalformedJson),
        (b"[1] 2", MalformedJson),
        (b"]" + b"[" * 3, MalformedJson),
        (b"[}", MalformedJson),
        (b'"', MalformedJson),
        (b"", MalformedJson),
        (b"\xef\xbb\xbf[]", MalformedJson),
        (b"// c\n[]", MalformedJson),
        (b"'a'", MalformedJson),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_ambiguous_or_excessive_json_is_refused(body: bytes, error: type[PaddockError]):
    """What two readers could read differently, or what costs more than it may, is an error of its own."""
    with pytest.raises(error):
        check_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 64 + b"]" * 64,
        b'"[[[[{{{{"',
        b'["\\"[", "\\\\", "]"]',
        b'{"a":{"a":{"a":1}}}',
        b'[{"a":1},{"a":2}]',
        b"[9223372036854775807,-9223372036854775808]",
        b'["123456789012345678901234567890"]',
        b"[0.12345678901234567890123456789]",
        b'["\\ud83d\\ude00"]',
        b'{"a":":","b":"\\u003a:"}',
        b' \n{"a" : 1}\t',
        b"null",
    ],
)
def test_plain_json_passes(body: bytes):
    """Brackets, colons and digits inside of strings are text; equal keys in different objects are fine."""
    check_json(body)


@given(VALUES)
def test_whatever_json_writes_is_read(value: object):
    """No JSON that Python writes from plain values is refused."""
    check_json(json.dumps(value).encode(), JsonLimits(max_depth=100))


@given(st.dictionaries(st.text(), VALUES, min_size=1, max_size=4), st.data())
def test_any_repeated_key_is_found(value: dict[str, object], data: st.DataObject):
    """Writing one pair of an object twice is always a DuplicateKey."""
    key = data.draw(st.sampled_from(sorted(value)))
    pairs = [*value.items(), (key, None)]
    body = "{" + ",".join(f"{json.dumps(name)}:{json.dumps(each)}" for name, each in pairs) + "}"

    with pytest.raises(DuplicateKey):
        check_json(body.encode(), JsonLimits(max_depth=100))


def test_the_repeated_key_is_named():
    """The message says which key."""
    with pytest.raises(DuplicateKey, match="`depth`"):
        check_json(b'{"params": {"depth": "1", "rate": "2", "depth": "3"}}')


def test_size_and_count_are_bounded():
    """Bytes and containers have limits of their own."""
    with pytest.raises(BodyTooLarge):
        check_json(b" " * 11 + b"1", JsonLimits(max_bytes=10))
    with pytest.raises(LimitExceeded):
        check_json(b"[" + b"[]," * 200_000 + b"[]]")


@pytest.mark.timeout(60)  # it takes a tenth of a second; what is not linear in the size takes hours
@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"[" * 8_000_000, LimitExceeded),
        (b"[" * 4_000_000 + b"]" * 4_000_000, LimitExceeded),
        (b'"' * 8_000_000, MalformedJson),
        (b'"[' * 4_000_000, LimitExceeded),
        (b"9" * 8_000_000, NumberOutOfRange),
    ],
    ids=["open", "nested", "quotes", "strings", "digits"],
)
def test_the_largest_hostile_bodies_are_refused(body: bytes, error: type[PaddockError]):
    """8 MB of the worst is refused by name, whatever it is."""
    with pytest.raises(error):
        check_json(body)


@pytest.mark.timeout(60)
def test_the_largest_string_of_escapes_is_accepted():
    """8 MB of escaped quotes are one string, and nothing is wrong with it."""
    check_json(b'"' + b'\\"' * 3_999_999 + b'"')


def test_an_unknown_field_is_named():
    """A request cannot set what the server owns, and is told which field it was."""
    with pytest.raises(InvalidInput, match="status"):
        decode_json(b'{"experiment": "e", "status": "finished"}', StartRun)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b'{"experimnt": "e"}', StartRun, "`experimnt`; the nearest is `experiment`"),
        (
            b'{"metrics": [{"key": "a", "valeu": 1}]}',
            LogBatch,
            "`valeu` - at `$.metrics[0]`; the nearest is `value`",
        ),
        (b'{"metrics": [{"key": "a", "value": 1, "experiment": 1}]}', LogBatch, "at `$.metrics[0]`"),
        (b'{"zzz": 1}', StartRun, "`zzz`"),
    ],
)
def test_nearest_field_is_named(body: bytes, kind: type, words: str):
    """A misspelt field is told with the one that was meant, of the object it stands in."""
    with pytest.raises(InvalidInput) as caught:
        decode_json(body, kind)

    assert caught.value.message.endswith(words)


def test_a_field_of_a_megabyte_is_not_sent_back():
    """What is said about a wrong field is short, however long its name."""
    with pytest.raises(InvalidInput) as caught:
        decode_json(b'{"' + b"x" * 1_000_000 + b'": 1}', StartRun)

    assert len(caught.value.message) < 300


def test_metrics_that_are_no_numbers_travel_as_words():
    """NaN and the infinities are strings on the wire, and floats again behind it."""
    batch = decode_json(b'{"metrics": [{"key": "loss", "value": "NaN"}, {"key": "a", "value": 1}]}', LogBatch)

    assert [point.value for point in batch.metrics] == ["NaN", 1.0]
    assert math.isnan(float(batch.metrics[0].value))
    with pytest.raises(InvalidInput):
        decode_json(b'{"metrics": [{"key": "loss", "value": "nan"}]}', LogBatch)


def test_times_need_a_zone():
    """A time without a zone means nothing and is refused."""
    with pytest.raises(InvalidInput):
        decode_json(b'{"metrics": [{"key": "a", "value": 1, "at": "2013-04-01T05:00:00"}]}', LogBatch)


def test_every_whole_number_of_a_request_fits_into_64_bits():
    """No field of a request takes a Python integer of any size."""
    for step in (2**63, -(2**63) - 1):
        body = msgspec.json.encode({"metrics": [{"key": "a", "value": 1, "step": step}]})
        with pytest.raises(PaddockError):
            decode_json(body, LogBatch)
