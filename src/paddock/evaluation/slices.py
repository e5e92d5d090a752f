"""Rows that belong together: by the value of a column, or by the part of its range."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from paddock.evaluation.compare import DEFAULT_DRAWS, measure_pair
from paddock.evaluation.metrics import FloatArray
from paddock.evaluation.records import Measured, SliceMeasured, SliceSpec
from paddock.kernel.errors import InvalidInput, LimitExceeded
from paddock.kernel.names import nearest
from paddock.kernel.wording import count_of

MISSING = "(missing)"
MAX_SLICE_VALUES = 1_000


def slice_by_quantile(values: npt.ArrayLike, parts: int) -> tuple[str, ...]:
    """Name for each row the part of the range it lies in, such as `[0, 12.5)`.

    Parts hold about as many rows each; equal bounds fall together, so there may be fewer parts.
    NaN is a slice of its own, infinite numbers are in the outermost parts. Raises InvalidInput for
    fewer than two parts.

    >>> slice_by_quantile([1, 2, 3, 4], 2)
    ('[1, 2.5)', '[1, 2.5)', '[2.5, 4]', '[2.5, 4]')
    """
    if parts < 2:
        raise InvalidInput(f"a range cannot be cut into {parts} parts, at least 2 are needed")
    numbers = np.asarray(values, dtype=np.float64)
    finite = numbers[np.isfinite(numbers)]
    if len(finite) == 0:
        return tuple(MISSING if number != number else str(number) for number in numbers.tolist())
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, parts + 1)))
    names = _range_names(edges)
    places = np.clip(np.searchsorted(edges, numbers, "right") - 1, 0, len(names) - 1)
    return tuple(
        MISSING if is_missing else names[place]
        for place, is_missing in zip(places.tolist(), np.isnan(numbers).tolist(), strict=True)
    )


def slice_table(table: pa.Table, specs: Sequence[SliceSpec]) -> Mapping[str, tuple[str, ...]]:
    """Name for each row of `table` its slice in every column of `specs`.

    A column without `quantiles` is taken by its values, as text; missing values are a slice of
    their own. Raises InvalidInput for a column that is not there, with the nearest one.
    """
    slices: dict[str, tuple[str, ...]] = {}
    for spec in specs:
        if spec.column not in table.column_names:
            match = nearest(spec.column, table.column_names)
            raise InvalidInput(
                f"there is no column `{spec.column}` to slice by",
                hint=f"did you mean `{match}`" if match else "",
            )
        column = table.column(spec.column)
        if spec.quantiles:
            numbers = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
            slices[spec.column] = slice_by_quantile(numbers, spec.quantiles)
        else:
            slices[spec.column] = tuple(MISSING if v is None else str(v) for v in column.to_pylist())
    return slices


def measure_slices(
    metric: str,
    labels: npt.ArrayLike,
    candidate_scores: npt.ArrayLike,
    champion_scores: npt.ArrayLike | None,
    names: Sequence[str],
    spec: SliceSpec,
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = 0,
) -> tuple[SliceMeasured, ...]:
    """Measure `metric` on the rows of each name, largest slice first.

    names: the slice of each row, shape (rows,). A slice under `spec.min_rows` is in the answer as
    not measured, with the reason. Raises LimitExceeded for more than 1,000 names.
    """
    values, codes, counts = np.unique(
        np.asarray(names, dtype=np.str_), return_inverse=True, return_counts=True
    )
    if len(values) > MAX_SLICE_VALUES:
        raise LimitExceeded(
            f"`{spec.column}` has {len(values):,} values; slice by at most {MAX_SLICE_VALUES:,}"
        )
    rows = np.asarray(labels), np.asarray(candidate_scores)
    rival = None if champion_scores is None else np.asarray(champion_scores)
    slices = []
    for place in np.lexsort((values, -counts)).tolist():
        value, count = str(values[place]), int(counts[place])
        if count < spec.min_rows:
            slices.append(_too_small(metric, spec, value, count, has_champion=rival is not None))
            continue
        chosen = np.flatnonzero(codes == place)
        pair = measure_pair(
            rows[0][chosen],
            rows[1][chosen],
            None if rival is None else rival[chosen],
            (metric,),
            draws=draws,
            seed=seed,
        )
        beside = pair.champion[0] if pair.champion else None
        slices.append(SliceMeasured(spec.column, value, count, pair.candidate[0], beside))
    return tuple(slices)


def _too_small(metric: str, spec: SliceSpec, value: str, count: int, *, has_champion: bool) -> SliceMeasured:
    nothing = Measured(metric, count, reason=f"{count_of(count, 'row')}, {spec.min_rows:,} are needed")
    return SliceMeasured(spec.column, value, count, nothing, nothing if has_champion else None)


def _range_names(edges: FloatArray) -> list[str]:
    texts = [f"{edge:.10g}" for edge in edges.tolist()]
    if len(texts) == 1:
        return [f"[{texts[0]}, {texts[0]}]"]
    names = [f"[{low}, {high})" for low, high in pairwise(texts)]
    names[-1] = names[-1][:-1] + "]"
    return names
