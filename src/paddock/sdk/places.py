"""Where a store is, and where what is logged to it waits, as the settings say."""

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from paddock.app import local_folder
from paddock.kernel.refs import Actor
from paddock.kernel.settings import Settings, resolve_settings
from paddock.sdk.ports import Destination

SERVER = ("http://", "https://")


def destination_of(settings: Settings, actor: Actor) -> Destination:
    """Return the destination that an embedded store of these settings is."""
    store = settings.text("store")
    address = strip_password(store) if "://" in store else str(Path(store).resolve())
    return Destination(address, actor.project_id, actor.principal)


def server_destination(url: str, settings: Settings) -> Destination:
    """Return the destination that a server is; the default project is not named, so its own counts there."""
    project = settings.text("project")
    is_default = project == resolve_settings({}, {}, {}).text("project")
    return Destination(url.rstrip("/"), "" if is_default else project)


def spool_folder(settings: Settings) -> Path:
    """Return the folder in which runs wait: of its own, or in the local folder of the store."""
    named = settings.text("spool")
    return (Path(named) if named else local_folder(settings) / "spool").absolute()


def strip_password(url: str) -> str:
    """Return the address of a database as it may be written down; options may hold a password, too.

    >>> strip_password("postgresql://ann:secret@db:5432/runs?sslmode=require")
    'postgresql://ann@db:5432/runs'
    """
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}", query=""))
