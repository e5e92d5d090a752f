"""The way of one run to its store: from the journal on this machine to the answer that it is there."""

import os
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from paddock.kernel.clock import to_micros
from paddock.kernel.errors import PaddockError, Unavailable
from paddock.kernel.wording import count_of
from paddock.sdk.ambient import RunPlace, lend_store, unwatched_store
from paddock.sdk.ports import RunStore
from paddock.sdk.problems import error_of
from paddock.sdk.spool import (
    DROPPED_TAG,
    Delivery,
    End,
    File,
    Head,
    Journal,
    Place,
    Record,
    Refusal,
    Tags,
    process_sender,
    warn_of,
)
from paddock.wire import structs


class Course:
    """What is logged to one run is written here, and delivered behind the back of whoever logs it."""

    def __init__(self, place: RunPlace, head: Head, now: Callable[[], datetime]) -> None:
        """now: the time at which something is measured. Raises Unavailable where nothing can be written."""
        self.place = place
        self.now = now
        self.run_id = head.run_id
        self._process_id = os.getpid()
        self._deliveries: list[Delivery] = []
        self._raised_count = 0
        self._journal = self._open_journal(head)
        process_sender(lend_store).look_for_orphans(place.spool, place.destination)

    @property
    def is_in_store(self) -> bool:
        """Tell whether the store has the run, as far as this process knows."""
        delivery = self._journal.delivery
        return delivery.has_run if delivery else self._journal.head.start is None

    def append(self, record: Record) -> None:
        """Write a record; where there is no room for it, it is counted as dropped."""
        self._journal.append(record)

    def keep_file(self, path: str, source: bytes | Path) -> None:
        """Keep bytes, or a copy of a local file, as the artifact `path`."""
        if isinstance(source, bytes):
            kept_as = self._journal.keep_file(source)
        else:
            with source.open("rb") as file:
                kept_as = self._journal.keep_file(file)
        if kept_as:
            self.append(File(path, kept_as))

    def send_file(self, path: str, source: Path) -> None:
        """Send a local file behind all that was logged; keep a copy of it where that cannot be now."""
        if self._settle(is_patient=False):
            self.keep_file(path, source)
            return
        try:
            self._runs().put_artifact(self.run_id, path, source)
        except Unavailable:
            self.keep_file(path, source)

    def flush(self) -> None:
        """Wait until the store has what was logged so far, and raise what it has refused of it.

        Raises Unavailable when that takes longer than `flush_timeout_s`.
        """
        trouble = self._settle(is_patient=True)
        self.raise_refusals()
        if trouble:
            raise Unavailable(f"what is logged to run {self.run_id} waits: {trouble}", hint="paddock sync")

    def end(self, status: structs.EndStatus) -> str:
        """End the run and wait for the store as `flush` does. Return what still waits and why, or nothing."""
        if self._journal.dropped_count:
            self._journal.append(Tags({DROPPED_TAG: str(self._journal.dropped_count)}), is_needed=True)
        end = End(status, to_micros(self.now()))
        is_kept = self._journal.append(end, is_needed=True)
        self._journal.close()
        orphans = process_sender(lend_store).adopt_run(self.place.spool, self.place.destination, self.run_id)
        self._own_deliveries().extend(orphans)
        waiting = [words for delivery in self._own_deliveries() if (words := self._wait_for(delivery))]
        if not is_kept:
            waiting.append(self._end_at_once(end))
        return "; ".join(filter(None, waiting))

    def raise_refusals(self) -> None:
        """Raise what the store has refused, each refusal once."""
        refusals = [refusal for delivery in self._own_deliveries() for refusal in delivery.refusals]
        fresh = refusals[self._raised_count :]
        self._raised_count = len(refusals)
        if fresh:
            raise _error_of(self.run_id, fresh)

    def _open_journal(self, head: Head) -> Journal:
        """Begin the journal in the spool, or where temporary files are when the spool cannot be written."""
        for folder in (self.place.spool, Path(tempfile.gettempdir()) / f"paddock-spool-{os.getuid()}"):
            journal = Journal(
                Place(folder, self.place.settings.whole("spool_max_bytes")), head, self._deliver
            )
            try:
                journal.begin()
            except OSError as error:
                refused = error
                continue
            if folder != self.place.spool:
                warn_of(f"the spool cannot be written ({refused}), so run {self.run_id} waits in `{folder}`")
            return journal
        raise Unavailable(
            f"what is logged cannot be kept in `{self.place.spool}`: {os.strerror(refused.errno or 0)}",
            hint="PADDOCK_SPOOL names another folder",
        )

    def _deliver(self, delivery: Delivery) -> None:
        self._own_deliveries().append(delivery)
        process_sender(lend_store).add(delivery)

    def _own_deliveries(self) -> list[Delivery]:
        """Return the deliveries of this process; a forked child begins without any."""
        if os.getpid() != self._process_id:
            self._process_id, self._deliveries, self._raised_count = os.getpid(), [], 0
        return self._deliveries

    def _runs(self) -> RunStore:
        store = unwatched_store()
        if store.destination != self.place.destination:
            raise Unavailable(f"this process is not connected to `{self.place.destination.address}` any more")
        return store.deliveries

    def _settle(self, *, is_patient: bool) -> str:
        """Wait for what was logged so far; return what stands in the way, or nothing."""
        delivery = self._journal.delivery
        if delivery is None:
            return ""
        return self._flush(delivery, self._journal.end, is_patient=is_patient)

    def _wait_for(self, delivery: Delivery) -> str:
        """Wait until a journal that is closed is delivered; return what still waits and why, or nothing."""
        trouble = self._flush(delivery, delivery.tail)
        if not trouble:
            return ""
        is_ours = delivery is self._journal.delivery
        refused_count = sum(len(refusal.records) for refusal in delivery.refusals)
        left_count = self._journal.appended_count - delivery.delivered_count - refused_count
        what = count_of(left_count, "record") if is_ours else "what a child process has logged"
        return f"run {self.run_id} has {what} waiting in `{delivery.folder.path}`: {trouble}"

    def _flush(self, delivery: Delivery, end: int, *, is_patient: bool = True) -> str:
        timeout_s = self.place.settings.real("flush_timeout_s")
        return process_sender(lend_store).flush(delivery, end, timeout_s, is_patient=is_patient)

    def _end_at_once(self, end: End) -> str:
        """End a run whose end found no room in the journal."""
        try:
            self._runs().finish(self.run_id, structs.FinishRun(status=end.status, ended_at=end.at))
        except PaddockError as error:
            return f"run {self.run_id} stays `running`: {error.message}"
        return ""


def _error_of(run_id: str, refusals: Sequence[Refusal]) -> PaddockError:
    """Return the error that a store has answered with; several are told as one, of the class of the first."""
    first = refusals[0]
    problems, message = first.problems, first.message
    if len(refusals) > 1:
        problems = tuple(f"{refusal.what}: {refusal.message}" for refusal in refusals)
        message = (
            f"the store has refused {count_of(len(refusals), 'part')} of what was logged to run {run_id}"
        )
    problem = structs.Problem(
        type="",
        title="",
        status=0,
        code=first.code,
        detail=message,
        hint=first.hint,
        errors=problems,
        request_id="",
    )
    return error_of(problem)
