"""Experiments and runs: start one, log to it, end it, find it again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from paddock.kernel.clock import Clock, to_micros
from paddock.kernel.digest import parse_digest
from paddock.kernel.errors import AlreadyExists, Conflict, IntegrityError, NotFound
from paddock.kernel.ids import RunId, new_id, parse_id
from paddock.kernel.names import check_name
from paddock.kernel.refs import Actor, DatasetRef
from paddock.metadata import Json, Metadata, NewEvent, Reader, Transaction, once_for
from paddock.objects import ObjectStore
from paddock.tracking import rules, sql
from paddock.tracking.records import (
    Artifact,
    EnvironmentSnapshot,
    Experiment,
    MetricPoint,
    Run,
    RunInput,
    RunPage,
    RunStatus,
    encode_value,
)

T = TypeVar("T")


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
        key: str = "",
    ) -> Run:
        """Start a run and return it; the experiment comes into being with its first run.

        run_id: chosen by a client that must be able to repeat the call; the same id again returns the
        stored run if experiment, name and parent are the same, else AlreadyExists. Raises NotFound for
        a parent that is not there, InvalidInput for names, params or tags that cannot be stored.
        """
        check_name("experiment", experiment)
        chosen = RunId(parse_id(run_id)) if run_id is not None else RunId(new_id())
        run_name = rules.check_run_name(name) if name else rules.default_run_name(experiment, chosen)
        rules.check_params(params or {})
        rules.check_tags(tags or {})
        now = self.clock.now()
        run = Run(
            run_id=chosen,
            experiment=experiment,
            name=run_name,
            status="running",
            started_at=now,
            ended_at=None,
            parent_id=parse_id(parent_id) if parent_id else "",
            principal=self.actor.principal,
            environment_digest=self._put_environment(environment),
            params=dict(params or {}),
            tags=dict(tags or {}),
        )
        stamp = sql.Stamp(self.actor, to_micros(now))

        def change(tx: Transaction) -> Run:
            if sql.has_run_id(tx, run.run_id):
                return self._same_run(tx, run)
            if run.parent_id:
                self._require_run(tx, run.parent_id)
            sql.ensure_experiment(tx, experiment, stamp)
            sql.insert_run(tx, run, stamp)
            sql.insert_params(tx, run.run_id, run.params, stamp)
            sql.set_tags(tx, run.run_id, run.tags, stamp)
            tx.append_event(self._event("run.started", run, now, {"parent": run.parent_id}))
            return run

        request = ("start_run", experiment, name, params, tags, parent_id, run_id)
        return self.metadata.write(change, once=once_for(self.actor, key, request, Run))

    def log_params(self, run_id: str, params: Mapping[str, str], *, key: str = "") -> None:
        """Add parameters. The same value again is fine; another value is a Conflict, and none is stored."""
        rules.check_params(params)
        stamp = self._stamp()

        def change(tx: Transaction) -> None:
            self._require_run(tx, run_id)
            fresh = rules.new_params(sql.get_params(tx, run_id), params)
            sql.insert_params(tx, run_id, fresh, stamp)

        self._write(change, key, ("log_params", run_id, params))

    def set_tags(self, run_id: str, tags: Mapping[str, str], *, key: str = "") -> None:
        """Set tags; a tag that exists is overwritten."""
        rules.check_tags(tags)
        stamp = self._stamp()

        def change(tx: Transaction) -> None:
            self._require_run(tx, run_id)
            sql.set_tags(tx, run_id, tags, stamp)

        self._write(change, key, ("set_tags", run_id, tags))

    def log_metrics(self, run_id: str, points: Sequence[MetricPoint], *, key: str = "") -> None:
        """Add points in one write. A point equal to a stored one in all its parts is that one."""
        rules.check_points(points)
        latest = rules.latest_points(points)
        stamp = self._stamp()

        def change(tx: Transaction) -> None:
            self._require_run(tx, run_id)
            sql.insert_points(tx, run_id, points, stamp)
            sql.set_latest_metrics(tx, run_id, latest, stamp)

        request = [(p.key, *encode_value(p.value), p.step, p.at) for p in points] if key else ()
        self._write(change, key, ("log_metrics", run_id, request))

    def log_input(self, run_id: str, dataset: DatasetRef, *, role: str = "", key: str = "") -> None:
        """Record that the run read this dataset version. role: a name such as `train`, or empty."""
        used = RunInput(dataset, check_name("role", role) if role else "")
        stamp = self._stamp()

        def change(tx: Transaction) -> None:
            self._require_run(tx, run_id)
            sql.insert_input(tx, run_id, used, stamp)

        self._write(change, key, ("log_input", run_id, dataset, role))

    def log_artifact(self, run_id: str, path: str, body: bytes, *, key: str = "") -> Artifact:
        """Store `body` as the run's file `path`; a file of that path is replaced.

        Raises InvalidInput for a path that is absolute, leaves the run or holds odd characters.
        """
        rules.check_artifact_path(path)
        self.get_status(run_id)  # before the bytes are stored
        return self._link_artifact(run_id, Artifact(path, self.objects.put(body), len(body)), key)

    def log_artifact_file(self, run_id: str, path: str, source: Path, *, key: str = "") -> Artifact:
        """Store the local file `source` as the run's file `path`, without holding it in memory."""
        rules.check_artifact_path(path)
        self.get_status(run_id)
        digest = self.objects.put_file(source)
        return self._link_artifact(run_id, Artifact(path, digest, self.objects.size_bytes(digest)), key)

    def read_artifact(self, run_id: str, path: str) -> bytes:
        """Return a file of the run, verified; NotFound when there is none of that path."""

        def query(reader: Reader) -> Artifact | None:
            self._require_run(reader, run_id)
            return sql.find_artifact(reader, run_id, path)

        artifact = self.metadata.read(query)
        if artifact is None:
            raise NotFound(f"run `{run_id}` has no artifact `{path[:80]}`", run_id=run_id)
        return self.objects.get(artifact.digest)

    def finish_run(self, run_id: str, status: RunStatus = "finished", *, key: str = "") -> Run:
        """End the run. The same end again returns the run unchanged; another end is a Conflict."""
        now = self.clock.now()
        stamp = sql.Stamp(self.actor, to_micros(now))

        def change(tx: Transaction) -> None:
            run = self._require_run(tx, run_id)
            verdict = rules.check_transition(run.status, status)
            if not verdict.allowed:
                raise Conflict(f"run `{run_id}` {verdict.reason}", hint="start a new run", run_id=run_id)
            if verdict.changes:
                sql.end_run(tx, run_id, status, stamp)
                took_s = (now - run.started_at).total_seconds()
                tx.append_event(
                    self._event("run.finished", run, now, {"status": status, "duration_s": took_s})
                )

        self._write(change, key, ("finish_run", run_id, status))
        return self.get_run(run_id)

    def get_run(self, run_id: str) -> Run:
        """Return the run with everything logged to it, or raise NotFound."""
        return self.metadata.read(
            lambda reader: sql.fill_runs(reader, [self._require_run(reader, run_id)])[0]
        )

    def get_status(self, run_id: str) -> RunStatus:
        """Return the run's status, or raise NotFound."""
        return self.metadata.read(lambda reader: self._require_run(reader, run_id).status)

    def search_runs(
        self, *, experiment: str = "", parent_id: str = "", limit: int = 50, cursor: str = ""
    ) -> RunPage:
        """Return a page of runs, newest first.

        cursor: next_cursor of the page before, asked with the same filters. Runs that start meanwhile
        neither shift nor repeat what is listed.
        """
        rules.check_page_limit(limit)
        before = rules.parse_cursor(cursor) if cursor else None
        wanted = sql.RunFilter(self.actor.project_id, experiment, parent_id, before, limit + 1)

        def query(reader: Reader) -> RunPage:
            found = sql.list_runs(reader, wanted)
            page = sql.fill_runs(reader, found[:limit])
            has_more = len(found) > limit
            return RunPage(
                page, rules.format_cursor(page[-1].started_at, page[-1].run_id) if has_more else ""
            )

        return self.metadata.read(query)

    def list_experiments(self) -> tuple[Experiment, ...]:
        """Return the project's experiments, the one with the newest run first."""
        return self.metadata.read(lambda reader: sql.list_experiments(reader, self.actor.project_id))

    def metric_history(self, run_id: str, key: str) -> tuple[MetricPoint, ...]:
        """Return every point of one metric by (step, at); empty when the run has none of that key."""

        def query(reader: Reader) -> tuple[MetricPoint, ...]:
            self._require_run(reader, run_id)
            return sql.list_points(reader, run_id, key)

        return self.metadata.read(query)

    def get_environment(self, digest: str) -> EnvironmentSnapshot:
        """Return the environment a run names by `environment_digest`, verified."""
        body = self.objects.get(parse_digest(digest))
        try:
            return msgspec.json.decode(body, type=EnvironmentSnapshot)
        except msgspec.DecodeError as error:
            raise IntegrityError(f"object `{digest}` is not an environment: {error}") from error

    def _write(self, change: Callable[[Transaction], None], key: str, request: object) -> None:
        self.metadata.write(change, once=once_for(self.actor, key, request, type(None)))

    def _link_artifact(self, run_id: str, artifact: Artifact, key: str) -> Artifact:
        stamp = self._stamp()

        def change(tx: Transaction) -> None:
            self._require_run(tx, run_id)
            sql.set_artifact(tx, run_id, artifact, stamp)

        self._write(change, key, ("log_artifact", run_id, artifact))
        return artifact

    def _put_environment(self, environment: EnvironmentSnapshot | None) -> str:
        if environment is None:
            return ""
        return self.objects.put(msgspec.json.encode(environment, order="deterministic"))

    def _require_run(self, reader: Reader, run_id: str) -> Run:
        run = sql.find_run(reader, self.actor.project_id, run_id)
        if run is None:
            raise NotFound(
                f"project `{self.actor.project_id}` has no run `{run_id[:64]}`", hint="paddock runs list"
            )
        return run

    def _same_run(self, reader: Reader, run: Run) -> Run:
        stored = sql.find_run(reader, self.actor.project_id, run.run_id)
        wanted = (run.experiment, run.name, run.parent_id)
        if stored is None or (stored.experiment, stored.name, stored.parent_id) != wanted:
            raise AlreadyExists(f"run id `{run.run_id}` is taken by another run", run_id=run.run_id)
        return sql.fill_runs(reader, [stored])[0]

    def _stamp(self) -> sql.Stamp:
        return sql.Stamp(self.actor, to_micros(self.clock.now()))

    def _event(self, kind: str, run: Run, at: datetime, data: Mapping[str, Json]) -> NewEvent:
        return NewEvent(
            project_id=self.actor.project_id,
            principal=self.actor.principal,
            kind=kind,
            subject=f"run:{run.run_id}",
            event_time=at,
            data={"experiment": run.experiment, "name": run.name, **data},
        )
