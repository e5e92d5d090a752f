"""Changes of many runs at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from paddock.kernel.clock import Clock, to_micros
from paddock.kernel.errors import Conflict, LimitExceeded, NotFound
from paddock.kernel.refs import Actor
from paddock.metadata import Metadata, Reader, Transaction, once_for
from paddock.tracking.batches import check_batch, run_event, write_batch
from paddock.tracking.records import RunBatch
from paddock.tracking.sql import runs
from paddock.tracking.sql.stamps import Stamp

MAX_RUNS = 1_000


@dataclass(frozen=True, slots=True)
class BulkRuns:
    """Writes to many runs of one project, each of them all or nothing, as one actor.

    Every call may be repeated: what has the wanted state already is left alone and not counted. Raises
    NotFound when one of the runs is not there, LimitExceeded for more than 1,000 of them.
    """

    metadata: Metadata
    clock: Clock
    actor: Actor

    def set_tags(self, run_ids: Sequence[str], tags: Mapping[str, str], *, key: str = "") -> int:
        """Set these tags on each run and return how many had others; Conflict when one is deleted."""
        batch = RunBatch(tags=tags)
        check_batch(batch)
        stamp = Stamp(self.actor, to_micros(self.clock.now()))

        def change(tx: Transaction, row: runs.RunRow) -> bool:
            if row.run.lifecycle != "active":
                raise Conflict(f"run `{row.run.run_id}` is deleted", hint="restore it first")
            before = runs.get_tags(tx, row.key.run_no)
            if all(before.get(tag) == value for tag, value in tags.items()):
                return False
            write_batch(tx, row, batch, stamp)
            return True

        return self._change(run_ids, change, key, ("set_tags_of_runs", run_ids, tags))

    def delete(self, run_ids: Sequence[str], *, key: str = "") -> int:
        """Take runs out of lists and counts until they are restored; return how many were in them."""
        return self._set_lifecycle(run_ids, is_deleted=True, key=key)

    def restore(self, run_ids: Sequence[str], *, key: str = "") -> int:
        """Bring deleted runs back and return how many were deleted."""
        return self._set_lifecycle(run_ids, is_deleted=False, key=key)

    def _set_lifecycle(self, run_ids: Sequence[str], *, is_deleted: bool, key: str) -> int:
        now = self.clock.now()

        def change(tx: Transaction, row: runs.RunRow) -> bool:
            if (row.run.lifecycle == "deleted") == is_deleted:
                return False
            self._move(tx, row, now, is_deleted=is_deleted)
            return True

        return self._change(run_ids, change, key, ("set_lifecycle_of_runs", run_ids, is_deleted))

    def _move(self, tx: Transaction, row: runs.RunRow, now: datetime, *, is_deleted: bool) -> None:
        if is_deleted:
            runs.set_lifecycle(tx, row.key.run_no, "deleted", to_micros(now))
        else:
            runs.set_lifecycle(tx, row.key.run_no, "active", None)
        kind = "run.deleted" if is_deleted else "run.restored"
        tx.append_event(run_event(self.actor, kind, row.run, now, {}))

    def _change(
        self,
        run_ids: Sequence[str],
        change: Callable[[Transaction, runs.RunRow], bool],
        key: str,
        request: object,
    ) -> int:
        wanted = tuple(dict.fromkeys(run_ids))
        if len(wanted) > MAX_RUNS:
            raise LimitExceeded(f"{len(wanted):,} runs in one call, at most {MAX_RUNS:,} are taken")

        def change_all(tx: Transaction) -> int:
            return sum(change(tx, row) for row in self._rows(tx, wanted))

        return self.metadata.write(change_all, once=once_for(self.actor, key, request, int))

    def _rows(self, reader: Reader, run_ids: Sequence[str]) -> tuple[runs.RunRow, ...]:
        found = {run_id: runs.find_run(reader, self.actor.project_id, run_id) for run_id in run_ids}
        missing = [run_id[:64] for run_id, row in found.items() if row is None]
        if missing:
            named = ", ".join(f"`{each}`" for each in missing[:3])
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise NotFound(f"project `{self.actor.project_id}` has no run {named}{more}; nothing was changed")
        return tuple(row for row in found.values() if row is not None)
