"""The gateway as a process: what it opens, how it ends."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

import msgspec
import uvicorn
import uvloop
from prometheus_client import disable_created_metrics

from paddock.kernel.errors import PaddockError
from paddock.prediction_log import LogOptions, open_label_log, open_log
from paddock.serving.gateway.app import GatewayApp
from paddock.serving.gateway.live import Served
from paddock.serving.gateway.metrics import GatewayMetrics
from paddock.serving.gateway.options import GatewayOptions, parse_arguments
from paddock.serving.gateway.parts import GatewayParts
from paddock.serving.gateway.protocol import guarded_protocol
from paddock.serving.gateway.reports import report_events
from paddock.serving.gateway.runner import WorkerOptions
from paddock.serving.gateway.scoring import Scorer
from paddock.serving.gateway.shadow import Shadowing
from paddock.serving.gateway.watcher import ConfigWatcher
from paddock.serving.ports import bind_loopback, url_of
from paddock.serving.state import GatewayAddress, GatewayState, write_durably

_FOLLOW_AGAIN_S = 1.0
_LOG = logging.getLogger(__name__)
_DRAIN_S = 20
# the log's thread needs the interpreter twice a batch; a busy event loop hands it over this often
_SWITCH_S = 0.0005
_LAST_RESORT_S = 28.0  # whoever runs processes kills them 30 s after SIGTERM


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM, SIGINT or the parent's death; return the exit code."""
    report_events()
    sys.setswitchinterval(_SWITCH_S)
    disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client does not annotate it
    try:
        options = parse_arguments(arguments)
        with (
            bind_loopback(options.host, options.port) as listener,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_serve(options, listener))
    except PaddockError as error:
        sys.stderr.write(f"error: {error.message}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        return error.exit_code
    return 0


async def _serve(options: GatewayOptions, listener: socket.socket) -> None:
    state = GatewayState(options.state)
    parts = _open_parts(options, state)
    app = GatewayApp(parts)
    server = _GatewayServer(_uvicorn_config(app, options))
    _stop_on_signals(app, server, options)
    url = url_of(listener)
    write_durably(state.address_path, msgspec.json.encode(GatewayAddress(os.getpid(), url)))
    following = asyncio.create_task(_follow(parts.watcher))
    _LOG.info("gateway.started", extra={"url": url, "log_mode": options.log_mode})
    try:
        await server.serve(sockets=[listener])
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        await parts.scorer.finish()
        await asyncio.to_thread(parts.log.close)
        await asyncio.to_thread(parts.labels.close)
        await parts.served.close()
        _LOG.info("gateway.stopped")


def _open_parts(options: GatewayOptions, state: GatewayState) -> GatewayParts:
    log_options = LogOptions(
        mode=options.log_mode,
        segment_bytes=options.log_segment_bytes,
        idempotency_keys=options.idempotency_keys,
    )
    log = open_log(state.predictions_folder, log_options)
    try:
        labels = open_label_log(state.predictions_folder, log_options)
    except PaddockError:
        log.close()
        raise
    metrics = GatewayMetrics()
    timeout_s = min(options.worker_timeout_s, options.request_timeout_s)
    served = Served(state, WorkerOptions(options.worker_threads, timeout_s))
    metrics.watch(lambda: served.current, log.stats)
    shadowing = Shadowing(metrics, wait_s=options.shadow_wait_s, queue_rows=options.shadow_queue_rows)

    scorer = Scorer(log, shadowing, metrics, _now)
    return GatewayParts(served, ConfigWatcher(state, served), scorer, log, labels, metrics, options, _now)


def _now() -> int:
    return time.time_ns() // 1000


async def _follow(watcher: ConfigWatcher) -> None:
    await _keep_going(watcher.start)
    gc.collect()
    gc.freeze()  # what is loaded now stays; later collections need not look at it
    while True:
        await _keep_going(watcher.follow)
        await asyncio.sleep(_FOLLOW_AGAIN_S)


async def _keep_going(step: Callable[[], Awaitable[None]]) -> None:
    try:
        await step()
    except Exception:  # noqa: BLE001 - what is served goes on being served, and the next config is heard of
        _LOG.exception("config.following_failed")


def _uvicorn_config(app: GatewayApp, options: GatewayOptions) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=guarded_protocol(options.request_timeout_s),
        proxy_headers=False,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_DRAIN_S,
    )


class _GatewayServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # the gateway drains first, see `_stop_on_signals`


def _stop_on_signals(app: GatewayApp, server: uvicorn.Server, options: GatewayOptions) -> None:
    loop = asyncio.get_running_loop()

    def stop(reason: str, grace_s: float) -> None:
        if app.is_draining:
            return
        app.is_draining = True
        _LOG.info("gateway.draining", extra={"reason": reason})
        loop.call_later(grace_s, setattr, server, "should_exit", True)
        last_resort = threading.Timer(_LAST_RESORT_S, os._exit, (1,))
        last_resort.daemon = True
        last_resort.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number.name, options.drain_grace_s)
    if options.parent_fd >= 0:

        def hear_parent() -> None:
            if not os.read(options.parent_fd, 1):
                loop.remove_reader(options.parent_fd)
                stop("the parent is gone", 0.0)

        loop.add_reader(options.parent_fd, hear_parent)
