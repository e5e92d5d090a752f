"""`paddock sync`: deliver what runs have logged while their store was away."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from paddock.cli.showing import json_option, show_json
from paddock.cli.workspace import read_settings
from paddock.kernel.errors import Conflict, Unavailable
from paddock.kernel.wording import count_of

if TYPE_CHECKING:
    from paddock.sdk import SyncReport

REFUSED, LEFT = Conflict.exit_code, Unavailable.exit_code


@click.command()
@click.option("--spool", metavar="FOLDER", help="The spool [default: `spool` in the store's folder]")
@json_option
def sync(spool: str | None, as_json: bool) -> int:
    """Deliver what runs have logged while their store was away, or before they were killed.

    Each run goes to the server or the store it was meant for, in order, and counts once however often this
    is called. What a store refuses is kept beside the reason. Exit code 4 when something is refused, 6 when
    something is left because its store cannot be reached.

    \b
    Examples:
      paddock sync
      paddock --store /srv/paddock sync
    """
    from paddock.sdk import deliver_spool

    with _shown(is_quiet=as_json) as told:
        report = deliver_spool(read_settings(spool=spool), told)
    if as_json:
        show_json(report)
    else:
        _show(report)
    if report.list_in("left"):
        return LEFT
    return REFUSED if report.list_in("refused") else 0


@contextmanager
def _shown(*, is_quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show how far it is while the block runs, to a person who watches."""
    import sys

    if is_quiet or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _show(report: "SyncReport") -> None:
    delivered = report.list_in("delivered")
    records = sum(journal.record_count for journal in report.journals)
    runs = len({journal.run_id for journal in report.journals if journal.record_count})
    if not report.journals:
        click.echo("nothing waits to be delivered")
        return
    click.echo(f"{count_of(records, 'record')} of {count_of(runs, 'run')} delivered")
    for journal in report.journals:
        if journal in delivered:
            continue
        words = {
            "busy": "is being delivered by the process that logs to it",
            "left": f"waits in `{journal.folder}`",
            "refused": f"is refused in part; see `{journal.folder}`",
        }
        click.echo(f"run {journal.run_id} {words[journal.state]}")
        for problem in journal.problems:
            click.echo(f"  - {problem}")
