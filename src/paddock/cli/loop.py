"""`paddock loop`: the automation alone."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from paddock.cli.workspace import PROJECT_FILE, lend_store, open_workspace

if TYPE_CHECKING:
    from paddock.app import App
    from paddock.automation import Declaration
    from paddock.models import WorkerPool
    from paddock.server import LoopMetrics


@click.command()
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(0.1),
    default=10.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option("--once", is_flag=True, help="Do what is due now, then end.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port of /health and /metrics; 0 takes a free one. [default: 8323]",
)
def loop(every_s: float, once: bool, port: int | None) -> None:
    """Run what paddock.toml declares: judge windows, retrain, gate, release step by step, take back.

    Everything it knows is in the store: stop it at any time, and the next one goes on. The gateways
    are run by `paddock serve` or `paddock up`. Each project of a store in a folder has one loop at a time.

    \b
    Example:
      paddock loop --every 30
    """
    from paddock.app import claim_loop, keep_tidy, read_declaration

    with open_workspace(creates=True, loop_port=port) as app, claim_loop(app.settings) as claim:
        from paddock.cli.waiting import run_until_stopped
        from paddock.models import WorkerPool
        from paddock.server import LoopMetrics, serve_status

        declaration = read_declaration(PROJECT_FILE)
        metrics = LoopMetrics(app, declaration)
        with WorkerPool(app.objects) as workers, lend_store(app):
            if once:
                _watch(app, declaration, metrics, workers, waits=True)()
                return
            port = app.settings.whole("loop_port")
            with keep_tidy(app), serve_status(app, port, metrics.render) as url:
                claim.announce(url)
                click.echo(f"metrics at {url}/metrics")
                tick = _watch(app, declaration, metrics, workers, waits=False)
                was_interrupted = run_until_stopped(tick, every_s)
    if was_interrupted:
        raise KeyboardInterrupt


def _watch(
    app: "App", declaration: "Declaration", metrics: "LoopMetrics", workers: "WorkerPool", *, waits: bool
) -> Callable[[], None]:
    """Return the function that does what is due at every declared endpoint.

    waits: for training to end, instead of looking after the rest meanwhile.
    """
    from paddock.app import LoopParts, build_endpoint_loop, build_trainer
    from paddock.automation import BackgroundTrainer, FolderTraffic, TrafficStore
    from paddock.cli.run import find_pipeline

    traffic = FolderTraffic(TrafficStore(app.endpoints, app.registry, app.objects), app.gateway_folder)
    loops = []
    for name, spec in declaration.endpoint.items():
        app.endpoints.declare(name, spec)
        trainer = build_trainer(app, declaration, name, find_pipeline)
        parts = LoopParts(trainer if waits else BackgroundTrainer(trainer), traffic, workers)
        loops.append(build_endpoint_loop(app, declaration, name, parts))
        click.echo(f"watching endpoint {name}")

    def tick() -> None:
        with metrics.time_tick():
            for each in loops:
                if not each.tick():
                    metrics.count_problem()

    return tick
