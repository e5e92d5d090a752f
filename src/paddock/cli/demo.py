"""`paddock demo`: the whole loop on a year of real flights."""

from pathlib import Path

import click

from paddock.cli.workspace import read_settings


@click.command()
@click.option("--until", metavar="YYYY-MM", help="Last month to replay. [default: 2013-12]")
@click.option("--no-serve", is_flag=True, help="End after the report instead of showing the pages.")
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as JSON to FILE."
)
@click.option("--resume", is_flag=True, help="Go on where a demo in this store was stopped.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same report.")
@click.option("--store", help="Folder of the demo's own store.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the pages. [default: 8321]")
def demo(
    until: str | None,
    no_serve: bool,
    report: Path | None,
    resume: bool,
    seed: int,
    store: str | None,
    port: int | None,
) -> int:
    """Take a model of flight delays through a year: train, gate, release, watch, retrain, roll back.

    336,776 real flights of 2013. Takes a few minutes; then the pages stay up until Ctrl-C.

    \b
    Examples:
      paddock demo
      paddock demo --until 2013-06 --no-serve --report report.json
    """
    settings = read_settings(store=store, port=port)
    from paddock.demo import DemoOptions, run_demo

    options = DemoOptions(
        until=until or "2013-12", serve=not no_serve, report=report, resume=resume, seed=seed
    )
    return run_demo(settings, options)
