"""Bringing finished windows of live rows before the monitors."""

from dataclasses import dataclass
from datetime import datetime

from paddock.automation.live import LiveRows
from paddock.datasets import Profile
from paddock.kernel.clock import Clock
from paddock.kernel.durations import parse_duration
from paddock.monitoring import (
    Monitoring,
    MonitorSpec,
    Window,
    WindowReport,
    parse_window_size,
    windows_between,
)


@dataclass(frozen=True, slots=True)
class Watch:
    """One monitor of an endpoint.

    A window is judged twice: when it ends, for drift, and when its labels are due, for quality.
    opened_at: event time of the first row; reference, reference_quality: as in `Monitoring.evaluate`.
    """

    name: str
    spec: MonitorSpec
    opened_at: datetime
    reference: Profile
    reference_quality: float
    monitoring: Monitoring
    clock: Clock
    live: LiveRows

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
        )
