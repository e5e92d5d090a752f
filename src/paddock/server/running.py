"""The server as a process: from settings to a socket that answers, and back down in order."""

import contextlib
import gc
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn

from paddock.app import Claim, claim_server, keep_tidy, open_app
from paddock.integrations import keep_delivering
from paddock.kernel.settings import Settings
from paddock.server.building import build_application
from paddock.server.exchange import Application
from paddock.server.limits import ServerLimits, limits_of
from paddock.server.protocol import bounded_protocol
from paddock.serving import bind_loopback, check_loopback, url_of


def run_server(
    settings: Settings,
    *,
    parent_fd: int = -1,
    claim_fd: int = -1,
    when_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM, Ctrl-C or, with `parent_fd`, until the parent process is gone.

    parent_fd: the reading end of a pipe that the parent keeps open. claim_fd: the claim on the store where
    the parent has it. when_ready: called with the address as soon as requests are answered. Requests in
    flight get `drain_s` to end. Raises InvalidSettings for an address that is not loopback, StoreInUse
    when another server has the store, PortInUse for an address that is taken, and KeyboardInterrupt after
    Ctrl-C.
    """
    check_loopback(settings.text("host"))
    with contextlib.ExitStack() as stack:
        claim = Claim() if claim_fd >= 0 else stack.enter_context(claim_server(settings))
        listener = bind_loopback(settings.text("host"), settings.whole("port"))
        stack.enter_context(contextlib.closing(listener))
        url, limits = url_of(listener), limits_of(settings)
        claim.announce(url)
        app = stack.enter_context(contextlib.closing(open_app(_with_port(settings, listener))))
        stack.enter_context(keep_tidy(app))
        stack.enter_context(keep_delivering(app.webhooks))
        config = configure(build_application(app, limits=limits), limits)
        server = Server(config, lambda: when_ready(url) if when_ready else None)
        if parent_fd >= 0:
            _watch_parent(parent_fd, server)
        gc.collect()
        gc.freeze()  # what was made at the start stays; later collections need not look at it
        server.run(sockets=[listener])
    if server.was_interrupted:
        raise KeyboardInterrupt


def configure(application: Application, limits: ServerLimits) -> uvicorn.Config:
    """Return how every process that answers HTTP through this room does it."""
    return uvicorn.Config(
        application,
        http=bounded_protocol(limits),
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=limits.keep_alive_s,
        timeout_graceful_shutdown=limits.drain_s,
    )


class Server(uvicorn.Server):
    """uvicorn's server that ends with a return instead of raising its signal once more."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._announce = started
        self.was_interrupted = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        def stop(number: int, _: FrameType | None) -> None:
            self.force_exit = self.should_exit and number == signal.SIGINT
            self.should_exit = True
            self.was_interrupted = number == signal.SIGINT

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def _with_port(settings: Settings, listener: socket.socket) -> Settings:
    """Return `settings` with the port that was taken: no webhook is to reach it."""
    return Settings({**settings.values, "port": int(listener.getsockname()[1])})


def _watch_parent(descriptor: int, server: Server) -> None:
    def wait() -> None:
        while os.read(descriptor, 1024):
            pass
        server.should_exit = True

    threading.Thread(target=wait, name="paddock-parent-watch", daemon=True).start()
