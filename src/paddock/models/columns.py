"""One column into float64 codes: a plain-Python way for a few values, an array way for many."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from paddock.models.records import Column, RowFault

if TYPE_CHECKING:
    import pyarrow as pa

Codes = npt.NDArray[np.float64]
Values: TypeAlias = "Sequence[object] | npt.NDArray[np.generic] | pa.Array | pa.ChunkedArray"

_NAN = float("nan")
_EXACT = 2**53
_WANTED = {"number": "numbers", "integer": "whole numbers", "boolean": "booleans", "category": "texts"}


class ColumnEncoder:
    """Codes of one column. `append_codes` refuses without a word what `encode` then explains."""

    def __init__(self, column: Column) -> None:
        self.name = column.name
        self._column = column
        self._codes = {category: float(code) for code, category in enumerate(column.categories)}
        self._unknown = _NAN if column.unknown_category == "missing" else None
        self._append = {
            "number": self._append_numbers,
            "integer": self._append_integers,
            "boolean": self._append_booleans,
            "category": self._append_categories,
        }[column.type]

    def append_codes(self, values: list[object], flat: list[float]) -> bool:
        """Append the codes of a few plain values to `flat`; False when any of them needs a closer look."""
        return self._append(values, flat)

    def absent(self) -> list[RowFault]:
        """Return the fault of leaving this column out, if it is one."""
        if self._column.required:
            return [RowFault(self.name, f"column `{self.name}` is missing")]
        return [RowFault(self.name, words) for words in self._forbid_missing(0)]

    def encode(self, values: Values) -> tuple[Codes | None, list[str]]:
        """Return the codes, shape (rows,), or None with the faults in words."""
        if self._column.type == "category" and hasattr(values, "dictionary_encode"):
            codes = self._encode_arrow_texts(values)
            if codes is not None:
                return codes, []
        array = _plain(values)
        if isinstance(array, list):
            return self._encode_list(array)
        if array.ndim != 1:
            return None, [f"column `{self.name}` must be one-dimensional, but has {array.ndim} dimensions"]
        if array.dtype.kind in "biuf":
            return self._encode_numeric(array)
        return self._encode_list(array.tolist())

    def _append_numbers(self, values: list[object], flat: list[float]) -> bool:
        for value in values:
            kind = type(value)
            if kind is float or (kind is int and -_EXACT <= cast(int, value) <= _EXACT):
                number = cast(float, value)
                if number - number != 0.0:  # NaN or infinite
                    return False
                flat.append(number)
            elif not self._append_missing(value, flat):
                return False
        return True

    def _append_integers(self, values: list[object], flat: list[float]) -> bool:
        for value in values:
            if type(value) is int and -_EXACT <= value <= _EXACT:
                flat.append(value)
            elif not self._append_missing(value, flat):
                return False
        return True

    def _append_booleans(self, values: list[object], flat: list[float]) -> bool:
        for value in values:
            if value is True:
                flat.append(1.0)
            elif value is False:
                flat.append(0.0)
            elif not self._append_missing(value, flat):
                return False
        return True

    def _append_categories(self, values: list[object], flat: list[float]) -> bool:
        codes = self._codes
        for value in values:
            if type(value) is str:
                code = codes.get(value, self._unknown)
                if code is None:
                    return False
                flat.append(code)
            elif not self._append_missing(value, flat):
                return False
        return True

    def _append_missing(self, value: object, flat: list[float]) -> bool:
        if value is None and self._column.missing_allowed:
            flat.append(_NAN)
            return True
        return False

    def _encode_list(self, values: list[object]) -> tuple[Codes | None, list[str]]:
        kinds = set(map(type, values))
        wrong = [kind for kind in kinds if not self._takes(kind)]
        if wrong:
            place = next(place for place, value in enumerate(values) if type(value) in wrong)
            words = (
                f"column `{self.name}` must hold {self._wanted}, "
                f"but row {place} holds {_describe(values[place])}"
            )
            return None, [words]
        if self._column.type == "category":
            return self._encode_categories(values)
        try:
            numbers = np.array(values, dtype=np.float64)
        except OverflowError:
            return None, [f"column `{self.name}` holds a number too large for a float64"]
        return self._check_numbers(numbers)

    def _takes(self, kind: type) -> bool:
        if kind is type(None):
            return True
        wanted = self._column.type
        if wanted == "category":
            return issubclass(kind, str)
        if issubclass(kind, bool | np.bool_):
            return wanted == "boolean"
        return wanted != "boolean" and issubclass(kind, int | float | np.integer | np.floating)

    def _encode_categories(self, values: list[object]) -> tuple[Codes | None, list[str]]:
        get = self._codes.get
        codes = np.array([_NAN if value is None else get(cast(str, value), -1.0) for value in values])
        faults = []
        unknown = np.flatnonzero(codes == -1.0)
        if len(unknown) and self._unknown is None:
            first = int(unknown[0])
            faults.append(
                f"column `{self.name}` has no category `{str(values[first])[:80]}` "
                f"(row {first}{_and_more(len(unknown) - 1)})"
            )
        codes[unknown] = _NAN
        missing = [place for place, value in enumerate(values) if value is None]
        if missing:
            faults.extend(self._forbid_missing(missing[0], len(missing) - 1))
        return codes, faults

    def _encode_arrow_texts(self, values: "pa.Array | pa.ChunkedArray") -> Codes | None:
        # Looks up each distinct text once; None when a fault needs the row-by-row way to be worded.
        import pyarrow as pa

        if values.null_count and not self._column.missing_allowed:
            return None
        chunked = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
        encoded = chunked.dictionary_encode().unify_dictionaries().combine_chunks()
        if not isinstance(encoded, pa.Array):  # older Arrow returns a chunked array when it is empty
            return None
        words = encoded.dictionary.to_pylist()
        codes = [self._codes.get(word, self._unknown) for word in words]
        if None in codes:
            return None
        places = encoded.indices.fill_null(len(codes)).to_numpy(zero_copy_only=False)
        table = np.array([*codes, _NAN], dtype=np.float64)
        return cast(Codes, table[places])

    def _encode_numeric(self, array: npt.NDArray[np.generic]) -> tuple[Codes | None, list[str]]:
        if (array.dtype.kind == "b") != (self._column.type == "boolean") or self._column.type == "category":
            held = "booleans" if array.dtype.kind == "b" else "numbers"
            return None, [f"column `{self.name}` must hold {self._wanted}, but holds {held}"]
        return self._check_numbers(array.astype(np.float64))

    def _check_numbers(self, numbers: Codes) -> tuple[Codes, list[str]]:
        faults = []
        infinite = np.flatnonzero(np.isinf(numbers))
        if len(infinite):
            more = _and_more(len(infinite) - 1)
            faults.append(f"column `{self.name}` is infinite (row {int(infinite[0])}{more})")
        missing = np.flatnonzero(np.isnan(numbers))
        if len(missing):
            faults.extend(self._forbid_missing(int(missing[0]), len(missing) - 1))
        if self._column.type == "integer":
            faults.extend(self._check_whole(numbers))
        return numbers, faults

    def _check_whole(self, numbers: Codes) -> list[str]:
        finite = np.isfinite(numbers)
        broken = np.flatnonzero(finite & ((numbers != np.trunc(numbers)) | (np.abs(numbers) > _EXACT)))
        if not len(broken):
            return []
        first = int(broken[0])
        more = _and_more(len(broken) - 1)
        return [f"column `{self.name}` must hold whole numbers, but row {first} holds {numbers[first]}{more}"]

    def _forbid_missing(self, row: int, more: int = 0) -> list[str]:
        if self._column.missing_allowed:
            return []
        return [f"column `{self.name}` may not be missing (row {row}{_and_more(more)})"]

    @property
    def _wanted(self) -> str:
        return _WANTED[self._column.type]


def _plain(values: Values) -> "list[object] | npt.NDArray[np.generic]":
    """Return a list or an array; Arrow numbers become an array with NaN where they are null."""
    if isinstance(values, np.ndarray | list):
        return values
    if hasattr(values, "null_count"):
        return _plain_arrow(values)
    return list(values)


def _plain_arrow(values: "pa.Array | pa.ChunkedArray") -> "list[object] | npt.NDArray[np.generic]":
    import pyarrow as pa

    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        if values.null_count:
            values = values.cast(pa.float64())
        return np.asarray(values.to_numpy(zero_copy_only=False))
    return cast("list[object]", values.to_pylist())


def _describe(value: object) -> str:
    if isinstance(value, str):
        return f"the text `{value[:40]}`"
    if isinstance(value, bool | np.bool_):
        return f"the boolean {bool(value)}"
    if isinstance(value, int | float):
        return f"the number {value}"
    return f"a {type(value).__name__}"


def _and_more(count: int) -> str:
    return f" and {count} more" if count else ""
