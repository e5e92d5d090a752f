"""`paddock models gate`."""

import click

from paddock.cli.showing import json_option, show_json, show_table
from paddock.cli.workspace import PROJECT_FILE, open_workspace
from paddock.kernel.refs import parse_ref


@click.command()
@click.argument("ref", metavar="NAME@VERSION")
@click.option("--rows", required=True, metavar="DATASET[@N]", help="Labelled rows the model has not seen.")
@click.option("--label", required=True, metavar="COLUMN", help="The column of 0 and 1 in them.")
@json_option
def gate(ref: str, rows: str, label: str, as_json: bool) -> int:
    """Hold a version against the gates that paddock.toml declares for its model.

    Its golden requests are replayed, then it answers the rows, and the champion beside it where there is
    one. The version stands on the report from then on. Ends with exit code 1 when it did not pass.

    \b
    Example:
      paddock models gate delay@7 --rows flights@2 --label late
    """
    with open_workspace() as app:
        from paddock.api import view_gate_report
        from paddock.app import Exam, hold_gate, read_gates
        from paddock.models import WorkerPool

        exam = Exam(rows, label, read_gates(PROJECT_FILE, parse_ref("model", ref)[0]))
        with WorkerPool(app.objects) as workers:
            report = hold_gate(app, workers, ref, exam)
        if as_json:
            show_json(view_gate_report(report))
        else:
            results = [(result.state, result.gate, result.words) for result in report.results]
            show_table(("state", "gate", "found"), results, empty="the report has no gates")
            outcome = "passed" if report.passed else "did not pass"
            click.echo(f"\n{report.model}@{report.candidate_version} {outcome}: {report.words}")
    return 0 if report.passed else 1
