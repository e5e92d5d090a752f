"""`paddock serve`: one gateway."""

import click

from paddock.cli.workspace import open_workspace
from paddock.kernel.refs import parse_ref

SYNC_S = 0.5


@click.command()
@click.argument("model", metavar="MODEL@ALIAS")
@click.option("--endpoint", help="Name of the endpoint [default: the name of the model]")
@click.option("--host", help="Address to listen on; loopback only. [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one. [default: 8322]")
def serve(model: str, endpoint: str | None, host: str | None, port: int | None) -> None:
    """Serve a model over HTTP until Ctrl-C, and keep in step with the store.

    When the alias moves, by a promotion or a rollback, the gateway changes over without a failed
    request. It keeps answering from its last good configuration when the store cannot be reached.

    \b
    Example:
      paddock serve delay@champion --port 8322
    """
    from paddock.server import bind_loopback

    with open_workspace(host=host, gateway_port=port) as app:
        from paddock.app import EndpointKeeper, ensure_endpoint, gateway_options
        from paddock.cli.waiting import run_until_stopped
        from paddock.serving import GatewaySupervisor

        settings = app.settings
        # Taken and let go at once: a port in use is told here, with its owner, before anything starts.
        bind_loopback(settings.text("host"), settings.whole("gateway_port")).close()
        served, _ = parse_ref("model", model)
        name = endpoint or served
        revision = ensure_endpoint(app, name, model)
        supervisor = GatewaySupervisor(gateway_options(app, name, settings.whole("gateway_port")))
        try:
            supervisor.gateway.wait_ready(generation=revision.number)
            click.echo(f"ready at {supervisor.gateway.url}/v2/models/{served}/infer")
            keeper = EndpointKeeper(app, name, model)
            was_interrupted = run_until_stopped(keeper.sync, SYNC_S)
        finally:
            supervisor.stop()
    if was_interrupted:
        raise KeyboardInterrupt
