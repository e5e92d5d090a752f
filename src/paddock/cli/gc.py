"""`paddock gc`: free the space of what nothing refers to."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from paddock.cli.showing import format_bytes, json_option, show_json, show_table
from paddock.cli.workspace import open_workspace
from paddock.kernel.durations import parse_duration
from paddock.kernel.wording import count_of

if TYPE_CHECKING:
    from paddock import governance

_SHOWN = 10
_WORDS = {"rows": "Reading rows", "objects": "Looking at objects", "deleting": "Deleting"}


@click.command()
@click.option("--delete", is_flag=True, help="Delete it; without this it is only shown.")
@click.option(
    "--older-than",
    metavar="AGE",
    default="1d",
    help="Leave what was stored within this time; at least 1h. [default: 1d]",
)
@json_option
def gc(delete: bool, older_than: str, as_json: bool) -> None:
    """Show the objects of all projects that nothing refers to any more, and with --delete free their space.

    Nothing is deleted that a row, a gateway or a gate report refers to, and nothing that was stored a moment
    ago. Uploads without a part for seven days and files of purged runs are dropped first. The store may be
    in use.

    \b
    Examples:
      paddock gc
      paddock gc --delete --older-than 7d
    """
    min_age = parse_duration(older_than)
    with open_workspace() as app, _progress(is_shown=not as_json and sys.stderr.isatty()) as progress:
        report = app.governance.collect(delete=delete, min_age=min_age, progress=progress)
    if as_json:
        from paddock.api import view
        from paddock.wire.structs import GcReport

        show_json(view(report, GcReport))
        return
    _show(report)


def _show(report: "governance.GcReport") -> None:
    largest = sorted(report.freed, key=lambda each: -each.size_bytes)
    if not report.is_deleted:
        rows = [(each.digest, format_bytes(each.size_bytes)) for each in largest[:_SHOWN]]
        show_table(
            ("object", ">size"), rows, empty="something refers to every object; there is nothing to free"
        )
        if len(largest) > _SHOWN:
            click.echo(f"and {count_of(len(largest) - _SHOWN, 'smaller one')}")
    for left in report.leftovers:
        what = f"upload {left.upload_id} has expired" if left.upload_id else f"{left.owner} was purged"
        parts = count_of(left.file_count, "part" if left.upload_id else "file")
        click.echo(f"{what}: {parts}, {format_bytes(left.size_bytes)}")
    verb = "freed" if report.is_deleted else "to free"
    click.echo(
        f"{count_of(len(report.freed), 'object')} {verb}, {format_bytes(report.freed_bytes)}, "
        f"of {report.object_count:,} with {format_bytes(report.size_bytes)}"
    )
    if report.young_count:
        click.echo(
            f"{count_of(report.young_count, 'younger one')} that nothing refers to stayed, "
            f"{format_bytes(report.young_bytes)}"
        )
    if report.freed and not report.is_deleted:
        click.echo("nothing was deleted; paddock gc --delete does it")


@contextmanager
def _progress(*, is_shown: bool) -> Iterator["governance.Progress"]:
    """Yield what tells how far it is: a bar on the terminal, or nothing."""
    if not is_shown:
        from paddock.governance import ignore_progress

        yield ignore_progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")

        def tell(stage: "governance.Stage", done: int, total: int) -> None:
            bar.update(task, description=_WORDS.get(stage, stage), completed=done, total=total)

        yield tell
