"""Which windows are judged once more because rows or labels came after they were due."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from paddock.kernel.durations import parse_duration
from paddock.monitoring.records import MonitorSpec, Window, WindowFacts, WindowReport
from paddock.monitoring.rules import parse_alarm_windows

LATE_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Counts:
    """What there is of a window now: rows, and rows with a label."""

    rows: int
    labels: int


def is_next_day(since: datetime, now: datetime) -> bool:
    """Say whether a day, in UTC, has begun between two looks.

    >>> is_next_day(datetime(2013, 4, 1, 23, tzinfo=UTC), datetime(2013, 4, 2, tzinfo=UTC))
    True
    """
    return since.astimezone(UTC).date() < now.astimezone(UTC).date()


def is_settled(report: WindowReport, spec: MonitorSpec, champion: int, now: datetime) -> bool:
    """Say whether only what came late can give the window another report, and still may.

    It was judged when its labels were due, at most 30 days ago, and the version that answered most of it is
    champion still: the release of another version is no measure for it.
    """
    delay = parse_duration(spec.labels.delay) if spec.labels else timedelta(0)
    due_at = report.end + delay
    is_measurable = report.facts.main_version in (0, champion)  # 0: there was no row
    return due_at <= report.created_at and now - due_at <= LATE_FOR and is_measurable


def find_late(
    settled: Sequence[WindowReport], counts: Mapping[Window, Counts], spec: MonitorSpec, now: datetime
) -> tuple[Window, ...]:
    """Return the windows to judge again, oldest first.

    settled: the latest reports, in any order; counts: of each of their windows. Judged again is a window with
    more rows or labels than its report knows, at most once a day (in UTC), and with it the windows after it
    whose alarms look back at it.
    """
    _, of = parse_alarm_windows(spec.alarm_windows)
    reports = sorted(settled, key=lambda report: report.start)
    late: dict[Window, None] = {}
    for place, report in enumerate(reports):
        if is_next_day(report.created_at, now) and _has_grown(spec, report.facts, counts[report.window]):
            late.update(dict.fromkeys(each.window for each in reports[place : place + of]))
    return tuple(late)


def _has_grown(spec: MonitorSpec, facts: WindowFacts, counts: Counts) -> bool:
    return counts.rows > facts.rows or (spec.labels is not None and counts.labels > facts.label_count)
