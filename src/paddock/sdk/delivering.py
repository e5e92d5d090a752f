"""Delivering what runs have left in a spool, each to the store it was meant for."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from paddock.kernel.settings import Settings
from paddock.sdk.opening import open_destination
from paddock.sdk.places import spool_folder
from paddock.sdk.ports import Destination, Store
from paddock.sdk.spool import SyncReport, sync_spool


def deliver_spool(settings: Settings, told: Callable[[int, int], None]) -> SyncReport:
    """Deliver the spool that the settings name, and return what became of each run in it.

    told: called with the bytes done and the bytes there are, as they are delivered.
    """

    @contextmanager
    def open_store(destination: Destination) -> Iterator[Store]:
        with closing(open_destination(destination, settings)) as store:
            yield store

    return sync_spool(spool_folder(settings), open_store, told)
