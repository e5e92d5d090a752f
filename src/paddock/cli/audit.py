"""`paddock audit`: is the recorded history what was recorded."""

import click

from paddock.cli.lazy import LazyCommand, LazyGroup
from paddock.cli.showing import json_option, show_json
from paddock.cli.workspace import open_workspace
from paddock.kernel.errors import IntegrityError
from paddock.kernel.wording import count_of

audit = LazyGroup(
    "audit",
    table={
        "verify": LazyCommand("paddock.cli.audit:verify", "Check the hash chain of the event ledger"),
        "check": LazyCommand("paddock.cli.audit:check", "Check everything the store holds"),
    },
    help="""Is what was recorded still what was recorded.

\b
Example:
  paddock audit verify
""",
)


@click.command()
@json_option
def verify(as_json: bool) -> int:
    """Check the hash chain of the event ledger from its first entry to its last.

    Exit code 7 when an entry was changed, removed or put in. Whoever owns the database can write the
    whole chain anew, so keep the printed hash somewhere else and compare.

    \b
    Example:
      paddock audit verify
    """
    with open_workspace() as app:
        from paddock.api import view_verdict

        verdict = app.metadata.verify_ledger()
        if as_json:
            show_json(view_verdict(verdict))
            return 0 if verdict.ok else IntegrityError.exit_code
        if not verdict.ok:
            raise IntegrityError(
                f"the ledger does not hold at position {verdict.first_bad_position}: {verdict.words}"
            )
        click.echo(f"{count_of(verdict.checked_count, 'event')} checked, all in order")
        click.echo(f"head {verdict.head_position} {verdict.head_hash}")
        if verdict.unsealed_count:
            click.echo(f"{count_of(verdict.unsealed_count, 'event is', 'events are')} not sealed yet")
        return 0


@click.command()
def check() -> int:
    """Look at everything the store holds: ledger, objects, what rows name, prediction logs.

    Nothing is changed. Every fault is one line; exit code 7 when there is one.

    \b
    Example:
      paddock audit check
    """
    with open_workspace() as app:
        found = app.governance.check()
        for fault in found.faults:
            click.echo(str(fault))
        click.echo(
            f"{count_of(found.event_count, 'event')}, {count_of(found.object_count, 'object')}, "
            f"{count_of(found.segment_count, 'segment')} of prediction logs: "
            f"{count_of(len(found.faults), 'fault') if found.faults else 'no faults'}"
        )
        return 0 if found.ok else IntegrityError.exit_code
