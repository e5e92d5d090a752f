"""Deleting what nothing refers to. The order, and why it is safe: docs/formats/object-store.md."""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from paddock.governance.marking import Marker, Marks
from paddock.governance.records import FreedObject, GcReport, Progress
from paddock.kernel.clock import Clock
from paddock.kernel.errors import IntegrityError, NotFound
from paddock.metadata import Metadata
from paddock.objects import ObjectInfo, ObjectStore
from paddock.tracking import Leftover, Leftovers

_SHARDS = 256
_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Collector:
    """A store to clean up. min_age: what is younger stays, whatever the rows say."""

    metadata: Metadata
    objects: ObjectStore
    clock: Clock
    principal: str
    folder: Path
    min_age: timedelta
    progress: Progress

    def collect(self, *, deletes: bool) -> GcReport:
        """Find what nothing refers to, and delete it if `deletes`; see `Governance.collect`."""
        with self.objects.hold(deletes=True) if deletes else nullcontext():
            now = self.clock.now()
            rows = Leftovers(self.metadata, self.principal)
            leftovers = self._marker.find_leftovers(rows, now)
            marks = self._marker.mark(leftovers)
            if deletes:
                _demand_known(marks)
                for left in leftovers:
                    rows.purge(left, now)
            return self._sweep(marks, leftovers, deletes=deletes)

    def _sweep(self, marks: Marks, leftovers: tuple[Leftover, ...], *, deletes: bool) -> GcReport:
        total, young, old = _Sum(), _Sum(), []
        for found in self._watch(self.objects.list_objects()):
            total.add(found)
            if found.digest in marks:
                continue
            if found.age_s < self.min_age.total_seconds():
                young.add(found)
            else:
                old.append(found)
        freed = tuple(self._delete(old)) if deletes and old else tuple(old)
        return GcReport(
            is_deleted=deletes,
            object_count=total.count,
            size_bytes=total.size_bytes,
            young_count=young.count,
            young_bytes=young.size_bytes,
            freed=tuple(FreedObject(each.digest, each.size_bytes) for each in freed),
            leftovers=leftovers,
        )

    def _delete(self, old: list[ObjectInfo]) -> Iterator[ObjectInfo]:
        """Delete and yield those that nothing refers to even now, and that nobody has put again since."""
        marks = self._marker.mark(())
        _demand_known(marks)
        for done, found in enumerate(old):
            self.progress("deleting", done, len(old))
            if found.digest not in marks and self._delete_old(found):
                yield found
        self.progress("deleting", len(old), len(old))

    def _delete_old(self, found: ObjectInfo) -> bool:
        try:
            return self.objects.delete(found.digest, min_age_s=self.min_age.total_seconds())
        except NotFound:
            return False  # somebody has removed it by hand

    @property
    def _marker(self) -> Marker:
        return Marker(self.metadata, self.objects, self.clock, self.folder, self.progress)

    def _watch(self, objects: Iterable[ObjectInfo]) -> Iterator[ObjectInfo]:
        """Yield objects, which come by rising digest, and tell how far that is."""
        shard = -1
        for found in objects:
            if int(found.digest[:2], 16) != shard:
                shard = int(found.digest[:2], 16)
                self.progress("objects", shard, _SHARDS)
            yield found
        self.progress("objects", _SHARDS, _SHARDS)


@dataclass(slots=True)
class _Sum:
    count: int = 0
    size_bytes: int = 0

    def add(self, found: ObjectInfo) -> None:
        self.count += 1
        self.size_bytes += found.size_bytes


def _demand_known(marks: Marks) -> None:
    if marks.problems:
        raise IntegrityError(
            f"it cannot be told what must stay, so nothing is deleted: {marks.problems[0]}",
            hint="paddock audit check names everything that is missing; restore it first",
            problems=tuple(marks.problems[:_MOST_PROBLEMS]),
        )
