"""Logged models: make one, finalize it, log to it, find it again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from paddock.kernel.clock import Clock, from_micros, to_micros
from paddock.kernel.errors import Conflict, InvalidInput, NotFound
from paddock.kernel.ids import new_id
from paddock.kernel.refs import Actor
from paddock.metadata import Json, Metadata, NewEvent, Reader, Transaction, once_for
from paddock.tracking.logged_models import rules, sql
from paddock.tracking.logged_models.points import add_model_points
from paddock.tracking.logged_models.records import (
    LoggedModel,
    LoggedModelPage,
    LoggedModelQuery,
    LoggedModelStatus,
)
from paddock.tracking.logged_models.search import find_models
from paddock.tracking.records import ModelPoint
from paddock.tracking.rules import check_points, parse_experiment_id
from paddock.tracking.sql import experiments, runs
from paddock.tracking.sql.stamps import Stamp

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LoggedModels:
    """Logged models of one project, written as one actor.

    Events `logged_model.created`, `logged_model.finalized` and `logged_model.deleted`.
    """

    metadata: Metadata
    clock: Clock
    actor: Actor

    def create(
        self,
        experiment_id: str,
        *,
        name: str = "",
        model_type: str = "",
        source_run_id: str = "",
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        key: str = "",
    ) -> LoggedModel:
        """Make a pending model and return it. source_run_id: the run that makes it, or empty.

        Raises NotFound for an experiment or a run that is not there, Conflict for a deleted experiment.
        """
        params, tags = params or {}, tags or {}
        rules.check_pairs("param", params)
        rules.check_pairs("tag", tags)
        number = parse_experiment_id(experiment_id)
        model_id = f"m-{new_id()}"
        draft = self._draft(model_id, experiment_id, name, model_type, source_run_id)
        stamp = self._stamp()

        def change(tx: Transaction) -> LoggedModel:
            experiment_no = self._active_experiment(tx, number)
            if source_run_id and runs.find_run(tx, self.actor.project_id, source_run_id) is None:
                raise NotFound(f"Run with id={source_run_id[:64]} not found", run_id=source_run_id[:64])
            sql.insert_model(tx, draft, experiment_no, stamp)
            row = self._require(tx, model_id)
            sql.insert_params(tx, row, params, stamp)
            sql.set_tags(tx, row, tags, stamp)
            tx.append_event(self._event("logged_model.created", draft, stamp, {"run_id": source_run_id}))
            return sql.fill(tx, [row])[0]

        request = ("create_logged_model", experiment_id, name, model_type, source_run_id, params, tags)
        return self._write(change, key, request, LoggedModel)

    def get(self, model_id: str, *, include_deleted: bool = False) -> LoggedModel:
        """Return a model with everything logged to it, or raise NotFound."""

        def query(reader: Reader) -> LoggedModel:
            return sql.fill(reader, [self._require(reader, model_id, include_deleted=include_deleted)])[0]

        return self.metadata.read(query)

    def set_status(self, model_id: str, status: LoggedModelStatus, *, key: str = "") -> LoggedModel:
        """Finalize a model as `ready` or `failed`, or say anew what it is."""
        stamp = self._stamp()

        def change(tx: Transaction) -> LoggedModel:
            row = self._require(tx, model_id)
            if row.model.status != status:
                sql.set_status(tx, row.model_no, status, stamp)
                tx.append_event(self._event("logged_model.finalized", row.model, stamp, {"status": status}))
            return sql.fill(tx, [self._require(tx, model_id)])[0]

        return self._write(change, key, ("set_logged_model_status", model_id, status), LoggedModel)

    def delete(self, model_id: str, *, key: str = "") -> None:
        """Take a model out of searches; deleting it twice is fine."""
        stamp = self._stamp()

        def change(tx: Transaction) -> None:
            row = self._require(tx, model_id, include_deleted=True)
            if row.model.lifecycle == "active":
                sql.set_deleted(tx, row.model_no, stamp)
                tx.append_event(self._event("logged_model.deleted", row.model, stamp, {}))

        self._write(change, key, ("delete_logged_model", model_id), type(None))

    def log_params(self, model_id: str, params: Mapping[str, str], *, key: str = "") -> None:
        """Add parameters. The same value again is fine; another value is a Conflict, and none is stored."""
        rules.check_pairs("param", params)
        stamp = self._stamp()

        def change(tx: Transaction) -> None:
            row = self._require(tx, model_id)
            fresh = rules.new_params(model_id, sql.get_params(tx, row.model_no), params)
            sql.insert_params(tx, row, fresh, stamp)

        self._write(change, key, ("log_logged_model_params", model_id, params), type(None))

    def set_tags(self, model_id: str, tags: Mapping[str, str], *, key: str = "") -> LoggedModel:
        """Set tags and return the model; a tag that exists is overwritten."""
        rules.check_pairs("tag", tags)
        stamp = self._stamp()

        def change(tx: Transaction) -> LoggedModel:
            row = self._require(tx, model_id)
            sql.set_tags(tx, row, tags, stamp)
            return sql.fill(tx, [row])[0]

        return self._write(change, key, ("set_logged_model_tags", model_id, tags), LoggedModel)

    def delete_tag(self, model_id: str, tag: str, *, key: str = "") -> None:
        """Take a tag away; NotFound when the model has none of that key."""

        def change(tx: Transaction) -> None:
            row = self._require(tx, model_id)
            if not sql.delete_tag(tx, row.model_no, tag):
                raise NotFound(f"No tag with key {tag[:80]!r} found for model with ID {model_id!r}.")

        self._write(change, key, ("delete_logged_model_tag", model_id, tag), type(None))

    def log_metrics(self, run_id: str, points: Sequence[ModelPoint], *, key: str = "") -> None:
        """Add points that a run measured of models; `RunBatch.model_points` does so beside its own points."""
        check_points([each.point for each in points])
        stamp = self._stamp()

        def change(tx: Transaction) -> None:
            run = runs.find_run(tx, self.actor.project_id, run_id)
            if run is None:
                raise NotFound(f"Run with id={run_id[:64]} not found", run_id=run_id[:64])
            add_model_points(tx, run.key, points, stamp)

        self._write(change, key, ("log_logged_model_metrics", run_id, points), type(None))

    def search(self, query: LoggedModelQuery) -> LoggedModelPage:
        """Return a page of models that are not deleted; InvalidInput says what is wrong with the query."""
        rules.check_page_limit(query.limit)
        if not query.experiment_ids:
            raise InvalidInput("Missing value for required parameter 'experiment_ids'.")
        if not all(each.dataset_name for each in query.datasets):
            raise InvalidInput("`dataset_name` in the `datasets` clause must be specified.")
        for experiment_id in query.experiment_ids:
            parse_experiment_id(experiment_id)
        return self.metadata.read(lambda reader: find_models(reader, self.actor.project_id, query))

    def _draft(
        self, model_id: str, experiment_id: str, name: str, model_type: str, source_run_id: str
    ) -> LoggedModel:
        now = self.clock.now()
        return LoggedModel(
            model_id=model_id,
            experiment_id=experiment_id,
            name=rules.check_name(name) if name else rules.default_name(model_id),
            model_type=rules.check_type(model_type),
            source_run_id=source_run_id,
            status="pending",
            lifecycle="active",
            artifact_uri="",
            principal=self.actor.principal,
            created_at=now,
            updated_at=now,
        )

    def _active_experiment(self, reader: Reader, experiment_id: int) -> int:
        found = experiments.find_experiment(reader, self.actor.project_id, experiment_id=experiment_id)
        if found is None:
            raise NotFound(f"No Experiment with id={experiment_id} exists")
        number, experiment = found
        if experiment.lifecycle != "active":
            raise Conflict(f"experiment `{experiment.name}` is deleted", hint="restore it first")
        return number

    def _require(self, reader: Reader, model_id: str, *, include_deleted: bool = False) -> sql.ModelRow:
        row = sql.find_model(reader, self.actor.project_id, model_id)
        if row is None or (row.model.lifecycle == "deleted" and not include_deleted):
            raise NotFound(f"Logged model with ID '{model_id[:64]}' not found.", model_id=model_id[:64])
        return row

    def _stamp(self) -> Stamp:
        return Stamp(self.actor, to_micros(self.clock.now()))

    def _write(self, change: Callable[[Transaction], T], key: str, request: object, kind: type[T]) -> T:
        return self.metadata.write(change, once=once_for(self.actor, key, request, kind))

    def _event(self, kind: str, model: LoggedModel, stamp: Stamp, data: Mapping[str, Json]) -> NewEvent:
        return NewEvent(
            project_id=self.actor.project_id,
            principal=self.actor.principal,
            kind=kind,
            subject=f"logged_model:{model.model_id}",
            event_time=from_micros(stamp.at_micros),
            data={"name": model.name, "experiment_id": model.experiment_id, **data},
        )
