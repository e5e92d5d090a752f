"""The bytes of a gate report; docs/formats/gate-report.md describes them."""

import msgspec

from paddock.evaluation.records import REPORT_FORMAT, GateReport
from paddock.kernel.errors import IntegrityError, StoreTooNew

_FAMILY = REPORT_FORMAT.partition("/")[0]


class _Head(msgspec.Struct):
    format: str = ""


def encode_report(report: GateReport) -> bytes:
    """Return the canonical bytes of a report: JSON, keys sorted, no spaces, times in UTC."""
    return msgspec.json.encode(report, order="sorted")


def decode_report(body: bytes) -> GateReport:
    """Read what `encode_report` wrote.

    Raises StoreTooNew for a report of a newer format, IntegrityError for what is no report.
    """
    try:
        head = msgspec.json.decode(body, type=_Head)
        if head.format != REPORT_FORMAT and head.format.startswith(f"{_FAMILY}/"):
            raise StoreTooNew(
                f"the gate report is of format `{head.format}`, this Paddock reads `{REPORT_FORMAT}`"
            )
        if head.format != REPORT_FORMAT:
            raise IntegrityError("this is not a gate report")
        return msgspec.json.decode(body, type=GateReport)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IntegrityError(f"this is not a gate report: {error}") from error
