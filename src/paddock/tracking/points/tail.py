"""A batch of points as one row of the tail. Without NumPy: this is what a write of one point pays for.

Format: docs/formats/metric-points.md.
"""

from collections.abc import Sequence
from struct import pack

import msgspec

from paddock.tracking.records import MetricPoint

BATCH_MARK = 1
_encode = msgspec.msgpack.Encoder().encode


def encode_batch(points: Sequence[MetricPoint]) -> bytes:
    """Return the points, grouped by key in the order of their first appearance.

    >>> len(encode_batch([MetricPoint("auc", 0.7, 1, 0)]))
    35
    """
    if len(points) == 1:  # the common case of a training loop
        (point,) = points
        head = _encode([point.key, 1])
        return pack(
            f"<BI{len(head)}sqqd", BATCH_MARK, len(head), head, point.step, point.at_micros, point.value
        )
    by_key: dict[str, list[MetricPoint]] = {}
    for point in points:
        by_key.setdefault(point.key, []).append(point)
    ordered = [point for group in by_key.values() for point in group]
    head = _encode([part for key, group in by_key.items() for part in (key, len(group))])
    count = len(ordered)
    return b"".join(
        (
            pack(f"<BI{len(head)}s", BATCH_MARK, len(head), head),
            pack(f"<{count}q", *(point.step for point in ordered)),
            pack(f"<{count}q", *(point.at_micros for point in ordered)),
            pack(f"<{count}d", *(point.value for point in ordered)),
        )
    )
