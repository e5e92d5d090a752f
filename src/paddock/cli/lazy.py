"""A click group that imports a command only when it is called, and names the nearest for an unknown one."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

import click

from paddock.kernel.names import nearest


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command stands, and its line in the overview.

    path: `module:attribute`.
    """

    path: str
    help: str


class LazyGroup(click.Group):
    """Shows its commands in the given order, without importing them."""

    def __init__(
        self,
        name: str | None = None,
        *,
        table: Mapping[str, LazyCommand],
        help: str,
        params: list[click.Parameter] | None = None,
    ) -> None:
        super().__init__(name, help=help, params=params, no_args_is_help=True)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(self._table)

    def get_command(  # click's signature
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        entry = self._table.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.path.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.path} is not a command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one is nearest to the word given."""
        word = args[0]
        if word not in self._table and not word.startswith("-"):
            match = nearest(word, self._table)
            suggestion = f"; the nearest is `{match}`" if match else ""
            raise click.UsageError(f"`{word[:40]}` is not a command{suggestion}", ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(  # click's signature
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self._table.items()])
