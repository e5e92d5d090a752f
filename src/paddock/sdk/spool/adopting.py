"""Taking over journals whose process is gone."""

from contextlib import suppress
from pathlib import Path

from paddock.kernel.errors import PaddockError
from paddock.sdk.ports import Destination
from paddock.sdk.spool.delivery import Delivery
from paddock.sdk.spool.folder import JournalFolder, list_folders


def adopt(folder: JournalFolder) -> Delivery | None:
    """Return the delivery of a journal that nobody writes or delivers, None of one that somebody does.

    Raises IntegrityError or StoreTooNew when its head cannot be read.
    """
    lock = folder.try_lock()
    if lock is None:
        return None
    try:
        return Delivery(folder, lock, folder.read_head())
    except (PaddockError, OSError):
        lock.release()
        raise


def adopt_orphans(spool: Path, destination: Destination, *, run_id: str = "") -> list[Delivery]:
    """Return what can be delivered to `destination` of journals left behind, in the order they began.

    run_id: only of this run. What cannot be read is left to `paddock sync`, which says so.
    """
    found: list[Delivery] = []
    for folder in list_folders(spool, run_id):
        with suppress(PaddockError, OSError):
            delivery = adopt(folder)
            if delivery is None:
                continue
            if delivery.head.destination == destination and not (delivery.is_refused or delivery.is_done):
                found.append(delivery)
            else:
                delivery.leave()
    return sorted(found, key=lambda each: each.head.created_at)
