"""`paddock server`: the control plane."""

import click

from paddock.cli.workspace import read_settings


@click.command()
@click.option("--host", help="Address to listen on; loopback only. [default: 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one. [default: 8321]"
)
@click.option("--parent-fd", type=int, default=-1, hidden=True, help="End when this pipe is closed.")
@click.option("--claim-fd", type=int, default=-1, hidden=True, help="The parent's claim on the store.")
def server(host: str | None, port: int | None, parent_fd: int, claim_fd: int) -> None:
    """Start the pages and the API, until Ctrl-C or SIGTERM.

    A store in a folder has one server at a time; commands and programs may use the store beside it.

    \b
    Example:
      paddock server --port 8321 --store /srv/paddock
    """
    settings = read_settings(host=host, port=port)
    from paddock.server import run_server

    run_server(settings, parent_fd=parent_fd, claim_fd=claim_fd, when_ready=_announce)


def _announce(url: str) -> None:
    click.echo(f"ready at {url}")
