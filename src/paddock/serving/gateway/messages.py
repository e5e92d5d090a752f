"""Open Inference Protocol v2 messages, and the check that no key was sent twice."""

import json
import re
from collections.abc import Sequence
from typing import NoReturn, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from paddock.kernel.refusals import DuplicateKey, MalformedJson, RequestRefused
from paddock.prediction_log import Scalar

_Request = TypeVar("_Request")

Parameters = dict[str, str | int | float | bool | None]


class Tensor(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    shape: tuple[int, ...]
    datatype: str
    data: list[float | int | bool | str | None]
    parameters: Parameters | UnsetType = UNSET


class RequestedOutput(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    parameters: Parameters | UnsetType = UNSET


class InferRequest(msgspec.Struct, forbid_unknown_fields=True):
    inputs: list[Tensor]
    id: str | UnsetType = UNSET
    parameters: Parameters | UnsetType = UNSET
    outputs: list[RequestedOutput] | UnsetType = UNSET


class AnswerTensor(msgspec.Struct):
    name: str
    shape: tuple[int, ...]
    datatype: str
    data: Sequence[Scalar]


class InferAnswer(msgspec.Struct):
    model_name: str
    model_version: str
    outputs: list[AnswerTensor]
    id: str | UnsetType = UNSET


class LabelRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One label for each prediction id; event_time in RFC 3339, when the label became true."""

    prediction_id: list[str]
    label: list[float]
    event_time: list[str]


class IndexRequest(msgspec.Struct, forbid_unknown_fields=True):
    """ready: leave out versions that cannot answer now."""

    ready: bool = False


class LabelAnswer(msgspec.Struct):
    accepted: int


# datatypes whose values are no texts; a text among them is refused later, whatever its colons
_COLONLESS = frozenset(("FP64", "FP32", "INT64", "INT32", "BOOL"))
_MOST_FAULTS = 50
_AT_BYTE = re.compile(r"invalid character \(byte (\d+)\)")
# what Python's json module and JavaScript write for a float that is no JSON number
_NO_NUMBERS = (b"NaN", b"Infinity")
_INFER = msgspec.json.Decoder(InferRequest)
_LABELS = msgspec.json.Decoder(LabelRequest)
_INDEX = msgspec.json.Decoder(IndexRequest)


def decode_infer(body: bytes) -> InferRequest:
    """Read an infer request. Raises MalformedJson, DuplicateKey or RequestRefused."""
    try:
        request = _INFER.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        _refuse(error, body, "send null for a missing value")
    # Equal colons outside of texts mean equal keys: without an escape in the body, a key that was
    # dropped as a duplicate leaves one too many. Counting costs a tenth of parsing the body again.
    if b"\\" in body or body.count(b":") != _count_colons(request):
        _check_keys(body)
    return request


def check_outputs(request: InferRequest, known: Sequence[str]) -> None:
    """Raise RequestRefused when the request asks for outputs that are not among `known`."""
    if request.outputs is UNSET:
        return
    unknown = [one.name[:80] for one in request.outputs if one.name not in known]
    if unknown:
        there = ", ".join(f"`{name}`" for name in known)
        raise RequestRefused(
            f"there is no output `{unknown[0]}`; there are {there}",
            problems=tuple(f"there is no output `{name}`" for name in unknown[:_MOST_FAULTS]),
        )


def decode_labels(body: bytes) -> LabelRequest:
    """Read a label request; raises as `decode_infer`, also for a label that is not a finite number."""
    return _decode(_LABELS, body, "leave out a label that is not known yet")


def decode_index(body: bytes) -> IndexRequest:
    """Read a request for the index, which may be empty; raises as `decode_infer`."""
    return _decode(_INDEX, body, "") if body else IndexRequest()


def _decode(decoder: "msgspec.json.Decoder[_Request]", body: bytes, instead: str) -> _Request:
    try:
        request = decoder.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        _refuse(error, body, instead)
    _check_keys(body)
    return request


def _count_colons(request: InferRequest) -> int:
    """Return how many colons the body has if each key in it was kept: one a key, and those in texts.

    -1 for a request with parts that are rarely sent, for which counting is not worth the words.
    """
    inputs = request.inputs
    if request.parameters is not UNSET or request.outputs is not UNSET:
        return -1
    count = 1 + 4 * len(inputs) + "".join([tensor.name for tensor in inputs]).count(":")
    for tensor in inputs:
        if tensor.parameters is not UNSET:
            return -1
        if tensor.datatype not in _COLONLESS:
            count += tensor.datatype.count(":")
            count += sum([value.count(":") for value in tensor.data if type(value) is str])
    return count if request.id is UNSET else count + 1 + request.id.count(":")


def _check_keys(body: bytes) -> None:
    def check(pairs: list[tuple[str, object]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DuplicateKey(f"the key `{twice[:80]}` stands twice in one object")

    json.loads(body, object_pairs_hook=check)


def _refuse(error: Exception, body: bytes, instead: str) -> NoReturn:
    """Raise what is wrong with `body`; instead: what to send for a number that JSON does not have."""
    if isinstance(error, msgspec.ValidationError):
        raise RequestRefused(f"the request is not as agreed: {error}") from error
    if isinstance(error, RecursionError):
        raise RequestRefused("the request is nested too deep") from error
    found = _AT_BYTE.search(str(error))
    at = int(found[1]) if found else 0
    word = next((word.decode() for word in _NO_NUMBERS if body.startswith(word, at)), "")
    if word:
        raise MalformedJson(
            f"the body is not JSON: `{word}` at byte {at} is no JSON value", hint=instead
        ) from error
    raise MalformedJson(f"the body is not JSON: {error}") from error
