"""Records as bytes: msgpack, with the column names once per batch and not once per record."""

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec

from paddock.kernel.errors import IntegrityError
from paddock.prediction_log.records import FeatureBlock, FeatureColumn, LabelRecord, PredictionRecord
from paddock.prediction_log.segments import Batch

R = TypeVar("R")


class EncodedRecord(NamedTuple):
    """A record ready to be written; event times in microseconds."""

    columns: tuple[FeatureColumn, ...]
    body: bytes
    rows: int
    first_event: int
    last_event: int


class StoredRecord(msgspec.Struct, frozen=True, array_like=True):
    """A PredictionRecord without its column names, in the order of the format."""

    model: str
    received_at: int
    prediction_ids: bytes
    event_times: bytes
    versions: bytes
    stages: bytes
    predictions: bytes
    keys: list[str]
    routing_keys: list[str]
    shadow_version: int
    shadow_predictions: bytes
    digests: bytes
    numbers: bytes
    texts: list[list[str | None]]


class StoredAnswers(msgspec.Struct, frozen=True, array_like=True):
    """The part of a StoredRecord that idempotency needs; the features behind it are not decoded."""

    model: str
    received_at: int
    prediction_ids: bytes
    event_times: bytes
    versions: bytes
    stages: bytes
    predictions: bytes
    keys: list[str]
    routing_keys: msgspec.Raw
    shadow_version: int
    shadow_predictions: bytes
    digests: bytes


class StoredBatch(msgspec.Struct, Generic[R], frozen=True, array_like=True):
    """columns: each set of columns that occurs; column_sets: for each record, which of them."""

    columns: list[tuple[FeatureColumn, ...]]
    column_sets: list[int]
    records: list[R]


PREDICTIONS = msgspec.msgpack.Decoder(StoredBatch[StoredRecord])
ANSWERS = msgspec.msgpack.Decoder(StoredBatch[StoredAnswers])
LABELS = msgspec.msgpack.Decoder(StoredBatch[LabelRecord])

_ENCODER = msgspec.msgpack.Encoder()


def encode_prediction(record: PredictionRecord) -> EncodedRecord:
    block: FeatureBlock = record.features
    fields = (
        record.model,
        record.received_at,
        record.prediction_ids,
        record.event_times,
        record.versions,
        record.stages,
        record.predictions,
        record.keys,
        record.routing_keys,
        record.shadow_version,
        record.shadow_predictions,
        record.digests,
        block.numbers,
        block.texts,
    )
    return _encoded(block.columns, _ENCODER.encode(fields), record.row_count, record.event_times)


def encode_labels(record: LabelRecord) -> EncodedRecord:
    return _encoded((), _ENCODER.encode(record), record.row_count, record.event_times)


def encode_batch(records: Sequence[EncodedRecord]) -> Batch:
    """Join records, at least one, into what one sync makes durable."""
    places: dict[tuple[FeatureColumn, ...], int] = {}
    column_sets = [places.setdefault(record.columns, len(places)) for record in records]
    payload = _ENCODER.encode((list(places), column_sets, [msgspec.Raw(record.body) for record in records]))
    return Batch(
        payload,
        sum(record.rows for record in records),
        min(record.first_event for record in records),
        max(record.last_event for record in records),
    )


def decode_batch(
    decoder: "msgspec.msgpack.Decoder[StoredBatch[R]]", payload: bytes, segment: str, offset: int
) -> StoredBatch[R]:
    """Decode a payload whose checksum was right; IntegrityError if it was written wrongly all the same."""
    try:
        return decoder.decode(payload)
    except msgspec.DecodeError as error:
        raise IntegrityError(
            f"prediction-log segment `{segment}` holds no batch at offset {offset}: {error}",
            segment=segment,
            offset=offset,
        ) from error


def _encoded(columns: tuple[FeatureColumn, ...], body: bytes, rows: int, event_times: bytes) -> EncodedRecord:
    times = memoryview(event_times).cast("q")
    return EncodedRecord(columns, body, rows, min(times), max(times))
