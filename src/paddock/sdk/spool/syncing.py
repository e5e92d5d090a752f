"""Delivering everything in a spool, for `paddock sync`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from paddock.kernel.errors import PaddockError
from paddock.sdk.ports import Destination, RunStore, Store
from paddock.sdk.spool.adopting import adopt
from paddock.sdk.spool.delivery import Delivery
from paddock.sdk.spool.folder import JournalFolder, list_folders
from paddock.wire import structs

State = Literal["delivered", "refused", "left", "busy"]
Open = Callable[[Destination], AbstractContextManager[Store]]
Told = Callable[[int, int], None]


class SyncedJournal(structs.Resource, frozen=True, kw_only=True):
    """What became of what one process has logged to one run.

    state: `delivered`; `refused`: the store does not take some of it, which stays in `folder`; `left`: it
    waits there; `busy`: a process that runs is delivering it. record_count: delivered by this call. problems:
    why it waits, or what was refused and why.
    """

    run_id: str
    folder: str
    state: State
    record_count: int = 0
    problems: tuple[str, ...] = ()


class SyncReport(structs.Resource, frozen=True, kw_only=True):
    """What became of each journal, in the order in which they were delivered."""

    journals: tuple[SyncedJournal, ...] = ()

    def list_in(self, state: State) -> list[SyncedJournal]:
        """Return the journals in this state."""
        return [journal for journal in self.journals if journal.state == state]


def sync_spool(spool: Path, open_store: Open, told: Told) -> SyncReport:
    """Deliver every journal in `spool` to its own store, in the order in which they began.

    open_store: opens the store of a destination, once for each. told: is given the bytes that are done and
    those there are, again and again. A run that a store has refused is offered again.
    """
    deliveries: list[Delivery] = []
    others: list[SyncedJournal] = []
    for folder in list_folders(spool):
        try:
            delivery = adopt(folder)
        except (PaddockError, OSError) as error:
            others.append(_describe(folder, "left", str(error)))
            continue
        if delivery is None:
            others.append(_describe(folder, "busy"))
        else:
            deliveries.append(delivery)
    deliveries.sort(key=lambda each: each.head.created_at)
    with ExitStack() as stack:
        stores = _Stores(open_store, stack)
        return SyncReport(journals=(*_sync_all(deliveries, stores, told), *others))


@dataclass(slots=True)
class _Stores:
    """Stores by destination, and why there is none."""

    open_store: Open
    stack: ExitStack
    found: dict[Destination, RunStore | PaddockError] = field(default_factory=dict)

    def runs_at(self, destination: Destination) -> RunStore:
        if destination not in self.found:
            try:
                self.found[destination] = self.stack.enter_context(self.open_store(destination)).runs
            except PaddockError as error:
                self.found[destination] = error
        found = self.found[destination]
        if isinstance(found, PaddockError):
            raise found
        return found


def _sync_all(deliveries: list[Delivery], stores: _Stores, told: Told) -> Iterator[SyncedJournal]:
    total = sum(each.tail - each.acked for each in deliveries)
    done = 0
    for delivery in deliveries:
        begun, trouble = delivery.acked, ""
        try:
            runs = stores.runs_at(delivery.head.destination)
            delivery.forgive()
            while delivery.step(runs):
                told(done + delivery.acked - begun, total)
            if delivery.waits_for:
                trouble = f"the run `{delivery.waits_for}` that it is below is not delivered yet"
        except PaddockError as error:
            trouble = error.message
            stores.found[delivery.head.destination] = error  # the next journals need not wait for it again
        except OSError as error:
            trouble = str(error)
        done += delivery.acked - begun
        yield _end(delivery, trouble)


def _end(delivery: Delivery, trouble: str) -> SyncedJournal:
    refused = [f"{each.what}: {each.message}" for each in delivery.folder.list_refusals()]
    delivery.leave()
    if trouble:
        return _describe(delivery.folder, "left", trouble, count=delivery.delivered_count)
    state: State = "refused" if refused else "delivered"
    return _describe(delivery.folder, state, *refused, count=delivery.delivered_count)


def _describe(folder: JournalFolder, state: State, *problems: str, count: int = 0) -> SyncedJournal:
    return SyncedJournal(
        run_id=folder.name.rpartition(".")[0],
        folder=str(folder.path),
        state=state,
        record_count=count,
        problems=problems,
    )
