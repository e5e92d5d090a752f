"""Which store the calls of this process go to, and which run they belong to."""

import atexit
import os
import threading
import tomllib
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.app import App, open_app
from paddock.kernel.errors import InvalidSettings
from paddock.kernel.settings import resolve_settings

if TYPE_CHECKING:
    from paddock.sdk.runs import ActiveRun

_lock = threading.Lock()
_app: App | None = None
# a context variable: two threads, or two steps of a pipeline, log to runs of their own
active_run: ContextVar["ActiveRun | None"] = ContextVar("paddock_active_run", default=None)


def connect(store: App | str | None = None) -> App:
    """Let the calls of this process go to `store`, and return it.

    store: an open app, or a folder or `postgresql://...`; None for what the settings name. What was
    connected before stays open when it was given as an app, and is closed otherwise.
    """
    global _app
    opened = store if isinstance(store, App) else _open(store)
    with _lock:
        _app = opened
    return opened


def disconnect() -> None:
    """Forget the store; the next call opens the one the settings name."""
    global _app
    with _lock:
        _app = None


def current_app() -> App:
    """Return the store in use, opening the one the settings name when there is none yet."""
    with _lock:
        found = _app
    return found or connect()


def _open(store: str | None) -> App:
    settings = resolve_settings({} if store is None else {"store": store}, os.environ, _file_settings())
    app = open_app(settings)
    atexit.register(app.close)
    return app


def _file_settings() -> dict[str, object]:
    file = Path("paddock.toml")
    if not file.is_file():
        return {}
    try:
        table = tomllib.loads(file.read_text()).get("settings", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"`paddock.toml` cannot be read: {error}") from error
    if not isinstance(table, dict):
        raise InvalidSettings("`settings` in paddock.toml must be a table, `[settings]`")
    return table
