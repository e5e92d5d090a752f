"""What the demo shows in the terminal, and the pages beside it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from paddock.demo.report import DemoReport
from paddock.kernel.settings import Settings

_STOP_S = 15.0


class Show:
    """Progress and results on stderr and stdout; with `serve`, the pages in a process of their own."""

    def __init__(self, settings: Settings, *, serve: bool) -> None:
        self._console = Console(stderr=True)
        self._settings = settings
        self._serve = serve
        self._server: subprocess.Popen[bytes] | None = None
        self._lifeline = -1

    def __enter__(self) -> "Show":
        if self._serve:
            self._start_server()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._server.kill()
            os.close(self._lifeline)

    @contextmanager
    def step(self, words: str) -> Iterator[None]:
        """Show that something is under way, and that it is done."""
        with self._console.status(words):
            yield
        self._console.print(f"[green]done[/] {words}")

    @contextmanager
    def progress(self, total: int) -> Iterator[Callable[[int, datetime], None]]:
        """Show a bar over all flights; yields what moves it: how many, and the simulated time."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console) as bar:
            task = bar.add_task("2013", total=total)

            def advance(flights: int, at: datetime) -> None:
                bar.update(task, advance=flights, description=f"{at:%d %b %Y}")

            yield advance

    def report(self, report: DemoReport) -> None:
        """Print the months, the incidents and the gain."""
        out = Console()
        out.print(_month_table(report))
        out.print(_incident_table(report))
        out.print(
            f"The loop was worth {report.gain_live:+.4f} AUC a month over the model of March "
            f"({report.gain_immediate:+.4f} if every passed candidate had replaced it at once). "
            f"{report.predictions:,} predictions, {report.seconds:.0f} s, "
            f"{report.peak_rss_mb:.0f} MB at most."
        )

    def stay(self) -> None:
        """Keep the pages up until Ctrl-C."""
        address = f"http://{self._settings.text('host')}:{self._settings.whole('port')}"
        self._console.print(f"The pages are at [bold]{address}[/]. Ctrl-C ends.")
        try:
            signal.pause()
        except KeyboardInterrupt:
            self._console.print("Goodbye.")

    def _start_server(self) -> None:
        hears, self._lifeline = os.pipe()
        command = [
            *(sys.executable, "-m", "paddock.cli", "--store", self._settings.text("store")),
            *("server", "--port", str(self._settings.whole("port")), "--parent-fd", str(hears)),
        ]
        self._server = subprocess.Popen(  # noqa: S603  our own interpreter and arguments
            command,
            stdout=subprocess.DEVNULL,
            pass_fds=(hears,),
            start_new_session=True,  # Ctrl-C is for the demo, which ends its server in order
        )
        os.close(hears)


def _month_table(report: DemoReport) -> Table:
    table = Table(title="Months", title_justify="left")
    for name in ("month", "rows", "late", "AUC static", "AUC live", "gain", "PSI max", "champion"):
        table.add_column(name, justify="left" if name in ("month", "champion") else "right")
    table.add_column("last decision")
    for line in report.months:
        table.add_row(
            line.month,
            f"{line.rows:,}",
            f"{line.late_rate:.3f}",
            f"{line.auc_static:.3f}",
            f"{line.auc_live:.3f}",
            f"{line.auc_live - line.auc_static:+.3f}",
            f"{line.psi_max:.1f}",
            line.champion,
            line.decision.replace("_", " "),
        )
    return table


def _incident_table(report: DemoReport) -> Table:
    table = Table(title="Candidates handed in by people", title_justify="left")
    for name in ("planted fault", "candidate", "outcome", "what the loop said"):
        table.add_column(name)
    for line in report.incidents:
        table.add_row(line.planted, line.candidate, line.outcome.replace("_", " "), line.words)
    return table
