"""What a command works on: settings from all their sources, and the store opened when it is needed."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paddock.kernel.errors import NotFound
from paddock.kernel.settings import Settings, Value, resolve_settings

if TYPE_CHECKING:
    from paddock.app import App

PROJECT_FILE = Path("paddock.toml")


def read_settings(**flags: Value | None) -> Settings:
    """Return the settings of this call. Options of the command count before those of `paddock`.

    flags: by the name of the setting; None where the option was not given.
    """
    from paddock.app import read_file_settings

    context = click.get_current_context(silent=True)
    outer = context.find_root().params if context else {}
    given: dict[str, Value] = {}
    for name, value in (*outer.items(), *flags.items()):
        if value is not None:
            given[name] = value
    return resolve_settings(given, os.environ, read_file_settings(PROJECT_FILE))


@contextmanager
def open_workspace(*, creates: bool = False, **flags: Value | None) -> Iterator["App"]:
    """Open the store of this call and close it again.

    creates: make the store that was named where there is none, for commands that bring something into it;
    for all others that is NotFound, so a mistyped name leaves no empty store behind. The default store is
    made by any command.
    """
    from paddock.app import has_store, open_app
    from paddock.metadata import check_writable

    settings = read_settings(**flags)
    is_named = settings.text("store") != resolve_settings({}, {}, {}).text("store")
    if is_named and not creates and not has_store(settings):
        raise NotFound(
            f"there is no store in `{settings.text('store')}`",
            hint="paddock data add FILE makes one; --store names another",
        )
    if creates:
        check_writable(settings.text("store"))
    with closing(open_app(settings)) as app:
        yield app


@contextmanager
def lend_store(app: "App") -> Iterator[None]:
    """Let `import paddock as pk` in the user's code mean the store of this call, whatever else is set."""
    from paddock.sdk import connect, disconnect

    connect(app)
    try:
        yield
    finally:
        disconnect()


def add_working_folder() -> None:
    """Let `MODULE:NAME` be found in the folder the command was called in."""
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
