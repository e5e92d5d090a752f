"""From a label request to the record of it, every fault named with its row."""

from collections.abc import Sequence
from struct import pack

from paddock.kernel.errors import InvalidInput, InvalidRows, LimitExceeded
from paddock.kernel.ids import parse_id
from paddock.prediction_log import LabelRecord
from paddock.serving.gateway.messages import LabelRequest
from paddock.serving.gateway.times import parse_times

_MOST_FAULTS = 50


def check_labels(request: LabelRequest, *, most_rows: int, now: int) -> LabelRecord:
    """Turn a label request into a record; all its faults are reported together.

    That each label is a finite number was checked when the request was read, see `decode_labels`.
    now: microseconds, the event time of labels that bring none.
    Raises InvalidRows naming columns and rows, LimitExceeded for too many labels.
    """
    count = len(request.prediction_id)
    if count > most_rows:
        raise LimitExceeded(f"the request has {count} labels; at most {most_rows} are taken at once")
    times = request.event_time or [""] * count
    if not count or {len(request.label), len(times)} != {count}:
        raise InvalidRows(
            f"`prediction_id` has {count} rows, `label` {len(request.label)} and `event_time` "
            f"{len(request.event_time)}; all must have the same number, at least one"
        )
    faults: list[str] = []
    ids = _parse_ids(request.prediction_id, faults)
    moments = parse_times("event_time", times, now, faults)
    if faults:
        raise InvalidRows("; ".join(faults[:8]), problems=tuple(faults[:_MOST_FAULTS]))
    return LabelRecord(now, b"".join(ids), pack(f"<{count}d", *request.label), pack(f"<{count}q", *moments))


def _parse_ids(texts: Sequence[str], faults: list[str]) -> list[bytes]:
    ids = []
    for row, text in enumerate(texts):
        try:
            ids.append(bytes.fromhex(parse_id(text)))
        except InvalidInput as error:
            faults.append(f"column `prediction_id` is wrong in row {row}: {error.message}")
    return ids
