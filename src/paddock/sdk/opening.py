"""Opening the store that runs in a spool are meant for."""

from paddock.app import has_store, open_app
from paddock.kernel.errors import InvalidSettings, NotFound
from paddock.kernel.settings import Settings
from paddock.sdk.places import SERVER, strip_password
from paddock.sdk.ports import Destination, Store


def open_destination(destination: Destination, settings: Settings) -> Store:
    """Return the store at `destination`, opened in the name of whoever logged to it.

    settings: of this call; they name a database with its password, which a destination never holds. Raises
    Unavailable when it cannot be reached, NotFound when there is none any more, and InvalidSettings when the
    settings name another database.
    """
    address = destination.address
    if address.startswith(SERVER):
        from paddock.sdk.remote import open_http

        return open_http(address, project=destination.project)
    from paddock.sdk.embedded import EmbeddedStore

    store = address
    if "://" in address:
        store = settings.text("store")
        if strip_password(store) != address:
            raise InvalidSettings(f"this is meant for `{address}`, and not for the store of this call")
    named = {"store": store, "project": destination.project, "principal": destination.principal}
    wanted = Settings({**settings.values, **named})
    if not has_store(wanted):
        raise NotFound(f"there is no store in `{address}`")
    return EmbeddedStore(open_app(wanted))
