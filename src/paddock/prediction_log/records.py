"""The values of the log: one record is one request, its rows packed column by column.

Packed fields are little-endian and one after the other: ids 16 bytes a row, times int64 microseconds,
numbers float64 (NaN is missing), versions uint32, stages uint8, digests 8 bytes.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from itertools import chain
from struct import pack
from typing import Literal, NamedTuple, cast

import msgspec
import numpy as np
from blake3 import blake3

FIXED_COLUMNS = (
    "prediction_id",
    "event_time",
    "received_at",
    "idempotency_key",
    "routing_key",
    "model",
    "version",
    "stage",
    "prediction",
    "shadow_version",
    "shadow_prediction",
)

_NAN = float("nan")

Scalar = float | int | bool | str | None
FeatureKind = Literal["number", "boolean", "text"]


class Stage(IntEnum):
    """By which part of the traffic split a row was answered.

    FALLBACK: the row fell to a canary that could not answer, and the champion did. PINNED: the row was
    asked of one version and is no part of the traffic: nothing is judged by it.
    """

    CHAMPION = 0
    CANARY = 1
    FALLBACK = 2
    PINNED = 3


class FeatureColumn(NamedTuple):
    name: str
    kind: FeatureKind


class FeatureBlock(msgspec.Struct, frozen=True):
    """The features of one request as they were sent.

    columns: by name, ascending; numbers: the number and boolean columns, row after row;
    texts: one sequence for each text column, in order.
    """

    columns: tuple[FeatureColumn, ...]
    numbers: bytes
    texts: tuple[Sequence[str | None], ...]


class PredictionRecord(msgspec.Struct, frozen=True):
    """One request and its answers, n rows; `received_at` in microseconds.

    keys, routing_keys: empty when no row has one; a routing key of "" is the row's default
    (its idempotency key, else its prediction id). shadow_predictions: empty without a shadow answer.
    digests: see `digest_rows`; empty when no row has a key.
    """

    model: str
    received_at: int
    features: FeatureBlock
    prediction_ids: bytes
    event_times: bytes
    versions: bytes
    stages: bytes
    predictions: bytes
    keys: Sequence[str] = ()
    routing_keys: Sequence[str] = ()
    shadow_version: int = 0
    shadow_predictions: bytes = b""
    digests: bytes = b""

    @property
    def row_count(self) -> int:
        return len(self.stages)


class LabelRecord(msgspec.Struct, frozen=True, array_like=True):
    """Labels that came in together; ids, labels and event times packed as in a PredictionRecord."""

    received_at: int
    prediction_ids: bytes
    labels: bytes
    event_times: bytes

    @property
    def row_count(self) -> int:
        return len(self.labels) // 8


class LoggedAnswer(NamedTuple):
    """What a row was answered; `prediction_id` is 16 bytes, `digest` that of its features."""

    prediction_id: bytes
    digest: bytes
    version: int
    prediction: float


class LogCursor(msgspec.Struct, frozen=True, order=True):
    """Where a reader stands: everything before it has been read. The default is the beginning."""

    segment: int = 0
    offset: int = 0


def pack_features(
    columns: Sequence[FeatureColumn], values: Mapping[str, Sequence[Scalar]], row_count: int
) -> FeatureBlock:
    """Pack the values of a request; None is a missing value of any kind.

    columns: in ascending order of name; values: for each of them `row_count` values of its kind.

    >>> block = pack_features([FeatureColumn("hour", "number")], {"hour": [6, None]}, 2)
    >>> np.frombuffer(block.numbers).tolist()
    [6.0, nan]
    """
    number_names, text_names = _split_names(tuple(columns))
    numbers = _pack_rows([values[name] for name in number_names], row_count)
    texts = cast("tuple[Sequence[str | None], ...]", tuple(values[name] for name in text_names))
    return FeatureBlock(tuple(columns), numbers, texts)


def digest_rows(block: FeatureBlock, row_count: int) -> bytes:
    """Return 8 bytes for each row, equal for equal features and (almost surely) for no others.

    The names and kinds of the columns count too, their order in the request does not.
    """
    seed = msgspec.msgpack.encode(block.columns)
    width = len(block.numbers) // row_count
    encode = msgspec.msgpack.encode
    digests = []
    for row in range(row_count):
        hasher = blake3(seed)
        hasher.update(block.numbers[row * width : (row + 1) * width])
        hasher.update(encode([text[row] for text in block.texts]))
        digests.append(hasher.digest(8))
    return b"".join(digests)


@lru_cache(maxsize=1024)
def _split_names(columns: tuple[FeatureColumn, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    numbers = tuple(name for name, kind in columns if kind != "text")
    return numbers, tuple(name for name, kind in columns if kind == "text")


def _pack_rows(columns: Sequence[Sequence[Scalar]], row_count: int) -> bytes:
    if not columns:
        return b""
    if row_count == 1:  # the hot path: no array is built for one row
        row = [column[0] for column in columns]
        return pack(f"<{len(row)}d", *[_NAN if value is None else value for value in row])
    values = (_NAN if value is None else value for value in chain.from_iterable(columns))
    flat = np.fromiter(values, dtype="<f8", count=len(columns) * row_count)
    return flat.reshape(len(columns), row_count).T.tobytes()
