"""Pipelines: run one, and read what became of it."""

import platform
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

import msgspec

from paddock.kernel.clock import Clock, to_micros
from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import (
    Conflict,
    IdempotencyConflict,
    IntegrityError,
    InvalidInput,
    NotFound,
    PaddockError,
)
from paddock.kernel.ids import new_id
from paddock.kernel.refs import Actor
from paddock.metadata import Json, Metadata, NewEvent, Reader, Transaction
from paddock.objects import ObjectStore
from paddock.pipelines import rules, sql
from paddock.pipelines.attempt import Attempts, StepOutcome
from paddock.pipelines.decorators import AnyPipeline, load_pipeline
from paddock.pipelines.failures import STOPS, explain_end, find_own_place, format_error
from paddock.pipelines.graph import Graph, Node, build_graph, replace_nodes, take_part
from paddock.pipelines.inputs import Inputs
from paddock.pipelines.logs import routed_output
from paddock.pipelines.origin import paddock_sources_digest
from paddock.pipelines.recorder import Batch, Recorder
from paddock.pipelines.records import (
    CacheEntry,
    Output,
    PipelinePage,
    PipelineRun,
    PipelineStatus,
    StepRun,
)
from paddock.pipelines.scheduler import run_graph
from paddock.pipelines.serializers import NoSerializerError
from paddock.pipelines.stored import StoredBodies, StoredSteps
from paddock.pipelines.trees import load_value
from paddock.tracking import installed_packages


@dataclass(frozen=True, slots=True)
class Pipelines:
    """Pipeline runs of one project, made as one actor."""

    metadata: Metadata
    objects: ObjectStore
    clock: Clock
    actor: Actor

    def run(
        self,
        pipeline: AnyPipeline,
        params: Mapping[str, object] | None = None,
        *,
        parallel: int = 2,
        key: str = "",
    ) -> PipelineRun:
        """Run a pipeline and return the run; `output` of it is what the pipeline function returned.

        A failing step is no exception: the run has status `failed` and says why; steps that do not need it
        finish first. The same when the pipeline function itself fails, but an error of Paddock in it is
        raised as it is, after the run was recorded. parallel: steps at the same time. key: a run of this key
        that succeeded is returned as it is; one that did not is run again. Ctrl-C and SystemExit mark the
        run `killed` and go on. Raises InvalidInput for unknown or missing params.
        """
        given = dict(params or {})
        pipeline.check_params(given)
        if parallel < 1:
            raise InvalidInput(f"at least 1 step must run at a time, not {parallel}")
        request = sql.Request(key, _request_digest(pipeline.name, given) if key else "")
        earlier = self._find_earlier(request)
        try:
            graph = build_graph(pipeline.function, given)
        except BaseException as error:
            run = self._end_unplanned(self._start(pipeline.name, given, Graph(), request), error)
            if isinstance(error, (*STOPS, PaddockError)):
                raise
            return run
        if earlier is not None:
            with suppress(NoSerializerError, NotFound, IntegrityError, InvalidInput):
                return replace(earlier, returned=Output(self._load_output_of(graph, earlier)))
        return self._run_graph(graph, self._start(pipeline.name, given, graph, request), parallel)

    def get_run(self, pipeline_run_id: str) -> PipelineRun:
        """Return the run with its steps, or raise NotFound."""

        def query(reader: Reader) -> PipelineRun | None:
            run = sql.find_run(reader, self.actor.project_id, pipeline_run_id)
            if run is None:
                return None
            return replace(run, steps=sql.list_steps(reader, self.actor.project_id, pipeline_run_id))

        found = self.metadata.read(query)
        if found is None:
            raise NotFound(
                f"project `{self.actor.project_id}` has no pipeline run `{pipeline_run_id[:64]}`",
                pipeline_run_id=pipeline_run_id[:64],
            )
        return found

    def list_runs(self, *, pipeline: str = "", limit: int = 50, cursor: str = "") -> PipelinePage:
        """Return a page of runs without their steps, newest first. cursor: next_cursor of the page before."""
        rules.check_page_limit(limit)
        before = rules.parse_cursor(cursor) if cursor else None
        found = self.metadata.read(
            lambda reader: sql.list_runs(reader, self.actor.project_id, pipeline, before, limit + 1)
        )
        page = tuple(found[:limit])
        has_more = len(found) > limit
        last = page[-1] if has_more else None
        return PipelinePage(page, rules.format_cursor(last.started_at, last.pipeline_run_id) if last else "")

    def steps(self, pipeline_run_id: str) -> tuple[StepRun, ...]:
        """Return the step runs of a run by position, or raise NotFound."""
        return self.get_run(pipeline_run_id).steps

    def load_output(self, step_run_id: str) -> object:
        """Return the value a step returned, verified.

        Raises NotFound when it has none in the store, Conflict when this process cannot read its type.
        """
        step = self._get_step(step_run_id)
        if not step.output_digest:
            raise NotFound(
                f"step run `{step_run_id}` (`{step.name}`, {step.state}) has no output in the store"
            )
        try:
            return load_value(step.output_kind, self._bodies().read_body(step.output_digest))
        except NoSerializerError as error:
            raise Conflict(
                f"the output of step run `{step_run_id}` cannot be read here: {error}",
                hint="import the module that defines or registers its type first",
            ) from error

    def read_log(self, step_run_id: str) -> str:
        """Return what a step printed and logged, with the traceback of one that failed; may be empty."""
        step = self._get_step(step_run_id)
        return self._bodies().read_body(step.log_digest).decode() if step.log_digest else ""

    def mark_killed(self, pipeline_run_id: str, *, reason: str) -> PipelineRun:
        """End a run whose process is gone: open steps become failed or skipped; an ended run stays so."""
        self._end(self.get_run(pipeline_run_id), "killed", reason, Batch())
        return self.get_run(pipeline_run_id)

    def _start(
        self, name: str, params: Mapping[str, object], graph: Graph, request: sql.Request
    ) -> PipelineRun:
        now = self.clock.now()
        run_id = new_id()
        steps = tuple(StepRun(new_id(), run_id, call.position, call.name) for call in graph.nodes)
        texts = rules.format_params(params)
        run = PipelineRun(run_id, name, "running", texts, self.actor.principal, now, steps=steps)
        stamp = sql.Stamp(self.actor, to_micros(now))
        event = self._event("pipeline.started", run, now, {"steps": len(steps)})

        def change(tx: Transaction) -> None:
            if request.key:
                self._close_abandoned(tx, request, stamp)
            sql.insert_run(tx, run, request, stamp)
            sql.set_steps(tx, steps, stamp)
            tx.append_event(event)

        self.metadata.write(change)
        return run

    def _close_abandoned(self, tx: Transaction, request: sql.Request, stamp: sql.Stamp) -> None:
        for run, _ in sql.list_runs_of_key(tx, self.actor, request.key):
            if run.status == "running":
                reason = "it did not end; its key was run again"
                sql.end_run(tx, run.pipeline_run_id, "killed", reason, stamp)
                sql.end_open_steps(tx, run.pipeline_run_id, reason, stamp)

    def _run_graph(self, graph: Graph, run: PipelineRun, parallel: int) -> PipelineRun:
        recorder = Recorder(self._write_batch)
        store = StoredSteps(self._bodies(), recorder)
        try:
            attempts = Attempts(store, run.steps, _environment_digest(), self.clock.now)
            with routed_output():
                outcomes = run_graph(
                    graph.nodes, parallel=parallel, run=attempts.run, skip=attempts.skip, keep=graph.kept
                )
            ending = _settle(graph, outcomes)
            self._end(run, ending.status, ending.reason, recorder.close())
        except BaseException as error:  # told to stop, or a fault of the store or of Paddock, not of a step
            with suppress(PaddockError):  # the store may refuse this, too; the first error counts
                self._end(run, *explain_end(error), recorder.close() if isinstance(error, STOPS) else Batch())
            raise
        finally:
            recorder.stop()
        ended = self.get_run(run.pipeline_run_id)
        return replace(ended, returned=ending.returned, cause=ending.cause)

    def _end_unplanned(self, run: PipelineRun, error: BaseException) -> PipelineRun:
        """End a run whose pipeline function raised before there was a graph."""
        status, words = explain_end(error)
        place = find_own_place(error)
        reason = f"the pipeline function failed: {words}" if status == "failed" else words
        self._end(run, status, f"{reason} ({place})" if place else reason, Batch())
        return replace(self.get_run(run.pipeline_run_id), cause=error)

    def _end(self, run: PipelineRun, status: PipelineStatus, reason: str, rest: Batch) -> None:
        now = self.clock.now()
        stamp = sql.Stamp(self.actor, to_micros(now))
        words = rules.clean_text(reason)
        took_s = (now - run.started_at).total_seconds()
        event = self._event("pipeline.finished", run, now, {"status": status, "duration_s": took_s})

        def change(tx: Transaction) -> None:
            _write_rest(tx, rest, stamp)
            if sql.end_run(tx, run.pipeline_run_id, status, words, stamp):
                sql.end_open_steps(tx, run.pipeline_run_id, words, stamp)
                tx.append_event(event)

        self.metadata.write(change)

    def _write_batch(self, batch: Batch) -> None:
        stamp = sql.Stamp(self.actor, to_micros(self.clock.now()))
        self.metadata.write(lambda tx: _write_rest(tx, batch, stamp))

    def _find_earlier(self, request: sql.Request) -> PipelineRun | None:
        """Return the succeeded run of the key; IdempotencyConflict if it asked for something else."""
        if not request.key:
            return None
        for run, digest in self.metadata.read(
            lambda reader: sql.list_runs_of_key(reader, self.actor, request.key)
        ):
            if digest != request.digest:
                raise IdempotencyConflict(
                    f"idempotency key `{request.key[:80]}` was used for another pipeline or other params",
                    hint="use a new key for a new request",
                )
            if run.status == "succeeded":
                return self.get_run(run.pipeline_run_id)
        return None

    def _load_output_of(self, graph: Graph, run: PipelineRun) -> object:
        bodies = self._bodies()

        steps = {step.name: step for step in run.steps}

        def resolve(node: Node) -> object:
            name = graph.nodes[node.position].name
            step = steps.get(name)  # the pipeline may have other steps since
            if step is None or not step.output_digest:
                raise NotFound(f"step `{name}` has no output in the store")
            value = load_value(step.output_kind, bodies.read_body(step.output_digest))
            return take_part(value, node.path)

        return replace_nodes(graph.output, resolve)

    def _get_step(self, step_run_id: str) -> StepRun:
        found = self.metadata.read(lambda reader: sql.find_step(reader, self.actor.project_id, step_run_id))
        if found is None:
            raise NotFound(f"project `{self.actor.project_id}` has no step run `{step_run_id[:64]}`")
        return found

    def _bodies(self) -> StoredBodies:
        return StoredBodies(_Tables(self.metadata, self.actor.project_id), self.objects)

    def _event(self, kind: str, run: PipelineRun, at: datetime, data: Mapping[str, Json]) -> NewEvent:
        return NewEvent(
            project_id=self.actor.project_id,
            principal=self.actor.principal,
            kind=kind,
            subject=f"pipeline_run:{run.pipeline_run_id}",
            event_time=at,
            data={"pipeline": run.pipeline, **data},
        )


def run_pipeline(
    pipelines: Pipelines,
    entry: str | AnyPipeline,
    params: Mapping[str, object] | None = None,
    *,
    parallel: int = 2,
    key: str = "",
) -> PipelineRun:
    """Run the pipeline that `entry` is or names (`package.module:function`)."""
    pipeline = load_pipeline(entry) if isinstance(entry, str) else entry
    return pipelines.run(pipeline, params, parallel=parallel, key=key)


@dataclass(frozen=True, slots=True)
class _Tables:
    metadata: Metadata
    project_id: str

    def find_entries(self, key: str, step: str) -> tuple[CacheEntry | None, CacheEntry | None]:
        def query(reader: Reader) -> tuple[CacheEntry | None, CacheEntry | None]:
            entry = sql.find_entry(reader, self.project_id, key)
            latest = entry or sql.find_latest_entry(reader, self.project_id, step)
            return entry, latest

        return self.metadata.read(query)

    def find_value(self, digest: str) -> bytes | None:
        return self.metadata.read(lambda reader: sql.find_value(reader, self.project_id, digest))


def _write_rest(tx: Transaction, batch: Batch, stamp: sql.Stamp) -> None:
    if batch.values:
        sql.set_values(tx, batch.values, stamp)
    if batch.steps:
        sql.set_steps(tx, tuple(batch.steps.values()), stamp)
    if batch.entries:
        sql.set_entries(tx, tuple(batch.entries.values()), stamp)


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a run ended whose steps have all ended."""

    status: PipelineStatus
    reason: str
    returned: Output | None = None
    cause: BaseException | None = None


def _settle(graph: Graph, outcomes: Sequence[StepOutcome]) -> _Ending:
    status, reason = rules.decide_status(tuple(outcome.step for outcome in outcomes))
    if status != "succeeded":
        return _Ending(status, reason)
    try:
        return _Ending(status, reason, _output(graph, outcomes))
    except Exception as error:  # noqa: BLE001 - the parts of a foreign value are taken by foreign code
        return _Ending("failed", f"its output: {format_error(error)}", cause=error)


def _output(graph: Graph, outcomes: Sequence[StepOutcome]) -> Output:
    def resolve(node: Node) -> object:
        value = outcomes[node.position].value
        assert value is not None  # kept for this
        return take_part(value.take(), node.path)

    return Output(replace_nodes(graph.output, resolve))


def _request_digest(pipeline: str, params: Mapping[str, object]) -> str:
    inputs = Inputs()
    for name in sorted(params):
        inputs.add(name, params[name], {})
    if inputs.problem:
        raise InvalidInput(f"a pipeline run with a key needs params that can be compared: {inputs.problem}")
    return digest_bytes(msgspec.msgpack.encode([pipeline, inputs.digest]))


@cache
def _environment_digest() -> str:
    """Return the address of all that runs below a step's own code in this process."""
    parts = [sys.implementation.name, platform.python_version(), sys.platform, platform.machine()]
    return digest_bytes(msgspec.msgpack.encode([*parts, *installed_packages(), paddock_sources_digest()]))
