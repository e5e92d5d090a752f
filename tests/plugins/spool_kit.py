"""Journals for tests, and a store that can be away, or lose its answers."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar, cast

from paddock.app import App, open_app
from paddock.kernel.clock import EPOCH
from paddock.kernel.errors import Unavailable
from paddock.kernel.ids import RunId, new_id
from paddock.kernel.settings import resolve_settings
from paddock.sdk.embedded import EmbeddedStore
from paddock.sdk.ports import Destination, RunRecord, RunStore, Store
from paddock.sdk.spool.adopting import adopt
from paddock.sdk.spool.delivery import Delivery
from paddock.sdk.spool.folder import list_folders
from paddock.sdk.spool.journal import Journal, Place
from paddock.sdk.spool.records import Head, Points, Record
from paddock.tracking import RunBatch
from paddock.wire import structs

T = TypeVar("T")

MEGABYTE = 1_048_576


@dataclass
class UnsteadyRuns:
    """The runs of a real store that can be away.

    is_away: nothing is taken. loses_answers: so many calls are done, and then not answered. keys: of each
    call that got through, in order.
    """

    inner: RunStore
    is_away: bool = False
    loses_answers: int = 0
    keys: list[str] = field(default_factory=list)

    def start(self, request: structs.StartRun, *, key: str) -> RunRecord:
        return self._pass(key, lambda: self.inner.start(request, key=key))

    def log(self, run_id: RunId, batch: RunBatch, *, key: str = "") -> None:
        self._pass(key, lambda: self.inner.log(run_id, batch, key=key))

    def put_artifact(
        self, run_id: RunId, path: str, source: bytes | Path, *, key: str = ""
    ) -> structs.Artifact:
        return self._pass(key, lambda: self.inner.put_artifact(run_id, path, source, key=key))

    def finish(self, run_id: RunId, request: structs.FinishRun, *, key: str = "") -> None:
        self._pass(key, lambda: self.inner.finish(run_id, request, key=key))

    def get(self, run_id: RunId) -> RunRecord:
        return self.inner.get(run_id)

    def _pass(self, key: str, call: Callable[[], T]) -> T:
        if self.is_away:
            raise Unavailable("the store is away")
        self.keys.append(key)
        answer = call()
        if self.loses_answers:
            self.loses_answers -= 1
            raise Unavailable("the answer is lost")
        return answer


@dataclass
class Bench:
    """A store in a folder, a spool beside it, and what a sender needs of them."""

    app: App
    runs: UnsteadyRuns
    spool: Path
    begun: list[Delivery] = field(default_factory=list)

    @property
    def destination(self) -> Destination:
        return EmbeddedStore(self.app).destination

    def head(self, *, run_id: str = "", parent_id: str = "", experiment: str = "delay") -> Head:
        """Return the head of a run that the store is to be told of."""
        chosen = RunId(run_id or new_id())
        start = structs.StartRun(experiment=experiment, run_id=chosen, parent_id=parent_id, started_at=EPOCH)
        return Head(
            run_id=chosen,
            destination=self.destination,
            created_at=now(),
            start=start,
            start_key=f"{chosen}-start",
        )

    def journal(self, head: Head | None = None, *, max_bytes: int = 64 * MEGABYTE) -> Journal:
        journal = Journal(Place(self.spool, max_bytes), head or self.head(), self.begun.append)
        journal.begin()
        return journal

    def leave_behind(self, *records: Record, head: Head | None = None) -> Head:
        """Write a journal as a process does that is killed then; return its head."""
        journal = self.journal(head)
        for record in records:
            assert journal.append(record)
        journal.close()
        self.begun[-1]._lock.release()
        return journal.head

    def adopt(self, run_id: str) -> Delivery:
        """Return the delivery of the run's journal, taken over anew."""
        (folder,) = list_folders(self.spool, run_id)
        delivery = adopt(folder)
        assert delivery is not None
        return delivery

    def deliver(self, delivery: Delivery) -> Delivery:
        while delivery.step(self.runs):
            pass
        return delivery

    @contextmanager
    def lend(self, destination: Destination) -> Iterator[Store | None]:
        yield cast(Store, _Lent(self.runs)) if destination == self.destination else None

    def history(self, run_id: str, key: str) -> list[tuple[int, float]]:
        return [(point.step, point.value) for point in self.app.tracking.metric_history(run_id, key)]


@dataclass
class _Lent:
    """As much of a store as a sender asks for."""

    deliveries: UnsteadyRuns


def open_bench(folder: Path) -> Bench:
    app = open_app(resolve_settings({"store": str(folder / "store")}, {}, {}))
    return Bench(app, UnsteadyRuns(EmbeddedStore(app).deliveries), folder / "spool")


def points(count: int, *, first: int = 0, key: str = "auc") -> list[Points]:
    """Return one value of one metric at each of so many steps."""
    return [Points(step, step, {key: step / 1_000}) for step in range(first, first + count)]


def now() -> datetime:
    return datetime.fromtimestamp(time.time(), EPOCH.tzinfo)
