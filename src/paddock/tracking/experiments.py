"""Experiments: names under which runs stand together, which can be renamed, tagged, deleted and restored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from paddock.kernel.clock import Clock, to_micros
from paddock.kernel.errors import AlreadyExists, Conflict, NotFound
from paddock.kernel.refs import Actor
from paddock.metadata import Json, Metadata, NewEvent, Reader, Transaction, once_for
from paddock.tracking import rules
from paddock.tracking.records import DEFAULT_EXPERIMENT, Experiment
from paddock.tracking.sql import experiments as sql
from paddock.tracking.sql import runs
from paddock.tracking.sql.stamps import Stamp

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Experiments:
    """Experiments of one project, written as one actor. An id is a whole number as text."""

    metadata: Metadata
    clock: Clock
    actor: Actor

    def create(
        self, name: str, *, artifact_location: str = "", tags: Mapping[str, str] | None = None, key: str = ""
    ) -> Experiment:
        """Make an experiment; AlreadyExists for a name that is taken, by a deleted one as well.

        artifact_location: where clients keep the files of its runs themselves; the server never opens it.
        """
        rules.check_experiment_name(name)
        rules.check_experiment_tags(tags or {})
        rules.check_location(artifact_location)
        stamp, now = self._stamp()

        def change(tx: Transaction) -> Experiment:
            taken = sql.find_experiment(tx, self.actor.project_id, name=name)
            if taken is not None:
                state = " in deleted state" if taken[1].lifecycle == "deleted" else ""
                raise AlreadyExists(f"Experiment '{name}' already exists{state}", experiment=name)
            sql.insert_experiment(tx, name, artifact_location, stamp)
            number, _ = self._require(tx, name=name)
            sql.set_tags(tx, number, tags or {}, stamp)
            made = self._require(tx, name=name)[1]
            tx.append_event(self._event("experiment.created", made, now, {}))
            return made

        request = ("create_experiment", name, artifact_location, tags)
        return self.metadata.write(change, once=once_for(self.actor, key, request, Experiment))

    def ensure_default(self) -> None:
        """Make the experiment `Default` with id 0 if there is none; called twice it is one."""
        if self.metadata.read(lambda reader: self._find_default(reader)):
            return
        stamp, _ = self._stamp()
        self.metadata.write(lambda tx: sql.ensure_experiment(tx, DEFAULT_EXPERIMENT, stamp))

    def get(self, experiment_id: str) -> Experiment:
        """Return the experiment with its tags, deleted or not, or raise NotFound."""
        return self.metadata.read(lambda reader: self._require(reader, experiment_id=experiment_id)[1])

    def find_by_name(self, name: str) -> Experiment | None:
        """Return the experiment of that name, deleted or not."""

        def query(reader: Reader) -> Experiment | None:
            found = sql.find_experiment(reader, self.actor.project_id, name=name)
            return None if found is None else found[1]

        return self.metadata.read(query)

    def list(self) -> tuple[Experiment, ...]:
        """Return the active experiments with the count of their runs, the one with the newest run first."""
        return self.metadata.read(lambda reader: sql.list_experiments(reader, self.actor.project_id))

    def list_projects(self) -> tuple[str, ...]:
        """Return every project of the store that has an experiment, by name."""
        return self.metadata.read(sql.list_projects)

    def rename(self, experiment_id: str, name: str, *, key: str = "") -> Experiment:
        """Give an active experiment another name; AlreadyExists for one that is taken."""
        rules.check_experiment_name(name)
        stamp, now = self._stamp()

        def change(tx: Transaction) -> Experiment:
            number, found = self._require_active(tx, experiment_id)
            if found.name != name:
                if sql.find_experiment(tx, self.actor.project_id, name=name) is not None:
                    raise AlreadyExists(f"Experiment '{name}' already exists", experiment=name)
                sql.set_name(tx, number, name, stamp)
                tx.append_event(self._event("experiment.renamed", found, now, {"to": name}))
            return self._require(tx, experiment_id=experiment_id)[1]

        return self._write(change, key, ("rename_experiment", experiment_id, name), Experiment)

    def delete(self, experiment_id: str, *, key: str = "") -> None:
        """Take an experiment and its active runs out of lists until it is restored."""
        stamp, now = self._stamp()

        def change(tx: Transaction) -> None:
            number, found = self._require_active(tx, experiment_id)
            sql.set_lifecycle(tx, number, "deleted", stamp)
            runs.delete_runs_of(tx, number, stamp.at_micros)
            tx.append_event(self._event("experiment.deleted", found, now, {}))

        self._write(change, key, ("delete_experiment", experiment_id), type(None))

    def restore(self, experiment_id: str, *, key: str = "") -> None:
        """Bring a deleted experiment back, and the runs that were deleted with it."""
        stamp, now = self._stamp()

        def change(tx: Transaction) -> None:
            number, found = self._require(tx, experiment_id=experiment_id)
            if found.lifecycle == "active":
                raise Conflict(f"experiment `{found.name}` is not deleted", experiment=found.name)
            runs.restore_runs_of(tx, number, to_micros(found.updated_at))
            sql.set_lifecycle(tx, number, "active", stamp)
            tx.append_event(self._event("experiment.restored", found, now, {}))

        self._write(change, key, ("restore_experiment", experiment_id), type(None))

    def set_tags(self, experiment_id: str, tags: Mapping[str, str], *, key: str = "") -> None:
        """Set tags; one that exists is overwritten."""
        rules.check_experiment_tags(tags)
        stamp, _ = self._stamp()

        def change(tx: Transaction) -> None:
            number, _ = self._require_active(tx, experiment_id)
            sql.set_tags(tx, number, tags, stamp)
            sql.touch(tx, number, stamp)

        self._write(change, key, ("set_experiment_tags", experiment_id, tags), type(None))

    def delete_tag(self, experiment_id: str, tag: str, *, key: str = "") -> None:
        """Take a tag away; NotFound when there is none of that key."""
        stamp, _ = self._stamp()

        def change(tx: Transaction) -> None:
            number, found = self._require_active(tx, experiment_id)
            if not sql.delete_tag(tx, number, tag):
                raise NotFound(f"experiment `{found.name}` has no tag `{tag[:80]}`")
            sql.touch(tx, number, stamp)

        self._write(change, key, ("delete_experiment_tag", experiment_id, tag), type(None))

    def _write(self, change: Callable[[Transaction], T], key: str, request: object, kind: type[T]) -> T:
        return self.metadata.write(change, once=once_for(self.actor, key, request, kind))

    def _find_default(self, reader: Reader) -> bool:
        return sql.find_experiment_key(reader, self.actor.project_id, DEFAULT_EXPERIMENT) is not None

    def _require(self, reader: Reader, *, experiment_id: str = "", name: str = "") -> tuple[int, Experiment]:
        number = None if name else rules.parse_experiment_id(experiment_id)
        found = sql.find_experiment(reader, self.actor.project_id, experiment_id=number, name=name)
        if found is None:
            wanted = f"named `{name[:80]}`" if name else f"with id `{experiment_id[:40]}`"
            raise NotFound(f"project `{self.actor.project_id}` has no experiment {wanted}")
        return found

    def _require_active(self, reader: Reader, experiment_id: str) -> tuple[int, Experiment]:
        number, found = self._require(reader, experiment_id=experiment_id)
        if found.lifecycle != "active":
            raise Conflict(
                f"experiment `{found.name}` is deleted", hint="restore it first", experiment=found.name
            )
        return number, found

    def _stamp(self) -> tuple[Stamp, datetime]:
        now = self.clock.now()
        return Stamp(self.actor, to_micros(now)), now

    def _event(self, kind: str, experiment: Experiment, at: datetime, data: Mapping[str, Json]) -> NewEvent:
        return NewEvent(
            project_id=self.actor.project_id,
            principal=self.actor.principal,
            kind=kind,
            subject=f"experiment:{experiment.experiment_id}",
            event_time=at,
            data={"name": experiment.name, **data},
        )
