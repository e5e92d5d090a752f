"""Values as bytes and back, exactly, without pickle."""

import enum
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.errors import InvalidInput
from paddock.pipelines import NoSerializerError, register_serializer, serializers
from paddock.pipelines.trees import dump_value, is_immutable, load_value


class Point(NamedTuple):
    x: int
    y: int


class Report(msgspec.Struct, frozen=True):
    auc: float
    by_carrier: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Split:
    train: object
    test: object


class Color(enum.Enum):
    RED = 1


_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.dates()
    | st.datetimes(timezones=st.sampled_from([None, UTC]))
)
_KEYS = st.text() | st.integers() | st.tuples(st.integers(), st.text())
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner) | st.dictionaries(_KEYS, inner) | st.tuples(inner, inner) | st.frozensets(_KEYS)
    ),
    max_leaves=20,
)


def _round_trip(value: object) -> object:
    dumped = dump_value(value)
    return load_value(dumped.kind, dumped.body)


@given(_VALUES)
def test_plain_values_come_back_equal_and_of_the_same_type(value: object) -> None:
    """What is read back equals what was written, type by type, and is written the same again."""
    back = _round_trip(value)

    assert back == value
    assert repr(back) == repr(value) or isinstance(value, frozenset) or "frozenset" in repr(value)
    assert dump_value(back) == dump_value(value)


def test_nan_comes_back() -> None:
    """NaN inside a tree is NaN again, not nothing."""
    back = _round_trip({"auc": [math.nan, math.inf]})

    assert repr(back) == "{'auc': [nan, inf]}"


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array([], dtype=np.float32),
        np.array(["a", "bc"]),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.array(["2013-04-01"], dtype="datetime64[D]"),
    ],
)
def test_arrays_come_back(array: np.ndarray) -> None:
    """An array keeps shape, type and content, and the copy may be written to."""
    back = _round_trip(array)

    assert isinstance(back, np.ndarray)
    assert back.dtype == array.dtype
    assert back.flags.writeable
    np.testing.assert_array_equal(back, array)


def test_tables_come_back() -> None:
    """An Arrow table keeps its schema, dictionaries and nulls."""
    table = pa.table(
        {"carrier": pa.array(["AA", None, "AA"]).dictionary_encode(), "late": pa.array([True, False, None])}
    )

    back = _round_trip(table)

    assert isinstance(back, pa.Table)
    assert back.equals(table)
    assert back.schema.equals(table.schema, check_metadata=True)


def test_records_and_mixed_containers_come_back() -> None:
    """Structs, dataclasses and named tuples come back as their class, with tables and arrays inside."""
    table = pa.table({"a": [1, 2]})
    value = {
        "report": Report(0.7, {"AA": (0.6, 0.8)}),
        "split": Split(table, [np.float64(0.5)]),
        "at": (Point(1, 2), date(2013, 4, 1), datetime(2013, 4, 1, tzinfo=UTC)),
    }

    back = _round_trip(value)

    assert back == value
    assert type(back["split"].test[0]) is np.float64


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"model": [object()]}, r"value\['model'\]\[0\] is a `object`"),
        (Color.RED, "has no serializer"),
        (np.array([object()]), "has no serializer"),
        (datetime(2013, 4, 1, tzinfo=ZoneInfo("America/New_York")), "named zone"),
        (["\ud800"], "not valid Unicode"),
        ("\ud800", "surrogates not allowed"),
    ],
)
def test_value_without_a_form_says_which_part(value: object, words: str) -> None:
    """A value that cannot be stored is an error that names the part, never a pickle."""
    with pytest.raises(NoSerializerError, match=words):
        dump_value(value)


def test_value_that_contains_itself_has_no_form() -> None:
    """A list inside itself ends in an error, not in a loop."""
    value: list[object] = []
    value.append(value)

    with pytest.raises(NoSerializerError, match="nested more than"):
        dump_value(value)


def test_class_named_by_the_store_is_not_imported() -> None:
    """A record's class is taken from what is loaded; a module the store names is never imported."""
    body = msgspec.msgpack.encode(["record", "antigravity", "Report"])
    other = msgspec.msgpack.encode(["record", "subprocess", "Popen", ["args", "true"]])

    with pytest.raises(NoSerializerError, match="is not loaded"):
        load_value("tree", body)
    with pytest.raises(NoSerializerError, match="is not loaded"):
        load_value("tree", other)


def test_record_of_other_fields_is_an_error() -> None:
    """A stored record whose class has changed is not forced into it."""
    body = msgspec.msgpack.encode(["record", __name__, "Point", ["x", 1], ["z", 2]])

    with pytest.raises(NoSerializerError, match="other fields now"):
        load_value("tree", body)


class Estimator:
    """Stands for a fitted estimator."""

    def __init__(self, depth: int) -> None:
        self.depth = depth


def _is_estimator(value: object) -> bool:
    return isinstance(value, Estimator)


@pytest.fixture
def estimators_taught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test estimator has a serializer for this test."""
    monkeypatch.setattr(serializers, "_registered", {})
    register_serializer(
        _is_estimator,
        "estimator",
        lambda v: str(vars(v)["depth"]).encode(),
        lambda b: Estimator(int(b)),
    )


@pytest.mark.usefixtures("estimators_taught")
def test_registered_type_is_stored_also_inside_containers() -> None:
    """A taught type works as a value and as a part of one; a failing serializer says so."""
    back = _round_trip({"model": Estimator(6), "auc": 0.7})

    assert back["model"].depth == 6  # type: ignore[index]
    assert dump_value(Estimator(6)).kind == "estimator"
    with pytest.raises(NoSerializerError, match="`estimator` failed"):
        load_value("estimator", b"x")


def test_unknown_kind_is_an_error() -> None:
    """A kind this process was not taught cannot be read here."""
    with pytest.raises(NoSerializerError, match="no serializer `onnx`"):
        load_value("onnx", b"")


def test_built_in_serializer_cannot_be_replaced() -> None:
    """The names of the built-in forms are taken."""
    with pytest.raises(InvalidInput, match="built in"):
        register_serializer(_is_estimator, "arrow", lambda v: b"", lambda b: None)


def test_what_cannot_change_is_shared() -> None:
    """Tables, text, numbers and tuples of them are immutable; arrays and containers are not."""
    assert all(is_immutable(value) for value in (pa.table({"a": [1]}), "a", 1, None, (1, ("a", b"b"))))
    mutable: tuple[object, ...] = (np.zeros(1), [1], {}, ([],), Report(0.7, {}))
    assert not any(is_immutable(value) for value in mutable)
