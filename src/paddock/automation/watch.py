"""Bringing finished windows of live rows before the monitors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from paddock.automation.live import LiveRows, column
from paddock.datasets import Profile, profile_like
from paddock.kernel.clock import Clock, to_micros
from paddock.kernel.durations import parse_duration
from paddock.kernel.errors import NotFound
from paddock.monitoring import (
    LATE_FOR,
    Counts,
    Monitoring,
    MonitorSpec,
    Window,
    WindowReport,
    find_late,
    is_next_day,
    is_settled,
    parse_window_size,
    windows_between,
)


def profile_stretches(rows: pa.Table, reference: Profile, window: str) -> tuple[Profile, ...]:
    """Return the profiles of the parts of the reference that are as long as a monitor's window.

    rows: the rows of `reference` with their `event_time`. Parts that the rows do not fill are left out.
    """
    times = rows["event_time"]
    first, last = pc.min(times).as_py(), pc.max(times).as_py()
    micros = times.cast(pa.int64())
    stretches = []
    for part in windows_between(parse_window_size(window), first, last, first):
        if first <= part.start + _SLACK and part.end <= last + _SLACK:
            inside = pc.and_(
                pc.greater_equal(micros, to_micros(part.start)), pc.less(micros, to_micros(part.end))
            )
            stretches.append(profile_like(rows.filter(inside), reference))
    return tuple(stretches)


_SLACK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Watch:
    """One monitor of an endpoint.

    A window is judged twice: when it ends, for drift, and when its labels are due, for quality; and once
    more on each day after that on which rows or labels of it have come late.
    opened_at: event time of the first row; reference, reference_quality, stretches: as in
    `Monitoring.evaluate`.
    """

    name: str
    spec: MonitorSpec
    opened_at: datetime
    reference: Profile
    reference_quality: float
    monitoring: Monitoring
    clock: Clock
    live: LiveRows
    stretches: tuple[Profile, ...] = ()

    def tick(self, since: datetime) -> tuple[WindowReport, ...]:
        """Judge each window that ended, or whose labels came due, after `since` and by now.

        One that the store says was judged after that moment is left out, so a tick that was interrupted
        may be repeated from the same `since`. No row is read for a window that is not judged.
        """
        now = self.clock.now()
        due = self._due(since, now)
        judged_at = self._judged_at(due, now)
        return tuple(
            self._judge(window, now)
            for window, moment in due.items()
            if window not in judged_at or judged_at[window] < moment
        )

    def revise(self, since: datetime, champion: int) -> tuple[WindowReport, ...]:
        """Judge again each window that rows or labels were added to after it was due; see `find_late`.

        since: the look before; there is one look a day, at the first call of it. champion: the version that
        `reference` is of. No feature is read for a window that has not grown, and one that says the same
        again gets no report.
        """
        now = self.clock.now()
        if not is_next_day(since, now):
            return ()
        settled = [each for each in self._newest(now) if is_settled(each, self.spec, champion, now)]
        counts = self._count(settled, now)
        return tuple(self._judge(window, now) for window in find_late(settled, counts, self.spec, now))

    def _newest(self, now: datetime) -> tuple[WindowReport, ...]:
        """Return the latest reports of the windows that may still be settled."""
        delay = parse_duration(self.spec.labels.delay) if self.spec.labels else timedelta(0)
        first = max(self.opened_at, now - LATE_FOR - delay)
        reach = len(windows_between(parse_window_size(self.spec.window), first, now, self.opened_at))
        try:
            return self.monitoring.list_windows(self.name, limit=reach + 1)
        except NotFound:
            return ()

    def _count(self, reports: Sequence[WindowReport], now: datetime) -> Mapping[Window, Counts]:
        """Return how many rows and labels there are now of the window of each report."""
        if not reports:
            return {}
        rows = self.live.since(min(each.start for each in reports), now)
        times = rows["event_time"].cast(pa.int64()).to_numpy()  # in order
        labels = np.cumsum(np.append(0, ~np.isnan(column(rows, "label"))))
        counts = {}
        for each in reports:
            first, end = np.searchsorted(times, [to_micros(each.start), to_micros(each.end)])
            counts[each.window] = Counts(int(end - first), int(labels[end] - labels[first]))
        return counts

    def _due(self, since: datetime, now: datetime) -> dict[Window, datetime]:
        """Return the windows to judge, in order, each with the newest moment at which it came due."""
        delay = parse_duration(self.spec.labels.delay) if self.spec.labels else timedelta(0)
        size = parse_window_size(self.spec.window)
        first = max(self.opened_at, since - delay)
        due: dict[Window, datetime] = {}
        for window in windows_between(size, first, now, self.opened_at):
            moments = (window.end, window.end + delay)
            newest = max((each for each in moments if since < each <= now), default=None)
            if newest is not None:
                due[window] = newest
        return due

    def _judged_at(self, due: Mapping[Window, datetime], now: datetime) -> Mapping[Window, datetime]:
        """Return when the store has last judged those of the windows `due` that it has judged."""
        if not due:
            return {}
        size = parse_window_size(self.spec.window)
        reach = len(windows_between(size, min(due).start, now, self.opened_at))
        try:
            reports = self.monitoring.list_windows(self.name, limit=reach)
        except NotFound:
            return {}
        return {report.window: report.created_at for report in reports}

    def _judge(self, window: Window, now: datetime) -> WindowReport:
        rows = self.live.between(window.start, window.end, now)
        return self.monitoring.evaluate(
            self.name,
            self.spec,
            window,
            rows,
            reference=self.reference,
            reference_quality=self.reference_quality,
            stretches=self.stretches,
        )
