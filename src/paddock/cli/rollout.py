"""`paddock rollout`."""

from typing import TYPE_CHECKING

import click

from paddock.cli.lazy import LazyCommand, LazyGroup
from paddock.cli.showing import format_moment, json_option, show_facts, show_json
from paddock.cli.workspace import open_workspace

if TYPE_CHECKING:
    from paddock.serving import RolloutSpec
    from paddock.wire.structs import Rollout

rollout = LazyGroup(
    "rollout",
    table={
        "show": LazyCommand("paddock.cli.rollout:show", "Show where a rollout stands"),
        "withdraw": LazyCommand("paddock.cli.rollout:withdraw", "End the open rollout of an endpoint"),
    },
    help="""A candidate's way towards production: training, gate, shadow, canary.

\b
Example:
  paddock rollout show delay
""",
)


@click.command()
@click.argument("endpoint")
@json_option
def show(endpoint: str, as_json: bool) -> None:
    """Show the newest rollout of ENDPOINT: its phase, its candidate, and what it waits for.

    \b
    Example:
      paddock rollout show delay
    """
    with open_workspace() as app:
        from paddock.api import view
        from paddock.automation import get_progress
        from paddock.wire.structs import Rollout

        found = app.endpoints.get_endpoint(endpoint)
        progress = get_progress(app.automation, found, app.gateway_folder(found.name) / "predictions")
        shown = view(progress, Rollout)
        if as_json:
            show_json(shown)
            return
        show_facts(_facts(shown, found.spec.rollout))


@click.command()
@click.argument("endpoint")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for the history.")
@json_option
def withdraw(endpoint: str, reason: str, as_json: bool) -> None:
    """End the open rollout of ENDPOINT; the champion answers everything from the loop's next look on.

    \b
    Example:
      paddock rollout withdraw delay --reason "complaints since noon"
    """
    with open_workspace() as app:
        from paddock.api import view
        from paddock.wire.structs import Rollout

        name = app.endpoints.get_endpoint(endpoint).name
        ended = view(app.automation.withdraw(name, reason=reason), Rollout)
        if as_json:
            show_json(ended)
            return
        champion = f"{ended.model}@{ended.champion}"
        click.echo(f"{_name_candidate(ended)} is withdrawn; {champion} stays champion")


def _facts(shown: "Rollout", spec: "RolloutSpec") -> tuple[tuple[str, str], ...]:
    return (
        ("endpoint", shown.endpoint),
        ("phase", _describe_phase(shown, spec)),
        ("waits for", shown.waits_for),
        ("candidate", _name_candidate(shown)),
        ("champion", f"{shown.model}@{shown.champion}"),
        ("why", shown.trigger),
        ("started", format_moment(shown.started_at)),
        ("in phase since" if shown.is_open else "ended", format_moment(shown.phase_started_at)),
        ("rollout", shown.rollout_id),
    )


def _describe_phase(shown: "Rollout", spec: "RolloutSpec") -> str:
    """Return the phase in words, with the share of requests that a canary answers."""
    phase = shown.phase.replace("_", " ")
    if shown.phase != "canary" or shown.step >= len(spec.canary):
        return phase
    return f"{phase}, step {shown.step + 1} of {len(spec.canary)} ({spec.canary[shown.step]:.0%} of requests)"


def _name_candidate(shown: "Rollout") -> str:
    return f"{shown.model}@{shown.candidate}" if shown.candidate else "the candidate in training"
