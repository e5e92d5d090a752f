"""Open Inference Protocol v2 messages, and the check that no key was sent twice."""

import json
from collections.abc import Sequence
from typing import NoReturn

import msgspec
from msgspec import UNSET, UnsetType

from paddock.prediction_log import Scalar
from paddock.serving.gateway.refusals import DuplicateKey, MalformedJson, RequestRefused

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


class LabelAnswer(msgspec.Struct):
    accepted: int


_INFER = msgspec.json.Decoder(InferRequest)
_LABELS = msgspec.json.Decoder(LabelRequest)


def decode_infer(body: bytes) -> InferRequest:
    """Read an infer request. Raises MalformedJson, DuplicateKey or RequestRefused."""
    try:
        request = _INFER.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        _refuse(error)
    # Equal colons outside of texts mean equal keys: without an escape in the body, a key that was
    # dropped as a duplicate leaves one too many. Counting costs a tenth of parsing the body again.
    if b"\\" in body or body.count(b":") != _count_colons(request):
        _check_keys(body)
    return request


def decode_labels(body: bytes) -> LabelRequest:
    """Read a label request; raises as `decode_infer`."""
    try:
        request = _LABELS.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        _refuse(error)
    _check_keys(body)
    return request


def _count_colons(request: InferRequest) -> int:
    """Return how many colons the body has if each key in it was kept: one a key, and those in texts."""
    count = 1
    for tensor in request.inputs:
        count += 4 + tensor.name.count(":") + tensor.datatype.count(":") + _in_parameters(tensor.parameters)
        if tensor.datatype == "BYTES":
            count += sum(value.count(":") for value in tensor.data if type(value) is str)
    if request.id is not UNSET:
        count += 1 + request.id.count(":")
    if request.outputs is not UNSET:
        count += 1
        count += sum(1 + one.name.count(":") + _in_parameters(one.parameters) for one in request.outputs)
    return count + _in_parameters(request.parameters)


def _in_parameters(parameters: Parameters | UnsetType) -> int:
    if parameters is UNSET:
        return 0
    texts = [text for pair in parameters.items() for text in pair if isinstance(text, str)]
    return 1 + len(parameters) + sum(text.count(":") for text in texts)


def _check_keys(body: bytes) -> None:
    def check(pairs: list[tuple[str, object]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DuplicateKey(f"the key `{twice[:80]}` stands twice in one object")

    json.loads(body, object_pairs_hook=check)


def _refuse(error: Exception) -> NoReturn:
    if isinstance(error, msgspec.ValidationError):
        raise RequestRefused(f"the request is not as agreed: {error}") from error
    if isinstance(error, RecursionError):
        raise RequestRefused("the request is nested too deep") from error
    raise MalformedJson(f"the body is not JSON: {error}") from error
