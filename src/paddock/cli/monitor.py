"""`paddock monitor`: is the model still right."""

from typing import TYPE_CHECKING

import click

from paddock.cli.showing import format_moment, json_option, show_json, show_table
from paddock.cli.workspace import PROJECT_FILE, open_workspace
from paddock.kernel.errors import NotFound

if TYPE_CHECKING:
    from paddock.app import App
    from paddock.monitoring import WindowReport


@click.command()
@click.argument("name", required=False)
@click.option(
    "--limit", default=30, type=click.IntRange(1, 1000), show_default=True, help="Most windows to show."
)
@json_option
def monitor(name: str | None, limit: int, as_json: bool) -> None:
    """Show what the monitor NAME found, newest window first; without NAME, list the monitors.

    The windows are judged by `paddock loop` or `paddock up`.

    \b
    Example:
      paddock monitor delay --limit 12
    """
    if name is None:
        _list_monitors(as_json)
        return
    with open_workspace() as app:
        from paddock.api import view_window
        from paddock.wire.structs import WindowPage

        found = _list_windows(app, name, limit)
        if as_json:
            show_json(WindowPage(windows=tuple(view_window(each) for each in found)))
            return
        rows = [
            (
                format_moment(each.start),
                each.state,
                f"{each.facts.rows:,}",
                _figure(each.facts.quality.value),
                _figure(each.prediction_psi),
                f"{each.facts.label_coverage:.0%}",
                each.words,
            )
            for each in found
        ]
        columns = ("from", "state", ">rows", ">quality", ">psi", ">labelled", "found")
        show_table(columns, rows, empty="no window has been judged yet; `paddock loop` judges them")


def _list_windows(app: "App", name: str, limit: int) -> "tuple[WindowReport, ...]":
    """Return the newest windows: none of a declared monitor is an answer, none of any other is NotFound."""
    from paddock.app import list_declared

    try:
        return app.monitoring.list_windows(name, limit=limit)
    except NotFound:
        if name in list_declared(PROJECT_FILE, "monitor"):
            return ()
        raise


def _list_monitors(as_json: bool) -> None:
    with open_workspace() as app:
        from paddock.api import view_monitor
        from paddock.wire.structs import MonitorPage

        found = app.monitoring.list_monitors()
        if as_json:
            show_json(MonitorPage(monitors=tuple(view_monitor(each) for each in found)))
            return
        rows = [
            (each.monitor, each.latest.state, str(each.window_count), each.latest.words) for each in found
        ]
        empty = "no monitor has judged a window yet; declare one in paddock.toml and start `paddock loop`"
        show_table(("monitor", "state", ">windows", "newest window"), rows, empty=empty)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
