"""Adding points to a run inside a transaction, and reading a history back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from paddock.metadata import Reader, Transaction
from paddock.tracking.points.rules import CHUNK_POINTS, count_to_merge, is_tail_full
from paddock.tracking.points.tail import encode_batch
from paddock.tracking.records import MetricPoint
from paddock.tracking.rules import newer_points
from paddock.tracking.sql import points as sql
from paddock.tracking.sql.stamps import RunKey, Stamp

if TYPE_CHECKING:
    from paddock.tracking.points.columns import PointColumns


def append_points(
    tx: Transaction, run: RunKey, points: Sequence[MetricPoint], stamp: Stamp
) -> tuple[MetricPoint, ...]:
    """Add points to a run's tail and return those that became the latest of their keys."""
    known = sql.get_latest(tx, run.run_no, tuple({point.key: None for point in points}))
    newest = newer_points(known, points)
    if newest:
        sql.set_latest(tx, run, newest, stamp)
    end = sql.insert_batch(tx, run, len(points), encode_batch(points), stamp)
    if is_tail_full(end.batch_count, end.point_count):
        compact_tail(tx, run.run_no)
    return newest


def compact_tail(tx: Transaction, run_no: int) -> None:
    """Turn the tail of a run into chunks."""
    from paddock.tracking.points.columns import decode_chunk, decode_tail, join_columns

    by_key: dict[str, list[PointColumns]] = {}
    for body in sql.list_batches(tx, run_no):
        for key, columns in decode_tail(body):
            by_key.setdefault(key, []).append(columns)
    sizes = sql.list_chunk_sizes(tx, run_no)
    made: list[sql.NewChunk] = []
    for key, parts in by_key.items():
        chunks = sizes.get(key, [])
        fresh = join_columns(parts)
        merged = count_to_merge([chunk.point_count for chunk in chunks], len(fresh))
        first_no = chunks[-merged].chunk_no if merged else (chunks[-1].chunk_no + 1 if chunks else 1)
        if merged:
            old = [decode_chunk(body, count) for count, body in sql.list_chunks(tx, run_no, key, first_no)]
            fresh = join_columns([*old, fresh])
            sql.delete_chunks(tx, run_no, key, first_no)
        made.extend(_cut(key, first_no, fresh))
    sql.insert_chunks(tx, run_no, made)
    sql.delete_batches(tx, run_no)


def read_history(reader: Reader, run_no: int, key: str) -> PointColumns:
    """Return every point of one metric by (step, at, value), each once."""
    from paddock.tracking.points.columns import decode_chunk, decode_tail, join_columns

    parts = [decode_chunk(body, count) for count, body in sql.list_chunks(reader, run_no, key)]
    for body in sql.list_batches(reader, run_no):
        parts.extend(columns for found, columns in decode_tail(body) if found == key)
    return join_columns(parts)


def _cut(key: str, first_no: int, points: PointColumns) -> list[sql.NewChunk]:
    from paddock.tracking.points.columns import encode_chunk

    chunks = []
    for place, start in enumerate(range(0, len(points), CHUNK_POINTS)):
        part = points.take(slice(start, start + CHUNK_POINTS))
        chunks.append(
            sql.NewChunk(
                key,
                first_no + place,
                len(part),
                (int(part.steps[0]), int(part.steps[-1])),
                (int(part.at_micros.min()), int(part.at_micros.max())),
                encode_chunk(part),
            )
        )
    return chunks
