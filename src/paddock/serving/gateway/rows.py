"""The rows of a request: its tensors as checked columns, with keys and times for each row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from msgspec import UNSET

from paddock.kernel.errors import InvalidRows, LimitExceeded
from paddock.kernel.names import nearest
from paddock.prediction_log import FeatureBlock, FeatureColumn, FeatureKind, Scalar, pack_features
from paddock.serving.gateway.messages import InferRequest, Tensor
from paddock.serving.gateway.times import parse_times

Columns = Mapping[str, list[Scalar]]

KEY, EVENT_TIME, ROUTING_KEY = "paddock.idempotency_key", "paddock.event_time", "paddock.routing_key"
PREDICTION_ID, MODEL_VERSION = "paddock.prediction_id", "paddock.model_version"

_RESERVED = frozenset((KEY, EVENT_TIME, ROUTING_KEY))
_MOST_FAULTS = 50
_MOST_KEY_BYTES = 512
_NONE = type(None)
_INTEGERS: frozenset[type] = frozenset((int, _NONE))
_NUMBERS: frozenset[type] = frozenset((int, float, _NONE))


class _Datatype(NamedTuple):
    kind: FeatureKind
    taken: frozenset[type]
    words: str


_DATATYPES: Mapping[str, _Datatype] = {
    "BOOL": _Datatype("boolean", frozenset((bool, _NONE)), "booleans"),
    "BYTES": _Datatype("text", frozenset((str, _NONE)), "texts"),
    **dict.fromkeys(("FP16", "FP32", "FP64"), _Datatype("number", _NUMBERS, "numbers")),
    **{
        f"{sign}INT{bits}": _Datatype("number", _INTEGERS, "whole numbers")
        for sign in ("", "U")
        for bits in (8, 16, 32, 64)
    },
}


@dataclass(frozen=True, slots=True)
class Layout:
    """What does not change from request to request of one client: names, kinds and their faults."""

    features: tuple[FeatureColumn, ...]
    taken: tuple[frozenset[type], ...]
    reserved: tuple[tuple[str, int], ...]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """Checked rows. keys, routing_keys: "" where a row has none, empty when no row has one.

    event_times: microseconds, one a row.
    """

    count: int
    features: tuple[FeatureColumn, ...]
    columns: Columns
    keys: Sequence[str]
    routing_keys: Sequence[str]
    event_times: Sequence[int]

    def pack(self) -> FeatureBlock:
        """Return the features as they are logged."""
        return pack_features(self.features, self.columns, self.count)

    def take(self, places: Sequence[int]) -> "Rows":
        """Return the rows at `places`, in that order."""
        return Rows(
            len(places),
            self.features,
            {name: [values[place] for place in places] for name, values in self.columns.items()},
            [self.keys[place] for place in places] if self.keys else (),
            [self.routing_keys[place] for place in places] if self.routing_keys else (),
            [self.event_times[place] for place in places],
        )


def check_request(request: InferRequest, *, most_rows: int, now: int) -> Rows:
    """Turn a request into rows; every fault that can be seen without a model is reported together.

    now: microseconds, the event time of rows that bring none.
    Raises InvalidRows naming the columns, LimitExceeded for too many rows.
    """
    inputs = request.inputs
    layout = _lay_out(tuple([(tensor.name, tensor.datatype) for tensor in inputs]))
    count = len(inputs[0].data) if inputs else 0
    if count > most_rows:
        raise LimitExceeded(f"the request has {count} rows; at most {most_rows} are taken at once")
    faults = list(layout.faults) or _check_tensors(inputs, layout, count)
    if not faults and (not count or not layout.features):
        faults.append("the request has no rows" if layout.features else "the request has no columns")
    if faults:
        raise _invalid(faults)
    reserved = {name: inputs[place].data for name, place in layout.reserved}
    columns: Columns = {tensor.name: tensor.data for tensor in inputs if tensor.name not in reserved}
    return Rows(
        count,
        layout.features,
        columns,
        _texts(KEY, reserved.get(KEY)),
        _texts(ROUTING_KEY, reserved.get(ROUTING_KEY)),
        _times(reserved[EVENT_TIME], now) if EVENT_TIME in reserved else [now] * count,
    )


@lru_cache(maxsize=512)
def _lay_out(inputs: tuple[tuple[str, str], ...]) -> Layout:
    faults = []
    names = [name for name, _ in inputs]
    for name, datatype in inputs:
        shown = name[:80]
        if datatype not in _DATATYPES:
            match = nearest(datatype.upper(), _DATATYPES)
            faults.append(
                f"column `{shown}` has the datatype `{datatype[:20]}`; the nearest is `{match or 'FP64'}`"
            )
        elif name in _RESERVED and datatype != "BYTES":
            faults.append(f"column `{name}` must have the datatype `BYTES`")
        elif name.startswith("paddock.") and name not in _RESERVED:
            match = nearest(name, _RESERVED)
            faults.append(f"column `{shown}` is none of the gateway's own; the nearest is `{match or KEY}`")
        elif not name:
            faults.append("an input has no name")
    faults += [
        f"column `{name[:80]}` stands twice in the request"
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    if faults:
        return Layout((), (), (), tuple(faults))
    features = sorted(
        FeatureColumn(name, _DATATYPES[datatype].kind) for name, datatype in inputs if name not in _RESERVED
    )
    reserved = tuple((name, place) for place, name in enumerate(names) if name in _RESERVED)
    taken = tuple(_DATATYPES[datatype].taken for _, datatype in inputs)
    return Layout(tuple(features), taken, reserved, ())


def _check_tensors(inputs: Sequence[Tensor], layout: Layout, count: int) -> list[str]:
    shape = (count,)
    faults = []
    for tensor, taken in zip(inputs, layout.taken, strict=True):
        data = tensor.data
        # all of it at once: this runs for each column of each request
        if (
            len(data) != count
            or tensor.shape != shape
            or not taken.issuperset(map(type, data))
            or tensor.parameters is not UNSET
        ):
            faults += _explain_tensor(tensor, inputs[0].name, count)
    return faults


def _explain_tensor(tensor: Tensor, first: str, count: int) -> list[str]:
    name, data, datatype = tensor.name, tensor.data, _DATATYPES[tensor.datatype]
    if len(data) != count:
        return [f"column `{name}` has {len(data)} rows, column `{first}` has {count}"]
    if tensor.shape not in ((count,), (count, 1)):
        return [f"column `{name}` has the shape {list(tensor.shape)} instead of [{count}]"]
    if tensor.parameters is not UNSET and "binary_data_size" in tensor.parameters:
        return [f"column `{name}` is sent as binary data, which is not taken yet"]
    odd = next((place for place, value in enumerate(data) if type(value) not in datatype.taken), None)
    if odd is None:
        return []
    shown = repr(data[odd])[:40]
    return [
        f"column `{name}` of datatype {tensor.datatype} must hold {datatype.words}, "
        f"but row {odd} holds {shown}"
    ]


def _texts(name: str, values: Sequence[Scalar] | None) -> Sequence[str]:
    if values is None:
        return ()
    texts = [str(value) if value is not None else "" for value in values]
    long = next((place for place, text in enumerate(texts) if len(text) > _MOST_KEY_BYTES), None)
    if long is not None:
        raise _invalid([f"column `{name}` holds more than {_MOST_KEY_BYTES} characters in row {long}"])
    return texts


def _times(values: Sequence[Scalar], now: int) -> list[int]:
    faults: list[str] = []
    times = parse_times(EVENT_TIME, values, now, faults)
    if faults:
        raise _invalid(faults)
    return times


def _invalid(faults: Sequence[str]) -> InvalidRows:
    shown = "; ".join(faults[:8])
    return InvalidRows(shown, problems=tuple(faults[:_MOST_FAULTS]))
