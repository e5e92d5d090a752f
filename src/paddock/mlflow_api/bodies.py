"""Requests as MLflow's clients write them: proto-JSON in the body, or field by field in the query of a GET.

- Whole numbers and floats may come as strings, NaN and the infinities only so; null is as good as absent.
- A field that nobody knows is skipped, and of a field written twice the last one counts.
- An absent field is an empty text, an empty tuple or None: what must be there a handler asks for.
"""

import re
from collections.abc import Callable
from typing import Annotated, TypeVar, get_origin
from urllib.parse import parse_qsl

import msgspec

from paddock.kernel.refusals import BodyTooDeep, BodyTooLarge, MalformedJson
from paddock.mlflow_api.errors import invalid_value, missing_value
from paddock.wire import Decode, JsonLimits, RequestRefused
from paddock.wire.structs import Request

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
# an enum travels as its name or as its number
Enumerated = str | int | None

_MOST_FIELDS = 1_000
_MISFIT = re.compile(r"(?P<what>.*?) - at `\$\.?(?P<path>[^`]*)`", re.DOTALL)
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


class Message(Request, frozen=True, forbid_unknown_fields=False):
    """A request of MLflow's protocol."""


class Part(msgspec.Struct, frozen=True, gc=False):
    """A message inside of another one."""


class OfRun(Message, frozen=True):
    """A request about one run, which older clients call `run_uuid`."""

    run_id: str = ""
    run_uuid: str = ""


M = TypeVar("M", bound=Message)


def run_id_of(message: OfRun) -> str:
    """Return the run that `message` is about; InvalidInput when it names none."""
    run_id = message.run_id or message.run_uuid
    if not run_id:
        raise missing_value("run_id")
    return run_id


def require(message: Message | Part, *names: str, path: str = "") -> None:
    """Raise InvalidInput unless all these fields are there. path: where a part stands, as `metrics[3].`."""
    for name in names:
        if getattr(message, name) in (None, "", ()):
            raise missing_value(path + name)


def read_body(kind: type[M]) -> Decode:
    """Return how a JSON body becomes a `kind`; no body is an empty one."""
    read = msgspec.json.Decoder(kind, strict=False).decode

    def decode(_: bytes, body: bytes, limits: JsonLimits) -> M:
        if len(body) > limits.max_bytes:
            raise BodyTooLarge(f"the body has {len(body)} bytes; the limit is {limits.max_bytes}")
        return _guarded(lambda: _decode_json(body or b"{}", kind, read))

    return decode


def read_query(kind: type[M]) -> Decode:
    """Return how the query of a GET becomes a `kind`; a name that comes several times is a list."""
    lists = frozenset(field.name for field in msgspec.structs.fields(kind) if get_origin(field.type) is tuple)

    def decode(query: bytes, _: bytes, __: JsonLimits) -> M:
        found: dict[str, object] = {}
        for name, value in _pairs(query):
            if name in lists:
                found[name] = (*_as_tuple(found.get(name)), value)
            else:
                found.setdefault(name, value)
        return _guarded(lambda: _convert(found, kind))

    return decode


def _guarded(read: Callable[[], M]) -> M:
    try:
        return read()
    except RecursionError as error:
        raise BodyTooDeep("the body is nested too deep") from error
    except UnicodeDecodeError as error:
        raise MalformedJson(f"the body is not UTF-8: {error.reason}") from error
    except msgspec.DecodeError as error:
        raise MalformedJson(
            f"the body is not JSON: {str(error).removeprefix('JSON is malformed: ')}"
        ) from error


def _decode_json(body: bytes, kind: type[M], read: Callable[[bytes], M]) -> M:
    try:
        return read(body)
    except msgspec.ValidationError:  # is it more than a null, which stands for an absent field
        return _convert(_without_nulls(msgspec.json.decode(body)), kind)


def _convert(found: object, kind: type[M]) -> M:
    try:
        return msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as error:
        misfit = _MISFIT.fullmatch(str(error))
        if misfit is None:
            raise RequestRefused(f"the request does not fit: {error}") from error
        path = misfit["path"]
        value = _value_at(found, path)
        what = misfit["what"].replace(" | null", "")
        words = f"Hint: Value was of type '{type(value).__name__}'. {what}."
        raise invalid_value(path, value, words) from error


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    return value


def _value_at(value: object, path: str) -> object:
    """Return what stands at a path such as `metrics[0].value`, None where it does not lead."""
    for name, place in _STEP.findall(path):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list | tuple) and place and int(place) < len(value):
            value = value[int(place)]
        else:
            return None
    return value


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        text = query.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise RequestRefused("the query cannot be read; write `name=value&name=value` in UTF-8") from error


def _as_tuple(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else ()
