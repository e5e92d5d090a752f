"""`paddock runs`: list and show runs."""

from typing import TYPE_CHECKING

import click

from paddock.cli.lazy import LazyCommand, LazyGroup
from paddock.cli.showing import format_bytes, format_moment, json_option, show_facts, show_json, show_table
from paddock.cli.workspace import open_workspace

if TYPE_CHECKING:
    from paddock.tracking import Run

runs = LazyGroup(
    "runs",
    table={
        "list": LazyCommand("paddock.cli.runs:list_", "List runs, newest first"),
        "show": LazyCommand("paddock.cli.runs:show", "Show a run with everything logged to it"),
    },
    help="""Runs and what was logged to them.

\b
Example:
  paddock runs list --experiment delay
""",
)


@click.command("list")
@click.option("--experiment", default="", help="Only runs of this experiment.")
@click.option(
    "--limit", default=50, type=click.IntRange(1, 1000), show_default=True, help="Most runs to list."
)
@click.option("--cursor", default="", help="Go on behind the page that ended with this cursor.")
@json_option
def list_(experiment: str, limit: int, cursor: str, as_json: bool) -> None:
    """List runs, newest first.

    \b
    Example:
      paddock runs list --experiment delay --limit 10
    """
    with open_workspace() as app:
        from paddock.api import view_run
        from paddock.wire.structs import RunPage

        page = app.tracking.search_runs(experiment=experiment, limit=limit, cursor=cursor)
        if as_json:
            runs_ = tuple(view_run(run) for run in page.runs)
            show_json(RunPage(runs=runs_, next_cursor=page.next_cursor))
            return
        rows = [
            (run.run_id, run.experiment, run.name, run.status, format_moment(run.started_at), _metrics(run))
            for run in page.runs
        ]
        columns = ("run", "experiment", "name", "status", "started", "metrics")
        show_table(columns, rows, empty="no runs yet; start one with `paddock run MODULE:PIPELINE`")
        if page.next_cursor:
            click.echo(f"\nmore: --cursor {page.next_cursor}")


@click.command()
@click.argument("run_id")
@json_option
def show(run_id: str, as_json: bool) -> None:
    """Show a run: parameters, metrics, inputs and artifacts.

    \b
    Example:
      paddock runs show 0192f0c1aabb7ccc8dddeeeeffff0000
    """
    with open_workspace() as app:
        from paddock.api import view_run

        run = app.tracking.get_run(run_id)
        if as_json:
            show_json(view_run(run))
            return
        show_facts(
            (
                ("run", run.run_id),
                ("name", run.name),
                ("experiment", run.experiment),
                ("status", run.status),
                ("started", f"{format_moment(run.started_at)} by {run.principal}"),
                ("ended", format_moment(run.ended_at)),
                ("parent", run.parent_id),
            )
        )
        _show_section("params", [(key, value) for key, value in sorted(run.params.items())])
        _show_section("metrics", [(key, f"{value:g}") for key, value in sorted(run.metrics.items())])
        _show_section("tags", [(key, value) for key, value in sorted(run.tags.items())])
        _show_section("inputs", [(str(used.dataset), used.role or "-") for used in run.inputs])
        _show_section("artifacts", [(each.path, format_bytes(each.size_bytes)) for each in run.artifacts])


def _show_section(title: str, facts: list[tuple[str, str]]) -> None:
    if facts:
        click.echo(f"\n{title}")
        show_facts([(f"  {name}", value) for name, value in facts])


def _metrics(run: "Run") -> str:
    shown = [f"{key}={value:.4g}" for key, value in sorted(run.metrics.items())[:3]]
    return "  ".join([*shown, "..."] if len(run.metrics) > 3 else shown)
