"""Fewer points that draw the same curve."""

import numpy as np

from paddock.tracking.points.columns import Ints, PointColumns


def sample_extremes(points: PointColumns, bucket_count: int, *, by_time: bool = False) -> PointColumns:
    """Return the first, smallest, largest and last point of each of `bucket_count` equal parts of the x axis.

    points: in order of x, which is the step, or the time with `by_time`. At most 4 points a bucket come back,
    all of them when there are not more than that. A NaN is never smallest or largest.

    >>> x = np.arange(1000); points = PointColumns(x, x, np.sin(x / 9))
    >>> sampled = sample_extremes(points, 10)
    >>> len(sampled) <= 40, float(sampled.values.max()) == float(points.values.max())
    (True, True)
    """
    if len(points) <= 4 * bucket_count:
        return points
    starts = _bucket_starts(points.at_micros if by_time else points.steps, bucket_count)
    ends = np.append(starts[1:], len(points)) - 1
    is_number = ~np.isnan(points.values)
    lowest = _place_of_extreme(np.where(is_number, points.values, np.inf), starts, np.minimum)
    highest = _place_of_extreme(np.where(is_number, points.values, -np.inf), starts, np.maximum)
    return points.take(np.unique(np.concatenate((starts, lowest, highest, ends))))


def _bucket_starts(x: Ints, bucket_count: int) -> Ints:
    """Return where in `x`, which rises, each bucket that holds a point begins."""
    low, high = float(x[0]), float(x[-1])
    width = (high - low) / bucket_count or 1.0
    bucket = np.minimum(((x - low) / width).astype(np.int64), bucket_count - 1)
    return np.concatenate((np.zeros(1, np.int64), np.flatnonzero(np.diff(bucket)) + 1))


def _place_of_extreme(values: "np.typing.NDArray[np.float64]", starts: Ints, extreme: np.ufunc) -> Ints:
    """Return the first place of the extreme value of each bucket."""
    lengths = np.diff(np.append(starts, len(values)))
    best = np.repeat(extreme.reduceat(values, starts), lengths)
    hits = np.flatnonzero(values == best)
    return hits[np.searchsorted(hits, starts)]
