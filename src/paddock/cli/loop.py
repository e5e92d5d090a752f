"""`paddock loop`: the automation alone."""

import click

from paddock.cli.workspace import PROJECT_FILE, open_workspace


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
def loop(every_s: float, once: bool) -> None:
    """Run what paddock.toml declares: judge windows, retrain, gate, release step by step, take back.

    Everything it knows is in the store: stop it at any time, and the next one goes on. The gateways
    are run by `paddock serve` or `paddock up`.

    \b
    Example:
      paddock loop --every 30
    """
    with open_workspace() as app:
        from paddock.automation import FolderTraffic, TrafficStore
        from paddock.cli.looping import build_loop, read_declaration
        from paddock.cli.waiting import run_until_stopped

        declaration = read_declaration(PROJECT_FILE)
        store = TrafficStore(app.endpoints, app.registry, app.objects)
        traffic = FolderTraffic(store, app.gateway_folder)
        loops = [
            build_loop(app, declaration, app.endpoints.declare(name, spec), traffic)
            for name, spec in declaration.endpoint.items()
        ]
        for each in loops:
            click.echo(f"watching endpoint {each.loop.plan.endpoint}")

        def tick() -> None:
            for each in loops:
                each.tick()

        if once:
            tick()
            return
        was_interrupted = run_until_stopped(tick, every_s)
    if was_interrupted:
        raise KeyboardInterrupt
