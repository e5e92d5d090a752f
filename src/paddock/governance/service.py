"""Backing a store up and checking it, as one actor."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from paddock.governance.backing_up import Source, write_backup
from paddock.governance.checking import check_store
from paddock.governance.collecting import Collector
from paddock.governance.naming import open_rooms
from paddock.governance.records import BackupReport, GcReport, Progress, StoreCheck
from paddock.governance.rules import GRACE, check_min_age, ignore_progress
from paddock.kernel.clock import Clock
from paddock.kernel.refs import Actor
from paddock.metadata import Metadata
from paddock.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Governance:
    """The store as a whole. folder: its local files, gateways among them."""

    metadata: Metadata
    objects: ObjectStore
    clock: Clock
    actor: Actor
    folder: Path

    def backup(self, target: Path, *, progress: Progress = ignore_progress) -> BackupReport:
        """Write the store, all projects of it, to the new or empty folder `target`.

        Writers may go on: every write acknowledged before the call is in the backup. The folder appears
        when all of it is on disk; an error leaves nothing, a killed process only `.NAME.partial`, which
        the next backup to that place clears. The store itself is only read.

        Raises AlreadyExists when something is there, StoreInUse when another process is writing it,
        StorageFull, and IntegrityError, naming it, when ledger, object or prediction log is damaged.
        """
        source = Source(self.metadata, self.objects, self.folder)
        return write_backup(source, target, self.clock.now(), progress)

    def collect(
        self, *, delete: bool = False, min_age: timedelta = GRACE, progress: Progress = ignore_progress
    ) -> GcReport:
        """Find the objects that nothing refers to, in all projects, and with `delete` delete them.

        min_age: an object that was stored or asked for anew within it stays, because its row may be about to
        come; at least an hour. Uploads that have expired, and files whose run was purged, are dropped first.

        Raises InvalidInput for a shorter age, StoreInUse while another process backs up or cleans up, and
        IntegrityError when a model package cannot be read, because then nobody knows which files it needs.
        """
        check_min_age(min_age)
        collector = Collector(
            self.metadata, self.objects, self.clock, self.actor.principal, self.folder, min_age, progress
        )
        return collector.collect(deletes=delete)

    def check(self, *, progress: Progress = ignore_progress) -> StoreCheck:
        """Look at everything there is and return every fault; nothing is changed.

        The ledger's chain and the content of all objects; that each object exists which a row of the
        actor's project names; that each alias points at a version whose package is complete; that the
        configs of gateways can be served; that every frame of the prediction logs can be read.
        """
        rooms = open_rooms(self.metadata, self.objects, self.clock, self.actor)
        return check_store(rooms, self.metadata, self.objects, self.folder, progress)
