"""`/health` and `/metrics` of a process whose work is something else, such as the loop."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

from paddock.app import App
from paddock.server.exchange import Application, Exchange
from paddock.server.limits import limits_of
from paddock.server.metrics import ServerMetrics
from paddock.server.pool import HandlerPool
from paddock.server.routing import build_router
from paddock.server.running import Server, configure
from paddock.server.status import status_routes
from paddock.serving import bind_loopback, url_of
from paddock.wire import LOCAL_GRANTS

_THREADS = 2
_WAITING_CALLS = 14
_CONNECTIONS = 64


@contextlib.contextmanager
def serve_status(app: App, port: int, render: Callable[[], bytes]) -> Iterator[str]:
    """Answer `GET /health` and `GET /metrics` from a thread of its own while the block runs; yield the URL.

    port: 0 takes a free one. render: returns the metrics in the Prometheus text format; it is called
    in another thread, and a PaddockError of it is answered as a problem. Guarded and bounded as the
    server is. Raises PortInUse, and InvalidSettings for an address that is not loopback.
    """
    listener = bind_loopback(app.settings.text("host"), port)
    url = url_of(listener)
    with contextlib.closing(listener):
        limits = replace(
            limits_of(app.settings),
            threads=_THREADS,
            waiting_calls=_WAITING_CALLS,
            connections=_CONNECTIONS,
        )
        pool = HandlerPool(limits.threads, limits.waiting_calls)
        exchange = Exchange(limits, pool, ServerMetrics(), app.actor, LOCAL_GRANTS)
        router = build_router(status_routes(render), exchange.serve, "/health and /metrics are answered here")
        server = Server(configure(Application(exchange, router), limits))
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="paddock-status", daemon=True
        )
        thread.start()  # need not be waited for: the socket keeps what comes before the thread looks
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join()
