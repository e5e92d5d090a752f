"""What a command works on: settings from all their sources, and the store opened when it is needed."""

import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paddock.kernel.errors import InvalidSettings
from paddock.kernel.settings import Settings, Value, resolve_settings

if TYPE_CHECKING:
    from paddock.app import App

PROJECT_FILE = Path("paddock.toml")


def read_settings(**flags: Value | None) -> Settings:
    """Return the settings of this call. Options of the command count before those of `paddock`.

    flags: by the name of the setting; None where the option was not given.
    """
    context = click.get_current_context(silent=True)
    outer = context.find_root().params if context else {}
    given: dict[str, Value] = {}
    for name, value in (*outer.items(), *flags.items()):
        if value is not None:
            given[name] = value
    return resolve_settings(given, os.environ, _read_project_file())


@contextmanager
def open_workspace(**flags: Value | None) -> Iterator["App"]:
    """Open the store of this call and close it again."""
    from paddock.app import open_app

    with closing(open_app(read_settings(**flags))) as app:
        yield app


def add_working_folder() -> None:
    """Let `MODULE:NAME` be found in the folder the command was called in."""
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _read_project_file() -> Mapping[str, object]:
    if not PROJECT_FILE.is_file():
        return {}
    try:
        document = tomllib.loads(PROJECT_FILE.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"`paddock.toml` cannot be read: {error}") from error
    settings = document.get("settings", {})
    if not isinstance(settings, dict):
        raise InvalidSettings("`settings` in paddock.toml must be a table, `[settings]`")
    return settings
