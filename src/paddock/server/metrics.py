"""What `/metrics` tells, in a registry of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(frozen=True, slots=True)
class Reading:
    """A value that is read when the metrics are asked for. is_counter: it only grows."""

    name: str
    help: str
    read: Callable[[], float]
    is_counter: bool = False


class ServerMetrics:
    """Counters and times by route template and method; never by anything a client can make up."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "paddock_http_requests",
            "Requests by method, route and status.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "paddock_http_request_seconds",
            "Time from the first byte of a request to the end of its answer, by route.",
            ["route"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )

    def add_readings(self, readings: tuple[Reading, ...]) -> None:
        """Add values that are read at each scrape."""
        self._registry.register(_Readings(readings))

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def render(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self._registry)


class _Readings(Collector):
    def __init__(self, readings: tuple[Reading, ...]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        for reading in self._readings:
            family = CounterMetricFamily if reading.is_counter else GaugeMetricFamily
            yield family(reading.name, reading.help, value=reading.read())
