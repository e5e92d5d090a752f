"""Rows into the estimator's float64 matrix, by the signature alone; every fault named by its column."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from paddock.kernel.errors import InvalidRows
from paddock.kernel.names import nearest
from paddock.models.columns import ColumnEncoder, Values
from paddock.models.records import RowFault, Signature

Matrix = npt.NDArray[np.float64]
Columns = Mapping[str, Values]

_FEW_ROWS = 4
_NAN = float("nan")
_KEPT_ENCODERS = 64
_encoders: dict[int, "Encoder"] = {}


class Encoder:
    """Encodes rows of one signature; made once, safe to share between threads.

    A column may be a list, a one-dimensional NumPy array or an Arrow array. A category becomes its
    place in `Column.categories`, a boolean 0 or 1, a missing value NaN.
    """

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self._columns = tuple(ColumnEncoder(column) for column in signature.columns)
        self._names = frozenset(signature.names)

    def encode(self, columns: Columns) -> Matrix:
        """Return the matrix, shape (rows, columns of the signature), C order.

        Raises InvalidRows with every fault among its `problems`.
        """
        few = self._encode_few(columns)
        if few is not None:
            return few
        matrix, faults = self._encode_many(columns)
        if faults:
            problems = tuple(fault.words for fault in faults)
            raise InvalidRows("; ".join(problems[:8]), problems=problems, column=faults[0].column)
        return matrix

    def check(self, columns: Columns) -> tuple[RowFault, ...]:
        """Return every fault of the rows; empty when they can be encoded."""
        return self._encode_many(columns)[1]

    def _encode_few(self, columns: Columns) -> Matrix | None:
        # One row of plain Python values costs less here than one NumPy call a column would. Anything
        # unusual returns None, and the general way finds the words for it.
        if len(columns) != len(self._columns):
            return None
        rows = -1
        flat: list[float] = []
        for column in self._columns:
            values = columns.get(column.name)
            if type(values) is not list:
                return None
            if rows < 0:
                rows = len(values)
                if not 0 < rows <= _FEW_ROWS:
                    return None
            elif len(values) != rows:
                return None
            if not column.append_codes(values, flat):
                return None
        if rows < 1:
            return None
        matrix = np.array(flat, dtype=np.float64)
        return matrix.reshape(1, -1) if rows == 1 else np.ascontiguousarray(matrix.reshape(-1, rows).T)

    def _encode_many(self, columns: Columns) -> tuple[Matrix, tuple[RowFault, ...]]:
        faults = [self._name_extra(name) for name in columns if name not in self._names]
        rows = _count_rows(columns)
        matrix = np.full((rows, len(self._columns)), _NAN)
        for place, column in enumerate(self._columns):
            if column.name not in columns:
                faults.extend(column.absent())
                continue
            values = columns[column.name]
            if len(values) != rows:
                words = f"column `{column.name}` has {len(values)} rows, others have {rows}"
                faults.append(RowFault(column.name, words))
                continue
            codes, texts = column.encode(values)
            faults.extend(RowFault(column.name, text) for text in texts)
            if codes is not None:
                matrix[:, place] = codes
        return matrix, tuple(faults)

    def _name_extra(self, name: str) -> RowFault:
        match = nearest(name, self._names)
        suffix = f"; the nearest is `{match}`" if match else ""
        return RowFault(name, f"column `{name}` is not one of the model's columns{suffix}")


def encode_rows(signature: Signature, columns: Columns) -> Matrix:
    """Return the float64 matrix of the rows, shape (rows, columns), in the signature's order.

    Raises InvalidRows naming every fault.

    >>> from paddock.models.records import Column, Signature
    >>> carrier = Column("carrier", "category", categories=("AA", "UA"))
    >>> signature = Signature((carrier, Column("hour", "integer")))
    >>> encode_rows(signature, {"hour": [7, 9], "carrier": ["UA", "AA"]})
    array([[1., 7.],
           [0., 9.]])
    """
    return _encoder_of(signature).encode(columns)


def check_rows(signature: Signature, columns: Columns) -> tuple[RowFault, ...]:
    """Return every fault of the rows, in the order of the columns; empty when there is none.

    >>> from paddock.models.records import Column, Signature
    >>> [fault.words for fault in check_rows(Signature((Column("hour", "integer"),)), {"hour": [7.5]})]
    ['column `hour` must hold whole numbers, but row 0 holds 7.5']
    """
    return _encoder_of(signature).check(columns)


def _encoder_of(signature: Signature) -> Encoder:
    # Keyed by identity: hashing a signature with thousands of categories costs more than one row. The
    # encoder holds the signature, so the identity cannot be taken over while it is kept.
    encoder = _encoders.get(id(signature))
    if encoder is None:
        if len(_encoders) >= _KEPT_ENCODERS:
            _encoders.clear()
        encoder = _encoders[id(signature)] = Encoder(signature)
    return encoder


def _count_rows(columns: Columns) -> int:
    """Return the row count most columns agree on, so that the odd one out is the one named."""
    counts = [len(cast("Sequence[object]", values)) for values in columns.values()]
    return max(counts, key=counts.count, default=0)
