"""Delivering one journal: in order, each batch under a key of its own, so that it counts once."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import msgspec

from paddock.kernel.errors import IntegrityError, NotFound, PaddockError
from paddock.sdk.ports import RunStore
from paddock.sdk.spool.batches import as_batch, describe, is_for_all, is_refusal, take_apart, take_batch
from paddock.sdk.spool.cursor import Cursor
from paddock.sdk.spool.folder import JournalFolder, JournalLock, list_folders
from paddock.sdk.spool.reading import JournalReader, find_tail
from paddock.sdk.spool.records import End, File, Head, Refusal, Stored
from paddock.sdk.spool.segments import SEGMENT_BYTES
from paddock.wire import structs

_WORTH_BYTES = 65_536  # less than that may wait and grow: a batch costs the store the same
_RUN = "the run"  # what is refused when nothing that is logged to it can be taken


class Delivery:
    """A journal on its way to its store, made by whoever holds its lock. One thread delivers it.

    refusals: what was refused since this was made; delivered_count: records the store has taken since then;
    freed_bytes: space given back since then. is_closed: nobody writes to it any more. waits_for: the run that
    this one is below, where that is still in the spool itself.
    """

    def __init__(
        self, folder: JournalFolder, lock: JournalLock, head: Head, tail: Callable[[], int] | None = None
    ) -> None:
        """tail: tells where the journal ends by now; None for one whose process is gone."""
        self.folder = folder
        self.head = head
        self.is_closed = tail is None
        self.refusals: list[Refusal] = []
        self.delivered_count = 0
        self.freed_bytes = 0
        self.waits_for = ""
        self._lock = lock
        self._cursor = Cursor(folder.cursor_path)
        self._may_be_cut = tail is None
        end = find_tail(folder)
        self._reader = JournalReader(folder, tail or (lambda: end))
        self._freed_to = 0

    @property
    def acked(self) -> int:
        """Where that ends which the store has, or has refused."""
        return self._cursor.progress.acked

    @property
    def tail(self) -> int:
        """Where the journal ends by now."""
        return self._reader.tail()

    @property
    def has_run(self) -> bool:
        """Tell whether the store has the run that this is logged to."""
        return self.head.start is None or self._cursor.progress.is_started

    @property
    def is_refused(self) -> bool:
        """Tell whether the store would not take the run itself."""
        return self._cursor.progress.is_refused

    @property
    def is_done(self) -> bool:
        """Tell whether there is nothing to deliver, now that the run is there."""
        return self.has_run and self.acked >= self.tail

    def step(self, runs: RunStore) -> bool:
        """Deliver the next batch; False when there is no further one to be had now, or the run is refused.

        What the store refuses is kept as such and left behind. Raises PaddockError when the store cannot
        take it now; nothing is lost by trying again.
        """
        if self.is_refused or not (self.has_run or self._start(runs)):
            return False
        records = self._next()
        if not records:
            self._cursor.save()
            return False
        end = records[-1].end
        self._cursor.progress = self._cursor.progress._replace(sent=end)
        self._cursor.save()
        self._deliver(runs, records, f"{self.folder.name}-{records[0].start}-{end}")
        return self.tail - end >= _WORTH_BYTES or (self.is_closed and not self.is_done)

    def forgive(self) -> None:
        """Offer a run again that the store has refused; somebody may have mended what was in the way."""
        if self.is_refused:
            self.folder.keep_refusals([each for each in self.folder.list_refusals() if each.what != _RUN])
            self._cursor.progress = self._cursor.progress._replace(is_refused=False)
            self._cursor.save()

    def sync(self) -> None:
        """Let what waits survive the loss of power, too."""
        for path in (*self.folder.path.rglob("*"), self.folder.path, self.folder.path.parent):
            with suppress(FileNotFoundError):
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def leave(self) -> None:
        """Let go of the journal. Removes it when all of it is delivered; what was refused stays."""
        self._cursor.save()
        self._cursor.close()
        if self.is_closed and self.is_done:
            self.folder.remove()
        self._lock.release()

    def _start(self, runs: RunStore) -> bool:
        start = self.head.start
        assert start is not None
        try:
            runs.start(start, key=self.head.start_key)
        except PaddockError as error:
            if not is_refusal(error):
                raise
            self.waits_for = self._find_parent(start, error)
            if not self.waits_for:
                self._refuse_run(error, self.head.start_key)
            return False
        self._cursor.progress = self._cursor.progress._replace(is_started=True)
        self._cursor.save()
        return True

    def _find_parent(self, start: structs.StartRun, error: PaddockError) -> str:
        """Return the run that this one is below, if that is not in the store because it is still here."""
        is_missing = isinstance(error, NotFound) and start.parent_id
        is_here = is_missing and any(list_folders(self.folder.path.parent, start.parent_id))
        return start.parent_id if is_here else ""

    def _next(self) -> Sequence[Stored]:
        """Return the records of the next call: those of the one that was under way, if there was one."""
        sent = self._cursor.progress.sent
        while (end := self._reader.read_from(self.acked, sent)) > self.acked:
            self._skip(end)
        ahead = list(self._reader.ahead)
        return take_batch(ahead, sent) or take_batch(ahead)

    def _skip(self, end: int) -> None:
        """Go on behind bytes that hold no record: damage, or the last write of a process that was killed."""
        if not (end >= self.tail and self._may_be_cut):
            damage = IntegrityError(f"`{self.folder.path}` is damaged from byte {self.acked} to {end}")
            self._refuse(f"{self.folder.name}-{self.acked}-{end}", "damaged bytes", (), damage)
        self._cursor.progress = self._cursor.progress._replace(acked=end)

    def _deliver(self, runs: RunStore, records: Sequence[Stored], key: str) -> None:
        error = self._try(runs, records, key)
        if error is not None and is_for_all(error, records):
            self._refuse_run(error, key)
            return
        refused_count = self._take_apart(runs, records, key, error) if error is not None else 0
        self.delivered_count += len(records) - refused_count
        end = records[-1].end
        self._cursor.progress = self._cursor.progress._replace(acked=end)
        self._reader.forget(end)
        for stored in records:
            if isinstance(stored.record, File):
                self._free(self.folder.file_path(stored.record.kept_as))
        if end - self._freed_to >= SEGMENT_BYTES:
            self._free_before(end)
            self._freed_to = end

    def _try(self, runs: RunStore, records: Sequence[Stored], key: str) -> PaddockError | None:
        """Return why the store refuses these records, None when it has taken them."""
        try:
            self._send(runs, records, key)
        except PaddockError as error:
            if not is_refusal(error):
                raise
            return error
        return None

    def _send(self, runs: RunStore, records: Sequence[Stored], key: str) -> None:
        run_id = self.head.run_id
        match records[0].record:
            case File(path=path, kept_as=kept_as):
                runs.put_artifact(run_id, path, self.folder.file_path(kept_as), key=key)
            case End(status=status, at=at):
                runs.finish(run_id, structs.FinishRun(status=status, ended_at=at), key=key)
            case _:
                batch = as_batch([stored.record for stored in records])
                time.sleep(0)  # whoever waits for the interpreter has it between two pieces of work
                runs.log(run_id, batch, key=key)

    def _take_apart(self, runs: RunStore, records: Sequence[Stored], key: str, refused: PaddockError) -> int:
        """Deliver what can be of a refused batch, part by part; return how many records cannot."""
        count = 0
        parts = take_apart(records)
        for number, part in enumerate(parts):
            error = refused if len(parts) == 1 else self._try(runs, part, f"{key}.{number}")
            if error is not None:
                logged = [stored.record for stored in part]
                bodies = tuple(map(msgspec.msgpack.encode, logged))
                self._refuse(f"{key}.{number}", describe(logged), bodies, error)
                count += len(part)
        return count

    def _refuse_run(self, error: PaddockError, key: str) -> None:
        self._refuse(key, _RUN, (), error)
        self._cursor.progress = self._cursor.progress._replace(is_refused=True)
        self._cursor.save()

    def _refuse(self, key: str, what: str, records: tuple[bytes, ...], error: PaddockError) -> None:
        refusal = Refusal(
            key=key,
            what=what,
            code=error.code,
            message=error.message,
            hint=error.hint,
            problems=error.problems,
            records=records,
        )
        self.folder.add_refusal(refusal)
        self.refusals.append(refusal)

    def _free_before(self, end: int) -> None:
        """Remove the segments that end at `end` or before; the last one may still be written to."""
        for base, after in pairwise(self.folder.list_segments()):
            if after <= end:
                self._free(self.folder.segment_path(base))

    def _free(self, path: Path) -> None:
        with suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            self.freed_bytes += size
