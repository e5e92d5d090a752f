"""Bringing finished windows of live rows before the monitors."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from paddock.automation.live import LiveRows
from paddock.datasets import Profile, profile_like
from paddock.kernel.clock import Clock, to_micros
from paddock.kernel.durations import parse_duration
from paddock.monitoring import (
    Monitoring,
    MonitorSpec,
    Window,
    WindowReport,
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

    A window is judged twice: when it ends, for drift, and when its labels are due, for quality.
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
        """Judge each window that ended, or whose labels came due, after `since` and by now."""
        return tuple(self._judge(window) for window in self._due(since))

    def _due(self, since: datetime) -> list[Window]:
        now = self.clock.now()
        size = parse_window_size(self.spec.window)
        delay = parse_duration(self.spec.labels.delay) if self.spec.labels else None
        windows = windows_between(size, self.opened_at, now, self.opened_at)
        return [
            window
            for window in windows
            if since < window.end <= now or (delay is not None and since < window.end + delay <= now)
        ]

    def _judge(self, window: Window) -> WindowReport:
        rows = self.live.between(window.start, window.end, self.clock.now())
        return self.monitoring.evaluate(
            self.name,
            self.spec,
            window,
            rows,
            reference=self.reference,
            reference_quality=self.reference_quality,
            stretches=self.stretches,
        )
