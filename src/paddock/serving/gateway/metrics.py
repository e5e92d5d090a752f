"""What a gateway counts, in Prometheus' text format."""

from collections.abc import Callable, Iterable
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from paddock.prediction_log import LogStats
from paddock.serving.gateway.live import LiveConfig

_LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class GatewayMetrics:
    """Counters of one gateway process; nothing is shared with other registries."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "paddock_prediction_requests_total",
            "Prediction requests by the version that answered and the HTTP status",
            ("model", "version", "code"),
            registry=self._registry,
        )
        self._latency = Histogram(
            "paddock_prediction_latency_seconds",
            "Time from a whole request to its answer",
            registry=self._registry,
            buckets=_LATENCIES,
        )
        self._shadow_dropped = Counter(
            "paddock_shadow_dropped_total",
            "Rows that have no shadow answer in the log, by the reason",
            ("reason",),
            registry=self._registry,
        )
        self._fallback = Counter(
            "paddock_canary_fallback_rows_total",
            "Rows of a canary that could not answer, answered by the champion",
            registry=self._registry,
        )
        self._requests_of = lru_cache(maxsize=256)(self._requests.labels)
        self.observe_latency = self._latency.observe

    def count_request(self, model: str, version: str, code: int) -> None:
        """version: of the answer, `mixed` for several, empty for none."""
        self._requests_of(model, version, str(code)).inc()

    def count_dropped(self, rows: int, reason: str) -> None:
        self._shadow_dropped.labels(reason).inc(rows)

    def count_fallback(self, rows: int) -> None:
        self._fallback.inc(rows)

    def watch(self, live: Callable[[], LiveConfig | None], log: Callable[[], LogStats]) -> None:
        """Show what is served and what was logged at the moment of a scrape."""
        self._registry.register(_Moment(live, log))

    def render(self) -> bytes:
        return generate_latest(self._registry)


class _Moment(Collector):
    def __init__(self, live: Callable[[], LiveConfig | None], log: Callable[[], LogStats]) -> None:
        self._live = live
        self._log = log

    def collect(self) -> Iterable[Metric]:
        stats = self._log()
        for name, words, value in (
            ("paddock_prediction_log_rows_total", "Rows on disk", stats.rows),
            ("paddock_prediction_log_syncs_total", "Batches, each made durable by one sync", stats.syncs),
            (
                "paddock_prediction_log_refused_rows_total",
                "Rows not logged, not answered",
                stats.refused_rows,
            ),
            ("paddock_prediction_log_lost_rows_total", "Rows answered, not logged", stats.lost_rows),
        ):
            yield CounterMetricFamily(name, words, value=value)
        yield GaugeMetricFamily(
            "paddock_prediction_log_waiting_rows", "Rows that wait for a sync", value=stats.waiting_rows
        )
        yield from _describe(self._live())


def _describe(live: LiveConfig | None) -> Iterable[Metric]:
    info = GaugeMetricFamily(
        "paddock_model_info", "Versions being served", labels=("model", "version", "digest", "role")
    )
    restarts = CounterMetricFamily(
        "paddock_model_worker_restarts_total", "Times a worker was started again", labels=("version",)
    )
    if live is not None:
        for version, runner in live.runners.items():
            info.add_metric(
                (live.config.model, str(version), runner.package.digest, live.role_of(version)), 1
            )
            restarts.add_metric((str(version),), runner.restarts)
    yield info
    yield restarts
    yield GaugeMetricFamily(
        "paddock_gateway_generation",
        "Generation of the config being served",
        value=live.config.generation if live else 0,
    )
