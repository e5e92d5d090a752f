"""`paddock up`: everything for one machine."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import count, islice
from typing import TYPE_CHECKING

import click

from paddock.cli.workspace import PROJECT_FILE, lend_store, open_workspace
from paddock.kernel.clock import monotonic_s
from paddock.kernel.errors import PaddockError, Unavailable
from paddock.kernel.settings import Settings

if TYPE_CHECKING:
    from paddock.app import App
    from paddock.automation import Declaration

log = logging.getLogger("paddock.cli")

SYNC_S = 0.5
STOP_S = 15.0
_FIRST_WAIT_S, _LONGEST_WAIT_S, _STEADY_AFTER_S = 0.2, 10.0, 30.0
_CONNECT_S = 1.0


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the pages and the API. [default: 8321]")
@click.option(
    "--gateway-port", type=click.IntRange(1, 65535), help="Port of the first gateway. [default: 8322]"
)
@click.option(
    "--loop-port",
    type=click.IntRange(0, 65535),
    help="Port of the loop's /health and /metrics; 0 takes a free one. [default: 8323]",
)
def up(port: int | None, gateway_port: int | None, loop_port: int | None) -> None:
    """Start the server, a gateway for each declared endpoint, and the loop, until Ctrl-C.

    Endpoints, monitors and retraining are declared in paddock.toml; without that file the server
    runs alone. An endpoint whose model has no champion yet waits for its first one.

    \b
    Example:
      paddock up --port 8321
    """
    ports = {"port": port, "gateway_port": gateway_port, "loop_port": loop_port}
    with open_workspace(creates=True, **ports) as app, ExitStack() as stack:
        from paddock.app import claim_server
        from paddock.cli.waiting import run_until_stopped
        from paddock.server import bind_loopback
        from paddock.serving import url_of

        claim = stack.enter_context(claim_server(app.settings))
        with closing(bind_loopback(app.settings.text("host"), app.settings.whole("port"))) as probe:
            claim.announce(url_of(probe))
        server = _PageServer(app.settings, claim.descriptor)
        stack.callback(server.stop)
        tick = _start_loop(app, stack) if PROJECT_FILE.is_file() else None

        def look() -> None:
            server.look()
            if tick is not None:
                tick()

        was_interrupted = run_until_stopped(look, SYNC_S)
    if was_interrupted:
        raise KeyboardInterrupt


class _PageServer:
    """Keeps the pages and the API running: started again after a crash, waiting longer each time."""

    def __init__(self, settings: Settings, claim_fd: int) -> None:
        self._settings = settings
        self._claim_fd = claim_fd
        self._has_answered = False
        self._wait_s, self._start_at = _FIRST_WAIT_S, 0.0
        self._running: ExitStack | None = None
        self._start()

    def look(self) -> None:
        """Start the server again when it has died; Unavailable when it has never answered before it did."""
        if self._running is None:
            if monotonic_s() >= self._start_at:
                self._start()
                log.warning("server.restarted", extra={"pid": self._process.pid})
            return
        code = self._process.poll()
        if code is None:
            self._has_answered = self._has_answered or self._is_answering()
            return
        if not self._has_answered:
            raise Unavailable(f"the server ended with exit code {code}")
        self._plan_restart(code)

    def stop(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None

    def _start(self) -> None:
        self._running = ExitStack()
        self._process = self._running.enter_context(_server_process(self._settings, self._claim_fd))
        self._started_at = monotonic_s()

    def _plan_restart(self, code: int) -> None:
        if monotonic_s() - self._started_at > _STEADY_AFTER_S:
            self._wait_s = _FIRST_WAIT_S
        log.error("server.died", extra={"exit_code": code, "restart_in_s": self._wait_s})
        self.stop()
        self._start_at = monotonic_s() + self._wait_s
        self._wait_s = min(_LONGEST_WAIT_S, 2 * self._wait_s)

    def _is_answering(self) -> bool:
        address = (self._settings.text("host"), self._settings.whole("port"))
        try:
            socket.create_connection(address, _CONNECT_S).close()
        except OSError:  # not yet
            return False
        return True


@contextmanager
def _server_process(settings: Settings, claim_fd: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `paddock server` as a child that ends with this process, however that ends.

    claim_fd: our claim on the store, which holds until both have ended; -1 where there is none.
    """
    hears, lifeline = os.pipe()
    command = [sys.executable, "-m", "paddock.cli", "server", "--parent-fd", str(hears)]
    handed = [hears]
    if claim_fd >= 0:
        command += ["--claim-fd", str(claim_fd)]
        handed.append(claim_fd)
    names = ("store", "project", "principal", "host", "port")
    given = {f"PADDOCK_{name.upper()}": settings.text(name) for name in names}
    process = subprocess.Popen(  # noqa: S603  our own interpreter and arguments
        command, pass_fds=handed, env={**os.environ, **given}, start_new_session=True
    )
    os.close(hears)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(lifeline)


def _start_loop(app: "App", stack: ExitStack) -> Callable[[], None]:
    """Answer for the loop on its port; return the function that looks after every declared endpoint."""
    from paddock.app import claim_loop, read_declaration
    from paddock.server import LoopMetrics, serve_status

    declaration = read_declaration(PROJECT_FILE)
    claim = stack.enter_context(claim_loop(app.settings))
    stack.enter_context(lend_store(app))
    metrics = LoopMetrics(app, declaration)
    url = stack.enter_context(serve_status(app, app.settings.whole("loop_port"), metrics.render))
    claim.announce(url)
    click.echo(f"metrics of the loop at {url}/metrics")
    ports = list_gateway_ports(
        app.settings.whole("gateway_port"), app.settings.whole("loop_port"), len(declaration.endpoint)
    )
    tasks = [
        _EndpointTask(app, declaration, name, port, stack)
        for name, port in zip(declaration.endpoint, ports, strict=True)
    ]

    def tick() -> None:
        with metrics.time_tick():
            for task in tasks:
                if not task.look():
                    metrics.count_problem()

    return tick


def list_gateway_ports(first: int, loop_port: int, how_many: int) -> list[int]:
    """Return a port for each gateway: the first as it is given, then the next ones but the loop's.

    >>> list_gateway_ports(8322, 8323, 3)
    [8322, 8324, 8325]
    """
    following = (port for port in count(first + 1) if port != loop_port)
    return [first, *islice(following, how_many - 1)] if how_many else []


class _EndpointTask:
    """Starts an endpoint's gateway as soon as its model has a champion, then keeps it and its loop going."""

    def __init__(
        self, app: "App", declaration: "Declaration", name: str, port: int, stack: ExitStack
    ) -> None:
        self._app = app
        self._declaration = declaration
        self._name = name
        self._port = port
        self._stack = stack
        self._last_problem = ""
        self._look: Callable[[], bool] | None = None

    def look(self) -> bool:
        """Do what is due and return whether it went well; a problem is reported once and tried again."""
        try:
            if self._look is None:
                self._look = self._start()
            is_well = self._look()
            self._last_problem = ""
            return is_well
        except PaddockError as error:
            if error.message != self._last_problem:
                log.warning("endpoint.waits", extra={"endpoint": self._name, "reason": error.message})
            self._last_problem = error.message
            return False

    def _start(self) -> Callable[[], bool]:
        from paddock.app import (
            EndpointKeeper,
            LoopParts,
            build_endpoint_loop,
            build_trainer,
            ensure_endpoint,
            gateway_options,
        )
        from paddock.automation import BackgroundTrainer, GatewayTraffic, TrafficStore
        from paddock.cli.run import find_pipeline
        from paddock.models import WorkerPool
        from paddock.server import bind_loopback
        from paddock.serving import GatewayState, GatewaySupervisor

        app, spec = self._app, self._declaration.endpoint[self._name]
        trainer = build_trainer(app, self._declaration, self._name, find_pipeline)
        app.endpoints.declare(self._name, spec)
        revision = ensure_endpoint(app, self._name, spec.model)
        bind_loopback(app.settings.text("host"), self._port).close()
        with ExitStack() as started:  # what was started ends again when a later step fails
            workers = started.enter_context(WorkerPool(app.objects))
            supervisor = GatewaySupervisor(gateway_options(app, self._name, self._port))
            started.callback(supervisor.stop)
            state = GatewayState(app.gateway_folder(self._name))
            store = TrafficStore(app.endpoints, app.registry, app.objects)
            parts = LoopParts(BackgroundTrainer(trainer), GatewayTraffic(store, state, supervisor), workers)
            loop = build_endpoint_loop(app, self._declaration, self._name, parts)
            supervisor.gateway.wait_ready(generation=revision.number)
            loop.loop.settle()
            self._stack.enter_context(started.pop_all())
        click.echo(f"endpoint {self._name} ready at {supervisor.gateway.url}")
        keeper = EndpointKeeper(app, self._name, spec.model)

        def look() -> bool:
            is_in_step = keeper.sync()
            return loop.tick() and is_in_step

        return look
