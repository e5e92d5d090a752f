"""Why golden requests are answered differently: the served matrix beside the one training saw."""

import numpy as np
import numpy.typing as npt

from paddock.models.records import Column, Signature

Matrix = npt.NDArray[np.float64]


def explain_matrix(signature: Signature, served: Matrix, recorded: Matrix) -> tuple[str, ...]:
    """Return in words where the matrix the signature makes differs from the one training used.

    Both of shape (rows, columns). Empty when they are equal, NaN counting as equal to NaN. The
    weightiest difference comes first: column order, then category encoding, then the rest by column.

    >>> columns = (Column("hour", "integer"), Column("month", "integer"))
    >>> served = np.array([[7.0, 1.0], [9.0, 2.0]])
    >>> explain_matrix(Signature(columns), served, served[:, ::-1])
    ('column order: `hour` and `month` are swapped',)
    """
    odd = [place for place in range(served.shape[1]) if not _equal(served[:, place], recorded[:, place])]
    sources = _match_columns(served, recorded, odd)
    rest = [
        _explain_column(signature.columns[place], served[:, place], recorded[:, place])
        for place in odd
        if place not in sources
    ]
    rest.sort(key=lambda words: not words.startswith("category encoding"))
    order = _explain_order(signature, sources)
    return (order, *rest) if order else tuple(rest)


def explain_answers(served: Matrix, recorded: Matrix, tolerance: float) -> tuple[str, float]:
    """Return in words how far answers differ, or nothing, and the largest absolute difference.

    tolerance: relative to the recorded answer, and absolute below 1.

    >>> explain_answers(np.array([0.5, 0.9]), np.array([0.5, 0.7]), 1e-12)
    ('answers differ by up to 0.2 in 1 of 2 rows', 0.2...)
    """
    distance = np.abs(served - recorded)
    count = int((distance > tolerance * np.maximum(1.0, np.abs(recorded))).sum())
    largest = float(distance.max(initial=0.0))
    if count == 0:
        return "", largest
    return f"answers differ by up to {largest:.3g} in {count} of {len(served)} rows", largest


def _equal(left: Matrix, right: Matrix) -> bool:
    return np.array_equal(left, right, equal_nan=True)


def _match_columns(served: Matrix, recorded: Matrix, odd: list[int]) -> dict[int, int]:
    """Return, for each differing column that training had elsewhere, where that was.

    Only columns that changed places among themselves count, so that the result is a permutation.
    """
    free = list(odd)
    sources: dict[int, int] = {}
    for place in odd:
        found = next((other for other in free if _equal(served[:, place], recorded[:, other])), None)
        if found is not None:
            sources[place] = found
            free.remove(found)
    while True:
        moved_to = set(sources.values())
        closed = {
            place: source for place, source in sources.items() if source in sources and place in moved_to
        }
        if len(closed) == len(sources):
            return sources
        sources = closed


def _explain_order(signature: Signature, sources: dict[int, int]) -> str:
    if not sources:
        return ""
    names = signature.names
    swapped = [(place, source) for place, source in sources.items() if sources.get(source) == place]
    pairs = [f"`{names[place]}` and `{names[source]}`" for place, source in swapped if place < source]
    moved = [
        f"`{names[place]}` stands where training had `{names[source]}`"
        for place, source in sources.items()
        if sources.get(source) != place
    ]
    parts = [f"{pair} are swapped" for pair in pairs[:3]] + moved[:3]
    more = len(pairs) + len(moved) - len(parts)
    return "column order: " + ", ".join(parts) + (f" and {more} more" if more else "")


def _explain_column(column: Column, served: Matrix, recorded: Matrix) -> str:
    missing = np.isnan(served) != np.isnan(recorded)
    if missing.any():
        return _explain_missing(column, served, recorded, missing)
    present = ~np.isnan(served)
    if column.type == "category":
        words = _explain_codes(column, served[present], recorded[present])
        if words:
            return words
    if _equal(served.astype(np.float32).astype(np.float64), recorded):
        return f"number type of `{column.name}`: training used 32-bit floats and serving uses 64-bit ones"
    if _equal(np.trunc(served), recorded) or _equal(np.round(served), recorded):
        return f"number type of `{column.name}`: training used whole numbers and serving does not"
    rows = np.flatnonzero(present & (served != recorded))
    first = int(rows[0])
    return (
        f"values of `{column.name}`: {recorded[first]:.6g} in training and {served[first]:.6g} in serving "
        f"in golden row {first} ({len(rows)} of {len(served)} rows differ)"
    )


def _explain_missing(column: Column, served: Matrix, recorded: Matrix, missing: npt.NDArray[np.bool_]) -> str:
    first = int(np.flatnonzero(missing)[0])
    before = "missing" if np.isnan(recorded[first]) else f"{recorded[first]:.6g}"
    now = "missing" if np.isnan(served[first]) else f"{served[first]:.6g}"
    count = int(missing.sum())
    return (
        f"missing values of `{column.name}`: {before} in training and {now} in serving "
        f"in golden row {first} ({count} of {len(served)} rows differ)"
    )


def _explain_codes(column: Column, served: Matrix, recorded: Matrix) -> str:
    """Return the first category with another code, if every category has one code on both sides."""
    pairs = sorted(set(zip(served.tolist(), recorded.tolist(), strict=True)))
    if len({now for now, _ in pairs}) < len(pairs):
        return ""
    changed = [(int(now), before) for now, before in pairs if now != before]
    code, before = changed[0]
    more = f", and {len(changed) - 1} more categories" if len(changed) > 1 else ""
    return (
        f"category encoding of `{column.name}`: `{column.categories[code]}` was {before:g} in training "
        f"and is {code} in serving{more}"
    )
