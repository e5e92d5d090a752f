"""Decoded batches as Arrow tables, without a Python object for each number."""

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from paddock.prediction_log.batches import StoredBatch, StoredRecord
from paddock.prediction_log.records import FIXED_COLUMNS, FeatureColumn, FeatureKind, LabelRecord, Stage

_TIME = pa.timestamp("us", tz="UTC")
_TYPES: dict[FeatureKind, pa.DataType] = {"number": pa.float64(), "boolean": pa.bool_(), "text": pa.string()}


def prediction_table(
    batches: Sequence[StoredBatch[StoredRecord]],
    columns: Collection[str] | None,
    *,
    with_event_time: bool = False,
) -> pa.Table:
    """Return the rows of `batches` in order.

    columns: which to build, None for all; with_event_time: that column too, named or not.
    """
    records = [record for batch in batches for record in batch.records]
    sets = [batch.columns[place] for batch in batches for place in batch.column_sets]
    is_wanted = _chooser(columns, with_event_time=with_event_time)
    arrays: dict[str, pa.Array] = {}
    for name in filter(is_wanted, FIXED_COLUMNS):
        arrays[name] = _fixed_column(name, records)
    for name, array in _feature_columns(records, sets, is_wanted).items():
        arrays[name] = array
    return pa.table(arrays)


def label_table(batches: Sequence[StoredBatch[LabelRecord]]) -> pa.Table:
    records = [record for batch in batches for record in batch.records]
    return pa.table(
        {
            "prediction_id": _ids([record.prediction_ids for record in records]),
            "label": _packed((record.labels for record in records), "<f8"),
            "label_event_time": _packed((record.event_times for record in records), "<i8").cast(_TIME),
            "label_received_at": _repeated(
                [record.received_at for record in records], [record.row_count for record in records]
            ).cast(_TIME),
        }
    )


def _chooser(columns: Collection[str] | None, *, with_event_time: bool) -> Callable[[str], bool]:
    if columns is None:
        return lambda _: True
    wanted = frozenset(columns) | ({"event_time"} if with_event_time else frozenset())
    return wanted.__contains__


def _fixed_column(name: str, records: Sequence[StoredRecord]) -> pa.Array:
    counts = [len(record.stages) for record in records]
    if name == "prediction_id":
        return _ids([record.prediction_ids for record in records])
    if name == "event_time":
        return _packed((record.event_times for record in records), "<i8").cast(_TIME)
    if name == "received_at":
        return _repeated([record.received_at for record in records], counts).cast(_TIME)
    if name == "idempotency_key":
        return _keys([record.keys for record in records], counts)
    if name == "routing_key":
        return _routing_keys(records, counts)
    if name == "model":
        return pa.array(
            chain.from_iterable([record.model] * len(record.stages) for record in records), pa.string()
        )
    if name == "version":
        return _packed((record.versions for record in records), "<u4").cast(pa.int64())
    if name == "stage":
        codes = _packed((record.stages for record in records), "u1").cast(pa.int8())
        names = pa.array([stage.name.lower() for stage in Stage])
        return pa.DictionaryArray.from_arrays(codes, names).cast(pa.string())
    if name == "shadow_version":
        return _repeated([record.shadow_version for record in records], counts)
    return _answers(name, records)


def _answers(name: str, records: Sequence[StoredRecord]) -> pa.Array:
    """Return `prediction`, or `shadow_prediction` with null where no shadow answered."""
    if name == "prediction":
        return _packed((record.predictions for record in records), "<f8")
    nothing = np.array(np.nan, "<f8").tobytes()
    parts = (record.shadow_predictions or nothing * len(record.stages) for record in records)
    return pa.array(np.frombuffer(b"".join(parts), "<f8"), from_pandas=True)


def _feature_columns(
    records: Sequence[StoredRecord],
    sets: Sequence[tuple[FeatureColumn, ...]],
    is_wanted: Callable[[str], bool],
) -> dict[str, pa.Array]:
    """Return the features by the name they have in the table, in the order of the log."""
    groups: dict[tuple[FeatureColumn, ...], list[StoredRecord]] = {}
    for record, columns in zip(records, sets, strict=True):
        groups.setdefault(columns, []).append(record)
    order = _log_order(records, sets, list(groups)) if len(groups) > 1 else None
    kinds: dict[str, FeatureKind] = {}
    for name, kind in chain.from_iterable(groups):
        kinds[name] = max(kind, kinds.get(name, kind), key=_WIDTH.index)
    features: dict[str, pa.Array] = {}
    for name in sorted(kinds):
        shown = f"feature.{name}" if name in FIXED_COLUMNS else name
        if is_wanted(shown):
            parts = [_feature(name, kinds[name], columns, group) for columns, group in groups.items()]
            array = pa.concat_arrays(parts)
            features[shown] = array if order is None else array.take(order)
    return features


_WIDTH: tuple[FeatureKind, ...] = ("boolean", "number", "text")  # each can hold those before it


def _log_order(
    records: Sequence[StoredRecord],
    sets: Sequence[tuple[FeatureColumn, ...]],
    groups: Sequence[tuple[FeatureColumn, ...]],
) -> pa.Array:
    """Return, for each row of the log, its place when the rows stand group after group."""
    group_of = np.array([groups.index(columns) for columns in sets])
    by_row = np.repeat(group_of, [len(record.stages) for record in records])
    grouped = np.argsort(by_row, kind="stable")
    places = np.empty(len(grouped), dtype=np.int64)
    places[grouped] = np.arange(len(grouped))
    return pa.array(places)


def _feature(
    name: str, kind: FeatureKind, columns: tuple[FeatureColumn, ...], records: Sequence[StoredRecord]
) -> pa.Array:
    """Return one feature of the records of one set of columns, as `kind`."""
    stored = dict(columns).get(name)
    if stored is None:
        return pa.nulls(sum(len(record.stages) for record in records), _TYPES[kind])
    if stored == "text":
        place = [column.name for column in columns if column.kind == "text"].index(name)
        return pa.array(chain.from_iterable(record.texts[place] for record in records), pa.string())
    names = [column.name for column in columns if column.kind != "text"]
    rows = np.frombuffer(b"".join(record.numbers for record in records), "<f8").reshape(-1, len(names))
    values = np.ascontiguousarray(rows[:, names.index(name)])
    if stored == "boolean":
        return pa.array(values == 1.0, mask=np.isnan(values)).cast(_TYPES[kind])
    return pa.array(values, from_pandas=True).cast(_TYPES[kind])


def _ids(parts: Sequence[bytes]) -> pa.Array:
    text = b"".join(parts).hex().encode()
    count = len(text) // 32
    offsets = np.arange(0, 32 * (count + 1), 32, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text))


def _keys(keys: Sequence[Sequence[str]], counts: Sequence[int]) -> pa.Array:
    filled = (row_keys or [""] * count for row_keys, count in zip(keys, counts, strict=True))
    return pa.array(chain.from_iterable(filled), pa.string())


def _routing_keys(records: Sequence[StoredRecord], counts: Sequence[int]) -> pa.Array:
    given = _keys([record.routing_keys for record in records], counts)
    own = _keys([record.keys for record in records], counts)
    ids = _ids([record.prediction_ids for record in records])
    default = pc.if_else(pc.equal(own, ""), ids, own)
    return pc.if_else(pc.equal(given, ""), default, given)


def _packed(parts: Iterable[bytes], dtype: str) -> pa.Array:
    return pa.array(np.frombuffer(b"".join(parts), dtype))


def _repeated(values: Sequence[int], counts: Sequence[int]) -> pa.Array:
    return pa.array(np.repeat(np.array(values, np.int64), counts))
