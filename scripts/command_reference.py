"""Write docs/reference/cli.md anew: what `--help` says of each command.

.venv/bin/python scripts/command_reference.py
"""

from collections.abc import Iterator
from pathlib import Path

import click

from paddock.cli.commands import root

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "cli.md"
WIDTH = 100
HEAD = """# Command line

What `paddock COMMAND --help` says, written by `make reference`. Two options stand before every command:
`--store` (or `PADDOCK_STORE`) names the store, a folder or `postgresql://...`; `--project` the project to
act in. `--json` shows what the API would answer, an error included. Errors go to stderr as `error:` and
`hint:`, and the exit code says of which kind they are; see [errors](errors.md). What the log tells goes to
stderr, too: an event and its fields, such as `gateway.died endpoint=delay exit_code=-9`.
"""


def main() -> None:
    PAGE.write_text(describe_commands())


def describe_commands() -> str:
    """Return the whole page."""
    sections = [f"\n## `{name}`\n\n```text\n{text}\n```\n" for name, text in walk(root, "paddock", None)]
    return HEAD + "".join(sections)


def walk(command: click.Command, name: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    """Yield the full name and the help of each command that does something, such as `paddock data add`."""
    context = click.Context(command, parent=parent, info_name=name.split()[-1], terminal_width=WIDTH)
    if not isinstance(command, click.Group):
        yield name, command.get_help(context)
        return
    for child_name in command.list_commands(context):
        child = command.get_command(context, child_name)
        if child is not None and not child.hidden:
            yield from walk(child, f"{name} {child_name}", context)


if __name__ == "__main__":
    main()
