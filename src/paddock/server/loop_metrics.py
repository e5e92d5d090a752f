"""What `/metrics` of the loop tells: how its ticks go, and where each declared endpoint stands.

Ticks are counted here. All else is read from the store when it is asked for, so it is right also
while a tick takes an hour to train.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from paddock.kernel.clock import monotonic_s
from paddock.kernel.errors import NotFound

if TYPE_CHECKING:
    from paddock.app import App
    from paddock.automation import Declaration
    from paddock.monitoring import WindowReport

TOP_FEATURES = 10

_BUCKETS_S = (0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0)
# windows in which the newest one with labels is looked for
_LOOK_BACK = 60


class LoopMetrics:
    """The metrics of one process that runs the loops of `declaration`."""

    def __init__(self, app: App, declaration: Declaration) -> None:
        self._clock = app.clock
        self._registry = CollectorRegistry(auto_describe=False)
        self._ticks = Counter("paddock_loop_ticks_total", "Looks at all endpoints.", registry=self._registry)
        self._seconds = Histogram(
            "paddock_loop_tick_seconds",
            "Time of one look at all endpoints, training included.",
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._last = Gauge(
            "paddock_loop_last_tick_timestamp_seconds",
            "When the last look ended, in seconds since 1970, 0 before the first.",
            registry=self._registry,
        )
        self._problems = Counter(
            "paddock_loop_problems_total",
            "Times an endpoint could not be looked after; it is tried again.",
            registry=self._registry,
        )
        self._registry.register(_StandOfEndpoints(app, declaration))

    @contextmanager
    def time_tick(self) -> Iterator[None]:
        """Count and time the block as one look at all endpoints, however it ends."""
        began = monotonic_s()
        try:
            yield
        finally:
            self._seconds.observe(monotonic_s() - began)
            self._last.set(self._clock.now().timestamp())
            self._ticks.inc()

    def count_problem(self) -> None:
        """Count one endpoint that a look could not look after."""
        self._problems.inc()

    def render(self) -> bytes:
        """Return everything in the Prometheus text format; raises what reading the store raises."""
        return generate_latest(self._registry)


class _StandOfEndpoints(Collector):
    """Reads the store at each scrape. Only what is declared is told, so the series are bounded."""

    def __init__(self, app: App, declaration: Declaration) -> None:
        self._app = app
        self._endpoints = tuple(declaration.endpoint)
        self._monitors = {name: spec.endpoint for name, spec in declaration.monitor.items()}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        windows = {name: self._list_windows(name) for name in self._monitors}
        yield self._phases()
        yield self._alarms()
        yield self._quality(windows)
        yield self._drift(windows)
        yield self._coverage(windows)

    def _phases(self) -> GaugeMetricFamily:
        from paddock.automation import Phase

        family = GaugeMetricFamily(
            "paddock_rollout_phase",
            "1 for the phase of the endpoint's newest rollout, 0 for all others.",
            labels=["endpoint", "phase"],
        )
        for endpoint in self._endpoints:
            rollouts = self._app.automation.list_rollouts(endpoint, limit=1)
            for phase in get_args(Phase):
                family.add_metric([endpoint, phase], float(bool(rollouts) and rollouts[0].phase == phase))
        return family

    def _alarms(self) -> GaugeMetricFamily:
        from paddock.monitoring import AlarmKind

        family = GaugeMetricFamily(
            "paddock_open_alarms", "Alarms that stand now.", labels=["endpoint", "kind"]
        )
        standing = [(alarm.endpoint, alarm.kind) for alarm in self._app.monitoring.open_alarms()]
        for endpoint in self._endpoints:
            for kind in get_args(AlarmKind):
                family.add_metric([endpoint, kind], float(standing.count((endpoint, kind))))
        return family

    def _quality(self, windows: dict[str, tuple[WindowReport, ...]]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "paddock_model_quality",
            "The metric of the newest window with enough labels.",
            labels=["endpoint", "monitor", "metric", "kind"],
        )
        for monitor, reports in windows.items():
            for report in reports:
                quality = report.facts.quality
                if quality.value is not None:
                    labels = [self._monitors[monitor], monitor, quality.metric, "realised"]
                    family.add_metric(labels, quality.value)
                    break
        return family

    def _drift(self, windows: dict[str, tuple[WindowReport, ...]]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "paddock_feature_drift_score",
            "Population stability index of the features that moved most in the newest window.",
            labels=["endpoint", "monitor", "feature"],
        )
        for monitor, reports in windows.items():
            features = sorted(reports[0].facts.features if reports else (), key=lambda each: -each.psi)
            for feature in features[:TOP_FEATURES]:
                family.add_metric([self._monitors[monitor], monitor, feature.name], feature.psi)
        return family

    def _coverage(self, windows: dict[str, tuple[WindowReport, ...]]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "paddock_label_coverage_ratio",
            "Share of rows old enough to have a label that have one, in the newest window with such rows.",
            labels=["endpoint", "monitor"],
        )
        for monitor, reports in windows.items():
            due = next((report for report in reports if report.facts.due_count), None)
            if due is not None:
                family.add_metric([self._monitors[monitor], monitor], due.facts.label_coverage)
        return family

    def _list_windows(self, monitor: str) -> tuple[WindowReport, ...]:
        try:
            return self._app.monitoring.list_windows(monitor, limit=_LOOK_BACK)
        except NotFound:  # none has been judged yet
            return ()
