"""`paddock webhooks`."""

from typing import TYPE_CHECKING, TextIO

import click

from paddock.cli.lazy import LazyCommand, LazyGroup
from paddock.cli.showing import format_moment, json_option, show_json, show_table
from paddock.cli.workspace import open_workspace
from paddock.kernel.errors import Unavailable

if TYPE_CHECKING:
    from paddock.integrations import Webhook

webhooks = LazyGroup(
    "webhooks",
    table={
        "list": LazyCommand("paddock.cli.webhooks:list_", "List webhooks and how their deliveries go"),
        "add": LazyCommand("paddock.cli.webhooks:add", "Let a receiver be told of events"),
        "test": LazyCommand("paddock.cli.webhooks:test", "Send a made-up message now"),
        "remove": LazyCommand("paddock.cli.webhooks:remove", "Remove a webhook and its secret"),
    },
    help="""Receivers outside that are told what happens. The server delivers, signed and in order.

\b
Example:
  paddock webhooks add ci https://hooks.example/paddock --event model.promoted
""",
)


@click.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List webhooks, the newest first, with what the last attempt to deliver came to.

    \b
    Example:
      paddock webhooks list
    """
    with open_workspace() as app:
        from paddock.api import view
        from paddock.wire import structs

        found = app.webhooks.list_webhooks()
        if as_json:
            show_json(structs.WebhookPage(webhooks=tuple(view(each, structs.Webhook) for each in found)))
            return
        columns = ("name", "id", "status", "events", ">delivered", ">given up", "last attempt")
        empty = "no webhooks yet; `paddock webhooks add NAME URL --event KIND` makes one"
        show_table(columns, [_row(each) for each in found], empty=empty)


@click.command()
@click.argument("name")
@click.argument("url")
@click.option(
    "--event",
    "events",
    multiple=True,
    required=True,
    metavar="KIND",
    help="What it is told of, such as model.promoted, model.* or model_version.created; may be repeated.",
)
@click.option("--description", default="", metavar="TEXT", help="What it is for.")
@click.option(
    "--secret-file",
    type=click.File(),
    help="File whose first line every delivery is signed with; - reads it from standard input.",
)
@json_option
def add(
    name: str, url: str, events: tuple[str, ...], description: str, secret_file: TextIO | None, as_json: bool
) -> None:
    """Let URL be told of events from now on, under NAME.

    The setting `webhook_hosts` must list the host. The secret is stored sealed and never shown again.

    \b
    Example:
      paddock webhooks add ci https://hooks.example/paddock --event model.promoted --secret-file secret.txt
    """
    secret = secret_file.readline().strip() if secret_file else ""
    with open_workspace() as app:
        from paddock.api import view
        from paddock.wire import structs

        added = app.webhooks.create(name, url=url, events=events, description=description, secret=secret)
        if as_json:
            show_json(view(added, structs.Webhook))
            return
        click.echo(f"webhook {added.name} added as {added.webhook_id}")


@click.command()
@click.argument("webhook", metavar="NAME|ID")
@click.option("--event", default="", metavar="KIND", help="What the message is about. [default: its first]")
@json_option
def test(webhook: str, event: str, as_json: bool) -> int:
    """Send a made-up message now and show what the receiver answered.

    Exit code 6 when it did not take the message.

    \b
    Example:
      paddock webhooks test ci --event model.promoted
    """
    with open_workspace() as app:
        from paddock.api import view
        from paddock.wire import structs

        result = app.webhooks.test(webhook, event)
        if as_json:
            show_json(view(result, structs.WebhookTest))
            return 0 if result.success else Unavailable.exit_code
        said = result.error_message or f"answered {result.response_status}"
        if not result.success:
            raise Unavailable(f"webhook `{webhook}` did not take the message: {said}")
        click.echo(f"webhook {webhook} {said}")
        return 0


@click.command()
@click.argument("webhook", metavar="NAME|ID")
@json_option
def remove(webhook: str, as_json: bool) -> None:
    """Remove a webhook with its secret and with what waits for it, for good.

    \b
    Example:
      paddock webhooks remove ci
    """
    with open_workspace() as app:
        from paddock.api import view
        from paddock.wire import structs

        removed = app.webhooks.delete(webhook)
        if as_json:
            show_json(view(removed, structs.Webhook))
            return
        click.echo(f"webhook {removed.name} removed")


def _row(webhook: "Webhook") -> tuple[str, ...]:
    state = webhook.delivery
    last = f"{format_moment(state.last_attempt_at)} {state.last_words}" if state.last_attempt_at else ""
    if state.next_attempt_at:
        last += f"; again at {format_moment(state.next_attempt_at)}"
    return (
        webhook.name,
        webhook.webhook_id,
        webhook.status,
        ", ".join(webhook.events),
        str(state.delivered_count),
        str(state.given_up_count),
        last,
    )
