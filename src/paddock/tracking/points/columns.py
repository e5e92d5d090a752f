"""Points of one key as columns, and how they are stored. Format: docs/formats/metric-points.md."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

import msgspec
import numpy as np
import numpy.typing as npt
import zstandard

from paddock.kernel.errors import IntegrityError
from paddock.tracking.points.tail import BATCH_MARK

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_PLAIN, _PACKED = 0, 1
_PACK_FROM = 64  # fewer points are not worth a compressor
_POINT_BYTES = 24
_MOST_POINTS = 1 << 28
_HEAD = Struct("<BI")


@dataclass(frozen=True, slots=True, eq=False)
class PointColumns:
    """Points of one key: steps, times in microseconds and values, shape (points,) each."""

    steps: Ints
    at_micros: Ints
    values: Floats

    def __len__(self) -> int:
        return len(self.steps)

    def take(self, wanted: "Ints | slice | npt.NDArray[np.bool_]") -> "PointColumns":
        """Return the points at these places."""
        return PointColumns(self.steps[wanted], self.at_micros[wanted], self.values[wanted])

    def by_time(self) -> "PointColumns":
        """Return the points by (at, step, value), NaN last."""
        if bool((self.at_micros[1:] > self.at_micros[:-1]).all()):  # as a training logs them
            return self
        return self.take(np.lexsort((self.values, self.steps, self.at_micros)))


EMPTY = PointColumns(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))


def join_columns(parts: Sequence[PointColumns]) -> PointColumns:
    """Return the points of all parts by (step, at, value), NaN last, each once.

    >>> a = PointColumns(np.array([2, 1]), np.array([5, 5]), np.array([0.5, 0.1]))
    >>> join_columns([a, a]).values.tolist()
    [0.1, 0.5]
    """
    if not parts:
        return EMPTY
    steps = np.concatenate([part.steps for part in parts])
    at = np.concatenate([part.at_micros for part in parts])
    values = np.concatenate([part.values for part in parts])
    if not _is_rising(steps, at):
        order = np.lexsort((values, at, steps))
        steps, at, values = steps[order], at[order], values[order]
    joined = PointColumns(steps, at, values)
    if len(joined) < 2:
        return joined
    bits = values.view(np.int64)  # NaN equals itself by its bits only
    is_new = np.ones(len(joined), dtype=np.bool_)
    is_new[1:] = (np.diff(steps) != 0) | (np.diff(at) != 0) | (np.diff(bits) != 0)
    return joined if is_new.all() else joined.take(is_new)


def decode_tail(body: bytes) -> Iterator[tuple[str, PointColumns]]:
    """Yield each key of a batch with its points, as they came."""
    if body[:1] == b"[":
        yield from _decode_rows(body)
        return
    if len(body) < _HEAD.size or body[0] != BATCH_MARK:
        raise IntegrityError("a batch of metric points is damaged")
    _, head_size = _HEAD.unpack_from(body)
    head = msgspec.msgpack.decode(body[_HEAD.size : _HEAD.size + head_size], type=list[str | int])
    keys = [str(key) for key in head[0::2]]
    counts = [int(count) for count in head[1::2]]
    columns = _split_columns(body[_HEAD.size + head_size :], sum(counts))
    start = 0
    for key, count in zip(keys, counts, strict=True):
        yield key, columns.take(slice(start, start + count))
        start += count


def encode_chunk(points: PointColumns) -> bytes:
    """Return the points of one key, packed when there are enough of them."""
    if len(points) < _PACK_FROM:
        return bytes([_PLAIN]) + b"".join(
            column.tobytes() for column in (points.steps, points.at_micros, points.values)
        )
    deltas = (_differences(points.steps), _differences(points.at_micros), points.values)
    body = b"".join(_shuffle(column) for column in deltas)
    return bytes([_PACKED]) + zstandard.ZstdCompressor(level=3).compress(body)


def decode_chunk(body: bytes, count: int) -> PointColumns:
    """Return the `count` points of a chunk; IntegrityError when the bytes do not hold so many."""
    if body[:1] == bytes([_PLAIN]):
        return _split_columns(body[1:], count)
    if body[:1] != bytes([_PACKED]) or count > _MOST_POINTS:
        raise IntegrityError("a chunk of metric points is damaged")
    try:
        plain = zstandard.ZstdDecompressor().decompress(body[1:], max_output_size=count * _POINT_BYTES)
    except zstandard.ZstdError as error:
        raise IntegrityError(f"a chunk of metric points is damaged: {error}") from error
    if len(plain) != count * _POINT_BYTES:
        raise IntegrityError(
            f"a chunk of metric points holds {len(plain)} bytes, not those of {count} points"
        )
    size = count * 8
    steps, at, values = (_unshuffle(plain[start : start + size], count) for start in (0, size, 2 * size))
    return PointColumns(
        np.cumsum(steps.view("<i8")),
        np.cumsum(at.view("<i8")),
        values.view("<f8").astype(np.float64, copy=False),
    )


def _is_rising(steps: Ints, at: Ints) -> bool:
    """Say whether the points stand in order already, no two of them at one (step, at)."""
    if len(steps) < 2:
        return True
    # compared, not subtracted: a difference may not fit 64 bits
    is_later = (steps[1:] > steps[:-1]) | ((steps[1:] == steps[:-1]) & (at[1:] > at[:-1]))
    return bool(is_later.all())


def _split_columns(body: bytes, count: int) -> PointColumns:
    if len(body) != count * _POINT_BYTES:
        raise IntegrityError(f"metric points take {len(body)} bytes, not those of {count} points")
    size = count * 8
    return PointColumns(
        np.frombuffer(body, "<i8", count).astype(np.int64, copy=False),
        np.frombuffer(body, "<i8", count, size).astype(np.int64, copy=False),
        np.frombuffer(body, "<f8", count, 2 * size).astype(np.float64, copy=False),
    )


def _decode_rows(body: bytes) -> Iterator[tuple[str, PointColumns]]:
    """Yield the points of rows that an earlier schema held: `[key, step, at, value]`, null for NaN."""
    rows = msgspec.json.decode(body, type=list[tuple[str, int, int, float | str | None]])
    by_key: dict[str, list[tuple[int, int, float]]] = {}
    for key, step, at, value in rows:
        number = float("nan") if value is None else float(value)
        by_key.setdefault(key, []).append((step, at, number))
    for key, points in by_key.items():
        steps, at_micros, values = zip(*points, strict=True)
        yield (
            key,
            PointColumns(np.array(steps, np.int64), np.array(at_micros, np.int64), np.array(values, float)),
        )


def _differences(column: Ints) -> Ints:
    return np.diff(column, prepend=np.int64(0))  # wraps around like the sum that undoes it


def _shuffle(column: "Ints | Floats") -> bytes:
    """Return the first bytes of all numbers, then the second ones ...: like bytes side by side pack well."""
    numbers = np.ascontiguousarray(column.astype(column.dtype.newbyteorder("<"), copy=False))
    return numbers.view(np.uint8).reshape(-1, 8).T.tobytes()


def _unshuffle(body: bytes, count: int) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.frombuffer(body, np.uint8).reshape(8, count).T).reshape(-1)
