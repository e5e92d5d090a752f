"""Every digest that rows of a project name, asked from the rooms that wrote them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from paddock.datasets import Datasets
from paddock.evaluation import Evaluation
from paddock.kernel.clock import Clock
from paddock.kernel.digest import parse_digest
from paddock.kernel.errors import Conflict, IntegrityError, InvalidInput, NotFound
from paddock.kernel.refs import Actor
from paddock.metadata import Event, Metadata
from paddock.monitoring import Monitoring
from paddock.objects import ObjectStore
from paddock.pipelines import Pipelines, StepRun
from paddock.registry import Registry
from paddock.serving import Endpoints
from paddock.tracking import (
    Leftover,
    Owner,
    Tracking,
    list_named_objects,
    owner_of_model,
    owner_of_run,
)

CANDIDATE: Final = "candidate"

_PAGE = 200
_ALL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Rooms:
    """The services of one project."""

    datasets: Datasets
    tracking: Tracking
    pipelines: Pipelines
    evaluation: Evaluation
    registry: Registry
    endpoints: Endpoints
    monitoring: Monitoring


class Named(NamedTuple):
    """where: the row that names it; what: what it is to that row. is_package: it names objects itself."""

    where: str
    what: str
    digest: str
    is_package: bool = False


def open_rooms(metadata: Metadata, objects: ObjectStore, clock: Clock, actor: Actor) -> Rooms:
    return Rooms(
        Datasets(metadata, objects, clock, actor),
        Tracking(metadata, objects, clock, actor),
        Pipelines(metadata, objects, clock, actor),
        Evaluation(metadata, objects, clock, actor),
        Registry(metadata, objects, clock, actor),
        Endpoints(metadata, clock, actor),
        Monitoring(metadata, objects, clock, actor),
    )


def list_named(rooms: Rooms, metadata: Metadata, without: Collection[Leftover] = ()) -> Iterator[Named]:
    """Yield what rows name, room by room; the outputs and logs of steps are `find_step_faults`.

    without: files and uploads that do not count.
    """
    # first, because only these rows are ever deleted: what moves from here to another room is seen there
    yield from _of_runs(metadata, rooms.tracking.actor, without)
    yield from _of_datasets(rooms.datasets)
    yield from _of_reports(metadata, rooms.evaluation.actor)
    yield from _of_models(rooms.registry)
    yield from _of_endpoints(rooms.endpoints)
    yield from _of_monitors(rooms.monitoring)


def list_source_runs(registry: Registry) -> Iterator[Owner]:
    """Yield the runs and logged models that registered versions come from: the owners of their files."""
    for summary in registry.list_models():
        for version in registry.list_versions(summary.name):
            if version.run_id:
                yield owner_of_run(version.run_id)
            if version.model_id:
                yield owner_of_model(version.model_id)


def list_candidates(metadata: Metadata, project_id: str) -> Iterator[Named]:
    """Yield the packages that gate reports judge; they need not have been registered, nor be there still."""
    for event in _list_gate_events(metadata, project_id):
        where = f"gate report `{_text(event, 'report_id')}`"
        yield Named(where, CANDIDATE, _text(event, "candidate_digest"), is_package=True)


def list_steps(pipelines: Pipelines) -> Iterator[StepRun]:
    """Yield every step run of the project."""
    cursor = ""
    while True:
        page = pipelines.list_runs(limit=_PAGE, cursor=cursor)
        for run in page.runs:
            yield from pipelines.steps(run.pipeline_run_id)
        cursor = page.next_cursor
        if not cursor:
            return


def find_step_faults(pipelines: Pipelines, objects: ObjectStore, step: StepRun) -> tuple[str, ...]:
    """Return what cannot be read of a step run, in words: small bodies are rows, large ones objects."""
    faults = []
    for what, digest in (("output", step.output_digest), ("log", step.log_digest)):
        if not digest or objects.has(parse_digest(digest)):
            continue
        try:
            if what == "log":
                pipelines.read_log(step.step_run_id)
            else:
                pipelines.load_output(step.step_run_id)
        except (NotFound, IntegrityError, InvalidInput) as error:
            faults.append(f"its {what} cannot be read: {error.message}")
        except Conflict:
            continue  # the bytes are there; only this process has no reader for their type
    return tuple(faults)


def _of_datasets(datasets: Datasets) -> Iterator[Named]:
    for summary in datasets.list_datasets():
        for version in datasets.list_versions(summary.name):
            yield Named(f"dataset `{version.ref}`", "file", version.digest)
            yield Named(f"dataset `{version.ref}`", "profile", version.profile_digest)


def _of_runs(metadata: Metadata, actor: Actor, without: Collection[Leftover]) -> Iterator[Named]:
    """Yield environments, artifacts and parts of uploads; of runs that are deleted, too."""
    for named in list_named_objects(metadata, actor.project_id, without):
        yield Named(named.where, named.what, named.digest)


def _of_reports(metadata: Metadata, actor: Actor) -> Iterator[Named]:
    for event in _list_gate_events(metadata, actor.project_id):
        yield Named(f"gate report `{_text(event, 'report_id')}`", "body", _text(event, "report_digest"))


def _list_gate_events(metadata: Metadata, project_id: str) -> Iterator[Event]:
    """Yield the ledger's word of every gate report: the reports can be listed by model only."""
    position = 0
    while events := metadata.events(project_id, after=position, kind="gate."):
        yield from events
        position = events[-1].position


def _of_models(registry: Registry) -> Iterator[Named]:
    for summary in registry.list_models():
        for version in registry.list_versions(summary.name):
            if version.package_digest:  # a version from elsewhere has none
                yield Named(f"model `{version.ref}`", "package", version.package_digest, is_package=True)


def _of_endpoints(endpoints: Endpoints) -> Iterator[Named]:
    for endpoint in endpoints.list_endpoints():
        revision = endpoints.find_current(endpoint.name)
        for version, digest in sorted(revision.config.packages.items()) if revision else ():
            where = f"endpoint `{endpoint.name}` version {version}"
            yield Named(where, "package", digest, is_package=True)


def _of_monitors(monitoring: Monitoring) -> Iterator[Named]:
    for summary in monitoring.list_monitors():
        for latest in monitoring.list_windows(summary.monitor, limit=_ALL):
            has_more = latest.revision > 1
            revisions = monitoring.list_revisions(summary.monitor, latest.window) if has_more else (latest,)
            for report in revisions:
                where = f"monitor `{report.monitor}` window {report.start:%Y-%m-%d %H:%M} #{report.revision}"
                yield Named(where, "profile", report.profile_digest)


def _text(event: Event, name: str) -> str:
    value = event.data.get(name, "")
    return value if isinstance(value, str) else ""
