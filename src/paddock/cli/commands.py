"""The table of commands, and the options that stand before them."""

import click

from paddock.cli.lazy import LazyCommand, LazyGroup

_C = "paddock.cli"

TABLE = {
    "demo": LazyCommand(f"{_C}.demo:demo", "Run the whole loop on a year of real flights"),
    "up": LazyCommand(f"{_C}.up:up", "Start everything for one machine"),
    "server": LazyCommand(f"{_C}.server:server", "Start the pages and the API"),
    "serve": LazyCommand(f"{_C}.serve:serve", "Serve a model over HTTP"),
    "loop": LazyCommand(f"{_C}.loop:loop", "Run the automation: monitor, retrain, release"),
    "data": LazyCommand(f"{_C}.data:data", "Add, list and show datasets"),
    "run": LazyCommand(f"{_C}.run:run", "Run a pipeline"),
    "runs": LazyCommand(f"{_C}.runs:runs", "List and show runs"),
    "sync": LazyCommand(f"{_C}.sync:sync", "Deliver what runs have logged while their store was away"),
    "models": LazyCommand(f"{_C}.models:models", "List, show and promote models"),
    "rollback": LazyCommand(f"{_C}.models:rollback", "Take the previous champion of a model back"),
    "rollout": LazyCommand(f"{_C}.rollout:rollout", "Show and withdraw the candidate of an endpoint"),
    "monitor": LazyCommand(f"{_C}.monitor:monitor", "Show what a monitor found"),
    "webhooks": LazyCommand(f"{_C}.webhooks:webhooks", "Tell receivers outside what happens"),
    "audit": LazyCommand(f"{_C}.audit:audit", "Check that history was not changed"),
    "backup": LazyCommand(f"{_C}.backup:backup", "Write the store to a folder or a file"),
    "restore": LazyCommand(f"{_C}.backup:restore", "Make a store from a backup"),
    "gc": LazyCommand(f"{_C}.gc:gc", "Free what nothing refers to"),
    "version": LazyCommand(f"{_C}.version:version", "Show the version"),
}

HELP = """Take a model from a notebook to production and keep it right there.

\b
Examples:
  paddock demo
  paddock data add data/flights.parquet
  paddock run flights.pipelines:train -p depth=6
  paddock models promote delay@7 champion --reason "better on all carriers"
"""

root = LazyGroup(
    "paddock",
    table=TABLE,
    help=HELP,
    params=[
        click.Option(
            ["--store"],
            metavar="STORE",
            help="Folder of the store, or postgresql://... [default: .paddock]",
        ),
        click.Option(["--project"], metavar="NAME", help="Project to act in [default: default]"),
    ],
)
