"""`paddock run`: run a pipeline."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from paddock.cli.showing import format_moment, show_table
from paddock.cli.workspace import add_working_folder, lend_store, open_workspace
from paddock.kernel.errors import InvalidInput, PaddockError

if TYPE_CHECKING:
    from paddock.pipelines import Pipeline


@click.command()
@click.argument("entry", metavar="MODULE:PIPELINE")
@click.option(
    "-p", "--param", "pairs", multiple=True, metavar="NAME=VALUE", help="A parameter; may be repeated."
)
@click.option("--parallel", type=click.IntRange(1, 64), help="Steps that run at the same time.")
def run(entry: str, pairs: Sequence[str], parallel: int | None) -> int:
    """Run the pipeline PIPELINE of the Python module MODULE, looked for from the current folder.

    A VALUE is read as JSON where it is JSON (`6`, `0.1`, `true`, `["a"]`), and as text otherwise.
    Exit code 1 when a step fails.

    \b
    Example:
      paddock run flights.pipelines:train -p depth=6 -p rate=0.1
    """
    pipeline = find_pipeline(entry)
    params = parse_params(pairs)
    pipeline.check_params(params)
    with open_workspace(creates=True, parallel_steps=parallel) as app:
        with lend_store(app):
            outcome = app.pipelines.run(pipeline, params, parallel=app.settings.whole("parallel_steps"))
        rows = [
            (step.name, step.state, _took(step.started_at, step.ended_at), step.reason)
            for step in outcome.steps
        ]
        show_table(("step", "state", ">seconds", "why"), rows, empty="the pipeline has no steps")
        ended = format_moment(outcome.ended_at)
        click.echo(f"\n{outcome.pipeline} {outcome.status} at {ended}  run {outcome.pipeline_run_id}")
        if outcome.status != "succeeded":
            click.echo(f"error: {outcome.reason}", err=True)
        return 0 if outcome.status == "succeeded" else 1


def find_pipeline(entry: str) -> "Pipeline[..., object]":
    """Return the pipeline that `module:name` names; the module is looked for from the current folder."""
    from paddock.pipelines import load_pipeline

    add_working_folder()
    try:
        return load_pipeline(entry)
    except PaddockError:
        raise
    except Exception as error:  # the user's module may raise anything while it is imported
        words = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InvalidInput(
            f"`{entry[:80]}` cannot be imported: {words}", hint="PADDOCK_DEBUG=1 shows where"
        ) from error


def parse_params(pairs: Sequence[str]) -> dict[str, object]:
    """Return the parameters by name; a value is JSON where it can be read so, else text.

    >>> parse_params(["depth=6", "name=x y"])
    {'depth': 6, 'name': 'x y'}
    """
    problems = [f"`{pair[:40]}` is not NAME=VALUE" for pair in pairs if not pair.partition("=")[1]]
    if problems:
        raise InvalidInput("; ".join(problems), problems=tuple(problems))
    return {name: _parse_value(text) for name, _, text in (pair.partition("=") for pair in pairs)}


def _parse_value(text: str) -> object:
    import msgspec

    try:
        value: object = msgspec.json.decode(text.encode())
    except msgspec.DecodeError:
        return text
    return value


def _took(started_at: datetime | None, ended_at: datetime | None) -> str:
    return f"{(ended_at - started_at).total_seconds():.2f}" if started_at and ended_at else ""
