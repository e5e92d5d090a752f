"""Which store the calls of this process go to."""

import atexit
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from paddock.app import App, open_app, read_file_settings
from paddock.kernel.errors import InvalidSettings
from paddock.kernel.settings import Settings, resolve_settings
from paddock.sdk.ports import Store

_SERVER = ("http://", "https://")
_DATABASE = ("postgresql://", "postgres://")

Wanted = Store | App | Settings | str | None


@dataclass(frozen=True, slots=True)
class _Connection:
    """wanted: what was asked for, to open it again in a child process. is_ours: close it when it is left."""

    wanted: Wanted
    store: Store
    is_ours: bool


_lock = threading.Lock()
_connection: _Connection | None = None
_wanted: Wanted = None  # by the parent process, whose connection a child cannot use


def connect(store: Store | App | str | None = None) -> None:
    """Let the calls of this process go to `store`.

    store: `http://...` for a server, a folder or `postgresql://...` for a store opened in this process, or
    an app or store that is open already and stays so; None for what the settings name (`PADDOCK_URI`,
    else `PADDOCK_STORE`, else `./.paddock`). What was connected before is let go of, so end your runs first.
    Raises Unavailable when the server does not answer.
    """
    opened = _open(store)
    with _lock:
        _replace(opened)


def disconnect() -> None:
    """Let go of the store; the next call opens the one the settings name."""
    global _wanted
    with _lock:
        _wanted = None
        _replace(None)


def current_store() -> Store:
    """Return the store in use, opening the one the settings name when there is none yet."""
    with _lock:
        if _connection is None:
            _replace(_open(_wanted))
        assert _connection is not None
        return _connection.store


def _replace(opened: _Connection | None) -> None:
    global _connection
    left, _connection = _connection, opened
    if left is not None and left.is_ours:
        left.store.close()


def _open(wanted: Wanted) -> _Connection:
    from paddock.sdk.embedded import EmbeddedStore

    if isinstance(wanted, App):
        return _Connection(wanted, EmbeddedStore(wanted), is_ours=False)
    if isinstance(wanted, Settings):
        return _Connection(wanted, EmbeddedStore(open_app(wanted)), is_ours=True)
    if wanted is not None and not isinstance(wanted, str):
        return _Connection(wanted, wanted, is_ours=False)
    return _Connection(wanted, _open_named(wanted), is_ours=True)


def _open_named(wanted: str | None) -> Store:
    from paddock.sdk.embedded import EmbeddedStore

    is_store = wanted is not None and not wanted.startswith(_SERVER)
    flags = {"store": wanted} if wanted is not None and is_store else {}
    settings = resolve_settings(flags, os.environ, read_file_settings(Path("paddock.toml")))
    named = settings.text("uri") if wanted is None else wanted
    if named.startswith(_SERVER):
        return _open_server(named, settings)
    _check_scheme(named, is_uri=wanted is None)
    return EmbeddedStore(open_app(settings))


def _open_server(url: str, settings: Settings) -> Store:
    from paddock.sdk.remote import open_http

    project = settings.text("project")
    is_default = project == resolve_settings({}, {}, {}).text("project")
    return open_http(url, project="" if is_default else project)  # then the server's own project counts


def _check_scheme(named: str, *, is_uri: bool) -> None:
    if is_uri and named:
        raise InvalidSettings(
            f"`PADDOCK_URI` is `{named[:200]}`, but must be the `http://HOST:PORT` of a server",
            hint="PADDOCK_STORE names a folder or a database",
        )
    if "://" in named and not named.startswith(_DATABASE):
        raise InvalidSettings(
            f"`{named[:200]}` names no store; a store is a folder, `postgresql://...` or a server's `http://...`"
        )


def _leave_parent() -> None:
    """In a forked child: the parent's threads and sockets are not ours, so the next call opens anew."""
    global _lock, _connection, _wanted
    _lock = threading.Lock()
    if _connection is not None:
        wanted = _connection.wanted
        _wanted = wanted.settings if isinstance(wanted, App) else wanted
        _connection = None


atexit.register(disconnect)
os.register_at_fork(after_in_child=_leave_parent)
