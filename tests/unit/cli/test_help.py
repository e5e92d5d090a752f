"""What the command line says about itself."""

import json
import subprocess
import sys

import click
import pytest

from paddock.cli.commands import TABLE, root
from paddock.cli.lazy import LazyGroup

HEAVY = ["numpy", "pyarrow", "pandas", "sklearn", "starlette", "uvicorn", "rich", "httpx", "plotly", "apsw"]

PROGRAM = """
import contextlib, io, json, sys
from paddock.cli import main
paths, heavy = json.loads(sys.argv[1])
shown = {}
for path in paths:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main([*path, "--help"])
    shown[" ".join(path)] = [code, out.getvalue()]
print(json.dumps([shown, [name for name in heavy if name in sys.modules]]))
"""


def command_paths(group: LazyGroup, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return every command and group below `group`, by its words."""
    context = click.Context(group)
    found: list[tuple[str, ...]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found.append((*before, name))
        if isinstance(command, LazyGroup):
            found += command_paths(command, (*before, name))
    return found


PATHS = command_paths(root)


@pytest.fixture(scope="module")
def helps() -> tuple[dict[str, tuple[int, str]], list[str]]:
    """Every help text and the heavy modules that showing them has loaded, from a fresh Python."""
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([[(), *PATHS], HEAVY])], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    shown, loaded = json.loads(result.stdout)
    return shown, loaded


def test_help_loads_nothing_heavy(helps: tuple[dict[str, tuple[int, str]], list[str]]):
    """No help text needs a library that only some commands need."""
    assert helps[1] == []


@pytest.mark.parametrize("path", [(), *PATHS], ids=lambda path: " ".join(path) or "paddock")
def test_every_command_shows_an_example(
    path: tuple[str, ...], helps: tuple[dict[str, tuple[int, str]], list[str]]
):
    """`--help` ends with 0 and shows at least one call that begins with `paddock`."""
    code, text = helps[0][" ".join(path)]

    assert code == 0
    example = text[text.index("Example") :]
    assert f"paddock {' '.join(path)}".strip() in example or "paddock --store" in example


def test_issue_commands_are_all_there():
    """The first hour of a user finds every command it is told to type."""
    assert {
        *("data", "run", "runs", "models", "rollback", "serve", "monitor", "server", "up", "loop"),
        *("audit", "backup", "restore", "demo", "version"),
    } <= set(TABLE)


@pytest.mark.parametrize(
    "path", [path for path in PATHS if path[-1] in ("list", "show", "verify", "monitor")]
)
def test_every_listing_has_json(path: tuple[str, ...]):
    """What is listed for people can be read by programs."""
    command: click.Command | None = root
    for word in path:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)

    assert command is not None
    assert "as_json" in [parameter.name for parameter in command.params]
