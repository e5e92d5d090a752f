"""Which store the calls of this process go to."""

import atexit
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from paddock.app import App, actor_of, open_app, read_file_settings
from paddock.kernel.errors import InvalidSettings, PaddockError, Unavailable
from paddock.kernel.purity import note_impure
from paddock.kernel.settings import Settings, resolve_settings
from paddock.sdk.places import SERVER, destination_of, server_destination, spool_folder
from paddock.sdk.ports import Destination, Store

# of a step, where it is to say why it was not cached
DOES_MORE = (
    "it does more in the store than read dataset versions by number, which a kept output would not do again;"
    " what it computes can be kept in a step of its own"
)

_CHOOSES = "it chooses the store for all calls of the process"

_DATABASE = ("postgresql://", "postgres://")
_LEAVE_S = 10.0

Wanted = Store | App | Settings | str | None


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Where runs go to, the spool they wait in on their way, and what the settings say of them."""

    destination: Destination
    spool: Path
    settings: Settings


@dataclass(eq=False, slots=True)
class _Connection:
    """wanted: what was asked for, to open it again in a child process. is_ours: close it when it is left.

    url: of a server, empty for a store in this process. store: None until it is needed.
    """

    wanted: Wanted
    place: RunPlace
    is_ours: bool
    url: str = ""
    store: Store | None = None
    has_runs: bool = False
    is_left: bool = False
    in_use: threading.Lock = field(default_factory=threading.Lock)
    _opening: threading.Lock = field(default_factory=threading.Lock)

    def opened(self) -> Store:
        """Return the store, opened if it is not yet. Raises Unavailable where it cannot be reached."""
        with self._opening:
            if self.is_left:
                raise Unavailable(f"`{self.place.destination.address}` was let go of")
            if self.store is None:
                settings = self.place.settings
                self.store = _open_server(self.url, settings) if self.url else _embed(open_app(settings))
            return self.store

    def leave(self) -> None:
        """Close the store if it is ours, when nothing is being delivered to it any more."""
        is_free = self.in_use.acquire(timeout=_LEAVE_S)
        with self._opening:
            self.is_left = True
            if self.store is not None and self.is_ours:
                self.store.close()
        if is_free:
            self.in_use.release()


_lock = threading.Lock()
_connection: _Connection | None = None
_wanted: Wanted = None  # by the parent process, whose connection a child cannot use


def connect(store: Store | App | str | None = None) -> None:
    """Let the calls of this process go to `store`.

    store: `http://...` for a server, a folder or `postgresql://...` for a store opened in this process, or
    an app or store that is open already and stays so; None for what the settings name (`PADDOCK_URI`,
    else `PADDOCK_STORE`, else `./.paddock`). What was connected before is let go of, so end your runs first.
    Raises Unavailable when the server does not answer; without this call, runs begin all the same.
    """
    note_impure(_CHOOSES)
    chosen = _describe(store)
    chosen.opened()
    with _lock:
        _replace(chosen)


def disconnect() -> None:
    """Let go of the store; the next call opens the one the settings name."""
    global _wanted
    note_impure(_CHOOSES)
    with _lock:
        _wanted = None
        _replace(None)


def current_store() -> Store:
    """Return the store in use, opening the one the settings name when there is none yet.

    A step of a pipeline that asks for it is not cached: what it does with it cannot be told here.
    """
    note_impure(DOES_MORE)
    return unwatched_store()


def unwatched_store() -> Store:
    """Return the same, for what it answers alike for ever: a version by its number. A step may be cached."""
    connection = _connected()
    try:
        return connection.opened()
    except PaddockError:
        with _lock:
            if connection is _connection and not connection.has_runs:
                _replace(None)  # the settings may be others at the next call
        raise


def run_place() -> RunPlace:
    """Return where runs go to, without opening it."""
    note_impure(DOES_MORE)
    connection = _connected()
    connection.has_runs = True
    return connection.place


@contextmanager
def lend_store(destination: Destination) -> Iterator[Store | None]:
    """Give the store in use, open for as long as the block runs; None when it is not `destination`."""
    with _lock:
        connection = _connection
    if connection is None or connection.place.destination != destination:
        yield None
        return
    with connection.in_use:
        yield connection.opened()


def _connected() -> _Connection:
    with _lock:
        if _connection is None:
            _replace(_describe(_wanted))
        assert _connection is not None
        return _connection


def _replace(chosen: _Connection | None) -> None:
    global _connection
    left, _connection = _connection, chosen
    if left is not None:
        left.leave()


def _describe(wanted: Wanted) -> _Connection:
    """Return the connection to `wanted`, not opened yet."""
    if isinstance(wanted, App):
        return _Connection(wanted, _place_of_app(wanted), is_ours=False, store=_embed(wanted))
    if isinstance(wanted, Settings):
        return _Connection(wanted, _place_of_settings(wanted), is_ours=True)
    if wanted is not None and not isinstance(wanted, str):
        settings = _read_settings({})
        place = RunPlace(wanted.destination, spool_folder(settings), settings)
        return _Connection(wanted, place, is_ours=False, store=wanted)
    is_store = wanted is not None and not wanted.startswith(SERVER)
    settings = _read_settings({"store": wanted} if wanted is not None and is_store else {})
    named = settings.text("uri") if wanted is None else wanted
    if named.startswith(SERVER):
        place = RunPlace(server_destination(named, settings), spool_folder(settings), settings)
        return _Connection(wanted, place, is_ours=True, url=named)
    _check_scheme(named, is_uri=wanted is None)
    return _Connection(wanted, _place_of_settings(settings), is_ours=True)


def _place_of_app(app: App) -> RunPlace:
    folder = Path(app.settings.text("spool") or app.store.folder / "spool")
    return RunPlace(destination_of(app.settings, app.actor), folder.absolute(), app.settings)


def _place_of_settings(settings: Settings) -> RunPlace:
    return RunPlace(destination_of(settings, actor_of(settings)), spool_folder(settings), settings)


def _read_settings(flags: Mapping[str, str]) -> Settings:
    return resolve_settings(flags, os.environ, read_file_settings(Path("paddock.toml")))


def _embed(app: App) -> Store:
    from paddock.sdk.embedded import EmbeddedStore

    return EmbeddedStore(app)


def _open_server(url: str, settings: Settings) -> Store:
    from paddock.sdk.remote import open_http

    return open_http(url, project=server_destination(url, settings).project)


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
