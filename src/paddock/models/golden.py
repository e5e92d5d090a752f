"""Golden requests: raw rows, the matrix the training code fed the estimator for them, and its answers."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from paddock.kernel.errors import IntegrityError, StoreTooNew
from paddock.models.records import Scalar, Signature

GOLDEN_VERSION = 1
MAX_GOLDEN_ROWS = 64


class GoldenColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    values: tuple[Scalar, ...]


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most 64 requests with their answers.

    features: little-endian float64, row by row, in the order of the signature, as the training code
    made it; answers: little-endian float64, one a row.
    """

    columns: tuple[GoldenColumn, ...]
    row_count: int
    features: bytes
    answers: bytes
    format_version: int = GOLDEN_VERSION

    def rows(self) -> Mapping[str, Sequence[Scalar]]:
        """Return the raw rows as a request would carry them."""
        return {column.name: list(column.values) for column in self.columns}

    def matrix(self) -> npt.NDArray[np.float64]:
        flat = np.frombuffer(self.features, dtype="<f8")
        return flat.reshape(self.row_count, -1).astype(np.float64)

    def recorded_answers(self) -> npt.NDArray[np.float64]:
        return np.frombuffer(self.answers, dtype="<f8").astype(np.float64)


def encode_golden(golden: Golden) -> bytes:
    """Return the bytes of the golden file, MessagePack."""
    return msgspec.msgpack.encode(golden, order="sorted")


def decode_golden(body: bytes) -> Golden:
    """Return the golden requests of a file; IntegrityError when it is none, StoreTooNew when it is newer."""
    try:
        version = msgspec.msgpack.decode(body, type=_Version).format_version
        if version > GOLDEN_VERSION:
            raise StoreTooNew(f"golden requests are of format {version}, this Paddock reads {GOLDEN_VERSION}")
        golden = msgspec.msgpack.decode(body, type=Golden)
    except (msgspec.DecodeError, RecursionError) as error:
        raise IntegrityError(f"the golden requests cannot be read: {error}") from error
    cells = golden.row_count * 8
    if len(golden.answers) != cells or (cells and len(golden.features) % cells):
        raise IntegrityError("the golden requests hold answers and features of unequal row counts")
    return golden


def pick_rows(
    rows: Mapping[str, Sequence[Scalar]], signature: Signature, limit: int = MAX_GOLDEN_ROWS
) -> list[int]:
    """Return the places of at most `limit` rows that make good golden requests, rising.

    Half of them evenly spread, then the first row of each category not met yet, then evenly spread
    ones again, so that a changed encoding of a rare category does not go unseen.

    >>> from paddock.models.records import Column
    >>> kind = Signature((Column("kind", "category", categories=("a", "b")),))
    >>> pick_rows({"kind": ["a", "a", "a", "a", "b", "a"]}, kind, limit=3)
    [0, 2, 4]
    """
    count = min((len(values) for values in rows.values()), default=0)
    if count <= limit:
        return list(range(count))
    picked = set(_spread(count, limit // 2))
    for column in signature.columns:
        if column.type == "category":
            _add_categories(picked, rows[column.name], limit)
    for place in _spread(count, limit):
        if len(picked) >= limit:
            break
        picked.add(place)
    return sorted(picked)


def _spread(count: int, wanted: int) -> list[int]:
    return [place * count // wanted for place in range(wanted)]


def _add_categories(picked: set[int], values: Sequence[Scalar], limit: int) -> None:
    seen = {values[place] for place in picked}
    for place, value in enumerate(values):
        if len(picked) >= limit:
            return
        if value not in seen:
            seen.add(value)
            picked.add(place)


class _Version(msgspec.Struct):
    format_version: int
