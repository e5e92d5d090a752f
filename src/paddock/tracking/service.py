"""Runs: start one, log to it, end it, find it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from paddock.kernel.clock import Clock, to_micros
from paddock.kernel.digest import parse_digest
from paddock.kernel.errors import AlreadyExists, Conflict, IntegrityError, NotFound
from paddock.kernel.ids import RunId, new_id
from paddock.kernel.names import check_name
from paddock.kernel.refs import Actor, DatasetRef
from paddock.metadata import Json, Metadata, NewEvent, Reader, Transaction, once_for
from paddock.objects import ObjectStore
from paddock.tracking import rules
from paddock.tracking.artifacts.records import ArtifactFile, owner_of_run
from paddock.tracking.artifacts.service import Artifacts
from paddock.tracking.batches import add_batch, check_batch, run_event, run_of, write_batch
from paddock.tracking.points.keeping import read_history
from paddock.tracking.records import (
    Artifact,
    EnvironmentSnapshot,
    MetricPoint,
    Run,
    RunBatch,
    RunDocument,
    RunInput,
    RunPage,
    RunStatus,
)
from paddock.tracking.sql import experiments, runs
from paddock.tracking.sql.stamps import Stamp
from paddock.tracking.summaries import read_summary
from paddock.tracking.summary import OVERSIZE, Summary, encode_summary

if TYPE_CHECKING:
    from paddock.tracking.points.columns import PointColumns

T = TypeVar("T")

MAX_FILES = 1_000


@dataclass(frozen=True, slots=True)
class Tracking:
    """Runs of one project, written as one actor.

    Every write may be sent twice: parameters, points, inputs, artifacts and the end of a run count
    once by what they are, a start counts once by its `key` or its `run_id`.
    """

    metadata: Metadata
    objects: ObjectStore
    clock: Clock
    actor: Actor

    def start_run(
        self,
        *,
        experiment: str,
        name: str = "",
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        parent_id: str = "",
        environment: EnvironmentSnapshot | None = None,
        run_id: RunId | None = None,
        user_name: str = "",
        started_at: datetime | None = None,
        key: str = "",
    ) -> Run:
        """Start a run and return it; the experiment comes into being with its first run.

        run_id: chosen by a client that must be able to repeat the call; the same id again returns the
        stored run if experiment, name and parent are the same, else AlreadyExists. started_at: now, unless
        it is told late. Raises NotFound for a parent that is not there, InvalidInput for names, params or
        tags that cannot be stored, Conflict for an experiment that is deleted.
        """
        rules.check_experiment_name(experiment)
        chosen = rules.parse_run_id(run_id) if run_id is not None else RunId(new_id())
        run_name = rules.check_run_name(name) if name else rules.default_run_name(experiment, chosen)
        batch = RunBatch(params=dict(params or {}), tags=dict(tags or {}))
        check_batch(batch)
        now = self.clock.now()
        run = Run(
            run_id=chosen,
            experiment=experiment,
            name=run_name,
            status="running",
            started_at=started_at or now,
            ended_at=None,
            parent_id=rules.parse_run_id(parent_id) if parent_id else "",
            principal=self.actor.principal,
            environment_digest=self._put_environment(environment),
            user_name=user_name or self.actor.principal,
        )
        stamp = Stamp(self.actor, to_micros(now))

        def change(tx: Transaction) -> Run:
            if runs.has_run_id(tx, run.run_id):
                return self._same_run(tx, run)
            if run.parent_id:
                self._require_run(tx, run.parent_id)
            number, experiment_id, lifecycle = experiments.ensure_experiment(tx, experiment, stamp)
            if lifecycle != "active":
                raise Conflict(
                    f"experiment `{experiment}` is deleted", hint="restore it, or use another name"
                )
            started = replace(run, experiment_id=str(experiment_id))
            run_key = runs.insert_run(tx, started, number, stamp)
            row = runs.RunRow(run_key, started, "")
            summary = add_batch(tx, row, Summary(), batch, stamp)
            runs.set_summary(tx, run_key.run_no, encode_summary(summary))
            tx.append_event(self._event("run.started", run, now, {"parent": run.parent_id}))
            return run_of(started, summary)

        request = ("start_run", experiment, name, params, tags, parent_id, run_id, started_at)
        return self.metadata.write(change, once=once_for(self.actor, key, request, Run))

    def log_batch(self, run_id: str, batch: RunBatch, *, key: str = "") -> None:
        """Add all of a batch in one write, or nothing.

        A point, parameter or input that is there already is that one; a tag is overwritten; another value
        for a parameter is a Conflict. Raises NotFound for an unknown run, Conflict for a deleted one.
        """
        check_batch(batch)
        stamp = self._stamp()

        def change(tx: Transaction) -> None:
            write_batch(tx, self._require_active(tx, run_id), batch, stamp)

        self._write(change, key, ("log_batch", run_id, batch) if key else ())

    def log_params(self, run_id: str, params: Mapping[str, str], *, key: str = "") -> None:
        """Add parameters. The same value again is fine; another value is a Conflict, and none is stored."""
        self.log_batch(run_id, RunBatch(params=params), key=key)

    def set_tags(self, run_id: str, tags: Mapping[str, str], *, key: str = "") -> None:
        """Set tags; a tag that exists is overwritten."""
        self.log_batch(run_id, RunBatch(tags=tags), key=key)

    def log_metrics(self, run_id: str, points: Sequence[MetricPoint], *, key: str = "") -> None:
        """Add points in one write. A point equal to a stored one in all its parts is that one."""
        self.log_batch(run_id, RunBatch(points=points), key=key)

    def log_input(self, run_id: str, dataset: DatasetRef, *, role: str = "", key: str = "") -> None:
        """Record that the run read this dataset version. role: a name such as `train`, or empty."""
        used = RunInput(dataset, check_name("role", role) if role else "")
        self.log_batch(run_id, RunBatch(inputs=(used,)), key=key)

    def delete_tag(self, run_id: str, tag: str, *, key: str = "") -> None:
        """Take a tag away; NotFound when the run has none of that key."""

        def change(tx: Transaction) -> None:
            row = self._require_active(tx, run_id)
            if not runs.delete_tag(tx, row.key.run_no, tag):
                raise NotFound(f"run `{run_id}` has no tag `{tag[:80]}`", run_id=run_id)
            summary = read_summary(tx, replace(row, summary="") if row.summary == OVERSIZE else row)
            runs.set_summary(tx, row.key.run_no, encode_summary(summary.without_tag(tag)))

        self._write(change, key, ("delete_tag", run_id, tag))

    def log_artifact(self, run_id: str, path: str, body: bytes, *, key: str = "") -> Artifact:
        """Store `body` as the run's file `path`, in the place of one of that path; as `Artifacts.put`."""
        return _artifact(self._artifacts.put(owner_of_run(run_id), path, body, key=key))

    def log_artifact_file(self, run_id: str, path: str, source: Path, *, key: str = "") -> Artifact:
        """Store the local file `source` as the run's file `path`, without holding it in memory."""
        return _artifact(self._artifacts.put_file(owner_of_run(run_id), path, source, key=key))

    def read_artifact(self, run_id: str, path: str) -> bytes:
        """Return a file of the run, verified; NotFound when there is none of that path."""
        self.get_status(run_id)
        return self._artifacts.read(owner_of_run(run_id), path)

    def finish_run(
        self, run_id: str, status: RunStatus = "finished", *, ended_at: datetime | None = None, key: str = ""
    ) -> Run:
        """End the run. The same end again returns the run unchanged; another end is a Conflict.

        ended_at: now, unless it is told late.
        """
        now = self.clock.now()
        at = ended_at or now

        def change(tx: Transaction) -> None:
            row = self._require_active(tx, run_id)
            verdict = rules.check_transition(row.run.status, status)
            if not verdict.allowed:
                raise Conflict(f"run `{run_id}` {verdict.reason}", hint="start a new run", run_id=run_id)
            if verdict.changes:
                self._end(tx, row, status, at)

        self._write(change, key, ("finish_run", run_id, status, ended_at))
        return self.get_run(run_id)

    def update_run(
        self,
        run_id: str,
        *,
        name: str = "",
        status: RunStatus | None = None,
        ended_at: datetime | None = None,
        key: str = "",
    ) -> Run:
        """Rename a run or set its status, whatever it was: an ended one may run again.

        For clients that go on with a run they have ended; `finish_run` guards what others rely on.
        """
        now = self.clock.now()
        if name:
            rules.check_run_name(name)

        def change(tx: Transaction) -> None:
            row = self._require_active(tx, run_id)
            if name and name != row.run.name:
                runs.set_name(tx, row.key.run_no, name)
            if status is None or (status == row.run.status and ended_at is None):
                return
            if status in rules.OPEN_STATUSES:
                runs.set_status(tx, row.key.run_no, status, None)
            else:
                self._end(tx, row, status, ended_at or now)

        self._write(change, key, ("update_run", run_id, name, status, ended_at))
        return self.get_run(run_id)

    def delete_run(self, run_id: str, *, key: str = "") -> None:
        """Take a run out of lists and counts until it is restored. Deleting it twice is fine."""
        self._set_lifecycle(run_id, is_deleted=True, key=key)

    def restore_run(self, run_id: str, *, key: str = "") -> None:
        """Bring a deleted run back. Restoring one that is not deleted is fine."""
        self._set_lifecycle(run_id, is_deleted=False, key=key)

    def get_run(self, run_id: str) -> Run:
        """Return the run with everything logged to it, deleted or not, or raise NotFound.

        Of its files the first 1,000 by path; `Artifacts` lists them all.
        """

        def query(reader: Reader) -> Run:
            row = self._require_run(reader, run_id)
            return run_of(row.run, read_summary(reader, row))

        run = self.metadata.read(query)
        files = self._artifacts.list_files(owner_of_run(run_id), limit=MAX_FILES).entries
        listed = tuple(Artifact(file.path, parse_digest(file.digest), file.size_bytes) for file in files)
        return replace(run, artifacts=listed)

    def get_document(self, run_id: str) -> RunDocument:
        """Return the run with what was logged to it as JSON, ready to be sent."""

        def query(reader: Reader) -> RunDocument:
            row = self._require_run(reader, run_id)
            if row.summary not in ("", OVERSIZE):
                return RunDocument(row.run, row.summary)
            return RunDocument(row.run, msgspec.json.encode(read_summary(reader, row)).decode())

        return self.metadata.read(query)

    def get_status(self, run_id: str) -> RunStatus:
        """Return the run's status, or raise NotFound."""
        return self.metadata.read(lambda reader: self._require_run(reader, run_id).run.status)

    def search_runs(
        self, *, experiment: str = "", parent_id: str = "", limit: int = 50, cursor: str = ""
    ) -> RunPage:
        """Return a page of runs, newest first.

        cursor: next_cursor of the page before, asked with the same filters. Runs that start meanwhile
        neither shift nor repeat what is listed.
        """
        rules.check_page_limit(limit)
        before = rules.parse_cursor(cursor) if cursor else None

        def query(reader: Reader) -> RunPage:
            found = runs.list_runs(reader, self.actor.project_id, experiment, parent_id, before, limit + 1)
            page = tuple(run_of(row.run, read_summary(reader, row)) for row in found[:limit])
            has_more = len(found) > limit
            return RunPage(
                page, rules.format_cursor(page[-1].started_at, page[-1].run_id) if has_more else ""
            )

        return self.metadata.read(query)

    def metric_history(self, run_id: str, key: str) -> tuple[MetricPoint, ...]:
        """Return every point of one metric by (step, at, value); empty when the run has none of that key."""
        found = self.metric_columns(run_id, key)
        rows = zip(found.values.tolist(), found.steps.tolist(), found.at_micros.tolist(), strict=True)
        return tuple(MetricPoint(key, value, step, at) for value, step, at in rows)

    def metric_columns(self, run_id: str, key: str) -> PointColumns:
        """Return every point of one metric as columns, by (step, at, value)."""
        return self.metadata.read(
            lambda reader: read_history(reader, self._require_run(reader, run_id).key.run_no, key)
        )

    def metric_sample(
        self,
        run_id: str,
        key: str,
        *,
        bucket_count: int,
        by_time: bool = False,
        steps: tuple[int, int] | None = None,
    ) -> PointColumns:
        """Return at most four points of each of `bucket_count` parts of the x axis, that draw the same curve.

        They are the first, the smallest, the largest and the last of each part; x is the step or the time.
        steps: the first and the last one to look at, all when None.
        """
        from paddock.tracking.points.sampling import sample_extremes

        found = self.metric_columns(run_id, key)
        if steps is not None:
            found = found.take((found.steps >= steps[0]) & (found.steps <= steps[1]))
        return sample_extremes(found.by_time() if by_time else found, bucket_count, by_time=by_time)

    def get_environment(self, digest: str) -> EnvironmentSnapshot:
        """Return the environment a run names by `environment_digest`, verified."""
        body = self.objects.get(parse_digest(digest))
        try:
            return msgspec.json.decode(body, type=EnvironmentSnapshot)
        except msgspec.DecodeError as error:
            raise IntegrityError(f"object `{digest}` is not an environment: {error}") from error

    def _write(self, change: Callable[[Transaction], None], key: str, request: object) -> None:
        self.metadata.write(change, once=once_for(self.actor, key, request, type(None)))

    def _end(self, tx: Transaction, row: runs.RunRow, status: RunStatus, at: datetime) -> None:
        runs.set_status(tx, row.key.run_no, status, to_micros(at))
        took_s = (at - row.run.started_at).total_seconds()
        tx.append_event(self._event("run.finished", row.run, at, {"status": status, "duration_s": took_s}))

    def _set_lifecycle(self, run_id: str, *, is_deleted: bool, key: str) -> None:
        now = self.clock.now()

        def change(tx: Transaction) -> None:
            row = self._require_run(tx, run_id)
            if (row.run.lifecycle == "deleted") == is_deleted:
                return
            runs.set_lifecycle(
                tx,
                row.key.run_no,
                "deleted" if is_deleted else "active",
                to_micros(now) if is_deleted else None,
            )
            tx.append_event(self._event("run.deleted" if is_deleted else "run.restored", row.run, now, {}))

        self._write(change, key, ("set_lifecycle", run_id, is_deleted))

    @property
    def _artifacts(self) -> Artifacts:
        return Artifacts(self.metadata, self.objects, self.clock, self.actor)

    def _put_environment(self, environment: EnvironmentSnapshot | None) -> str:
        if environment is None:
            return ""
        return self.objects.put(msgspec.json.encode(environment, order="deterministic"))

    def _require_run(self, reader: Reader, run_id: str) -> runs.RunRow:
        row = runs.find_run(reader, self.actor.project_id, run_id)
        if row is None:
            raise NotFound(
                f"project `{self.actor.project_id}` has no run `{run_id[:64]}`", hint="paddock runs list"
            )
        return row

    def _require_active(self, reader: Reader, run_id: str) -> runs.RunRow:
        row = self._require_run(reader, run_id)
        if row.run.lifecycle != "active":
            raise Conflict(f"run `{run_id}` is deleted", hint=f"paddock runs restore {run_id}", run_id=run_id)
        return row

    def _same_run(self, reader: Reader, run: Run) -> Run:
        row = runs.find_run(reader, self.actor.project_id, run.run_id)
        wanted = (run.experiment, run.name, run.parent_id)
        if row is None or (row.run.experiment, row.run.name, row.run.parent_id) != wanted:
            raise AlreadyExists(f"run id `{run.run_id}` is taken by another run", run_id=run.run_id)
        return run_of(row.run, read_summary(reader, row))

    def _stamp(self) -> Stamp:
        return Stamp(self.actor, to_micros(self.clock.now()))

    def _event(self, kind: str, run: Run, at: datetime, data: Mapping[str, Json]) -> NewEvent:
        return run_event(self.actor, kind, run, at, data)


def _artifact(file: ArtifactFile) -> Artifact:
    return Artifact(file.path, file.digest, file.size_bytes)
