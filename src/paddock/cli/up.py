"""`paddock up`: everything for one machine."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click

from paddock.cli.workspace import PROJECT_FILE, open_workspace
from paddock.kernel.errors import PaddockError, Unavailable
from paddock.kernel.settings import Settings

if TYPE_CHECKING:
    from paddock.app import App
    from paddock.automation import Declaration

log = logging.getLogger("paddock.cli")

SYNC_S = 0.5
STOP_S = 15.0


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the pages and the API. [default: 8321]")
@click.option(
    "--gateway-port", type=click.IntRange(1, 65535), help="Port of the first gateway. [default: 8322]"
)
def up(port: int | None, gateway_port: int | None) -> None:
    """Start the server, a gateway for each declared endpoint, and the loop, until Ctrl-C.

    Endpoints, monitors and retraining are declared in paddock.toml; without that file the server
    runs alone. An endpoint whose model has no champion yet waits for its first one.

    \b
    Example:
      paddock up --port 8321
    """
    with open_workspace(port=port, gateway_port=gateway_port) as app, ExitStack() as stack:
        from paddock.cli.waiting import run_until_stopped
        from paddock.server import bind_loopback

        bind_loopback(app.settings.text("host"), app.settings.whole("port")).close()
        server = stack.enter_context(_server_process(app.settings))
        tasks = _endpoint_tasks(app, stack) if PROJECT_FILE.is_file() else []

        def look() -> None:
            if server.poll() is not None:
                raise Unavailable(f"the server ended with exit code {server.returncode}")
            for task in tasks:
                task()

        was_interrupted = run_until_stopped(look, SYNC_S)
    if was_interrupted:
        raise KeyboardInterrupt


@contextmanager
def _server_process(settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `paddock server` as a child that ends with this process, however that ends."""
    hears, lifeline = os.pipe()
    command = [sys.executable, "-m", "paddock.cli", "server", "--parent-fd", str(hears)]
    names = ("store", "project", "principal", "host", "port")
    given = {f"PADDOCK_{name.upper()}": settings.text(name) for name in names}
    process = subprocess.Popen(  # noqa: S603  our own interpreter and arguments
        command, pass_fds=(hears,), env={**os.environ, **given}, start_new_session=True
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


def _endpoint_tasks(app: "App", stack: ExitStack) -> list[Callable[[], None]]:
    from paddock.cli.looping import read_declaration

    declaration = read_declaration(PROJECT_FILE)
    first_port = app.settings.whole("gateway_port")
    tasks: list[Callable[[], None]] = []
    for number, name in enumerate(declaration.endpoint):
        tasks.append(_EndpointTask(app, declaration, name, first_port + number, stack).look)
    return tasks


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
        self._look: Callable[[], None] | None = None

    def look(self) -> None:
        """Do what is due; a problem is reported once and tried again."""
        try:
            if self._look is None:
                self._look = self._start()
            self._look()
            self._last_problem = ""
        except PaddockError as error:
            if error.message != self._last_problem:
                log.warning("endpoint.waits endpoint=%s: %s", self._name, error.message)
            self._last_problem = error.message

    def _start(self) -> Callable[[], None]:
        from paddock.automation import GatewayTraffic, TrafficStore
        from paddock.cli.keeping import EndpointKeeper, ensure_endpoint, gateway_options
        from paddock.cli.looping import build_loop
        from paddock.server import bind_loopback
        from paddock.serving import GatewayState, GatewaySupervisor

        app, spec = self._app, self._declaration.endpoint[self._name]
        endpoint = app.endpoints.declare(self._name, spec)
        revision = ensure_endpoint(app, self._name, spec.model)
        bind_loopback(app.settings.text("host"), self._port).close()
        supervisor = GatewaySupervisor(gateway_options(app, self._name, self._port))
        try:
            supervisor.gateway.wait_ready(generation=revision.number)
        except BaseException:
            supervisor.stop()
            raise
        self._stack.callback(supervisor.stop)
        click.echo(f"endpoint {self._name} ready at {supervisor.gateway.url}")
        state = GatewayState(app.gateway_folder(self._name))
        store = TrafficStore(app.endpoints, app.registry, app.objects)
        traffic = GatewayTraffic(store, state, supervisor)
        loop = build_loop(app, self._declaration, endpoint, traffic)
        loop.loop.settle()
        keeper = EndpointKeeper(app, self._name, spec.model)

        def look() -> None:
            keeper.sync()
            loop.tick()

        return look
