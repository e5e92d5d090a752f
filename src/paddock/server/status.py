"""The routes of the server itself: is it alive, is it ready, what does it count, what can it do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from paddock.app import App
from paddock.kernel.errors import PaddockError
from paddock.server.metrics import METRICS_TYPE, Reading, ServerMetrics
from paddock.server.openapi import describe_api
from paddock.wire import Answer, Call, Permission, RouteSpec, answer_json
from paddock.wire.structs import Check, Readiness
from paddock.wire.version import paddock_version


@dataclass(frozen=True, slots=True)
class StatusRoutes:
    """Handlers that need no more than the app and the counters."""

    app: App
    metrics: ServerMetrics

    def ready(self, _: Call) -> Answer:
        """Answer whether the store can be read, 503 when it cannot."""
        checks = (_check("metadata", lambda: f"{self.app.metadata.size_bytes()} bytes"),)
        is_ready = all(check.ok for check in checks)
        readiness = Readiness(ready=is_ready, version=paddock_version(), checks=checks)
        return answer_json(readiness, status=200 if is_ready else 503)

    def specs(self) -> tuple[RouteSpec, ...]:
        """Return the routes."""
        health, metrics = status_routes(self.metrics.render)
        ready = RouteSpec("GET", "/ready", Permission.ANYONE, self.ready, "Can it serve", response=Readiness)
        return (health, ready, metrics)


def status_routes(render: Callable[[], bytes]) -> tuple[RouteSpec, RouteSpec]:
    """Return what every process answers: `/health` as long as it does at all, and `/metrics`.

    render: returns the metrics in the Prometheus text format.
    """

    def health(_: Call) -> Answer:
        return Answer(b"OK", media_type="text/plain; charset=utf-8")

    def show_metrics(_: Call) -> Answer:
        return Answer(render(), media_type=METRICS_TYPE)

    text, anyone = "text/plain", Permission.ANYONE
    return (
        RouteSpec("GET", "/health", anyone, health, "Is the process alive", media_type=text),
        RouteSpec("GET", "/metrics", anyone, show_metrics, "Prometheus metrics", media_type=text),
    )


def document_route(specs: Sequence[RouteSpec]) -> RouteSpec:
    """Return the route of the OpenAPI document, which describes `specs` and itself."""

    @cache  # made when it is first asked for: the start of the server need not wait for it
    def body() -> bytes:
        return msgspec.json.encode(describe_api((*specs, spec)))

    def get_openapi(_: Call) -> Answer:
        return Answer(body())

    spec = RouteSpec("GET", "/api/v1/openapi.json", Permission.ANYONE, get_openapi, "This document")
    return spec


def store_readings(app: App) -> tuple[Reading, ...]:
    """Return what is read from the store at each scrape."""

    def ledger_head() -> float:
        events = app.metadata.latest_events(app.actor.project_id, limit=1)
        return float(events[0].position if events else 0)

    store = app.metadata
    return (
        Reading("paddock_ledger_head_position", "Position of the project's newest event.", ledger_head),
        Reading("paddock_store_bytes", "Bytes of the metadata store.", store.size_bytes),
        Reading(
            "paddock_metadata_waiting_calls",
            "Calls that wait for the metadata store.",
            lambda: store.load().waiting_count,
        ),
        Reading(
            "paddock_metadata_refused_calls_total",
            "Calls the metadata store refused because too many waited.",
            lambda: store.load().refused_count,
            is_counter=True,
        ),
    )


def _check(name: str, probe: Callable[[], str]) -> Check:
    try:
        return Check(name=name, ok=True, words=probe())
    except (PaddockError, OSError) as error:
        return Check(name=name, ok=False, words=str(error)[:200])
