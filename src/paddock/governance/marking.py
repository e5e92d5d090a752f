"""Which objects must stay: all that rows of any project, gateways and the evidence of gates refer to."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from paddock.governance.backing_up import list_gateways
from paddock.governance.frozen import FrozenMetadata
from paddock.governance.naming import (
    CANDIDATE,
    Named,
    Rooms,
    list_candidates,
    list_named,
    list_source_runs,
    list_steps,
    open_rooms,
)
from paddock.governance.packages import find_config
from paddock.governance.records import Progress
from paddock.governance.rules import CONFIG_NAMES
from paddock.kernel.clock import Clock
from paddock.kernel.digest import Digest, parse_digest
from paddock.kernel.errors import IntegrityError, InvalidInput, NotFound, StoreTooNew
from paddock.kernel.refs import Actor, ProjectId
from paddock.metadata import Metadata, Reader, list_projects
from paddock.models import parse_manifest
from paddock.objects import ObjectStore
from paddock.tracking import Leftover, Leftovers, Owner, list_artifact_projects


@dataclass(slots=True)
class Marks:
    """What must stay. problems: in words, why it cannot be told what else must."""

    # in binary, which takes less than half of the memory of text
    named: set[bytes] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def __contains__(self, digest: Digest) -> bool:
        return bytes.fromhex(digest) in self.named

    def add(self, digest: str) -> None:
        """Mark an object; what is no digest names none."""
        try:
            self.named.add(bytes.fromhex(parse_digest(digest)))
        except InvalidInput:
            return


@dataclass(frozen=True, slots=True)
class Marker:
    """Reads the rows of all projects. folder: of the store, with its gateways."""

    metadata: Metadata
    objects: ObjectStore
    clock: Clock
    folder: Path
    progress: Progress

    def mark(self, without: Collection[Leftover]) -> Marks:
        """Return what is referred to, from one snapshot. without: rows that do not count, because they go."""

        def query(reader: Reader) -> tuple[Marks, list[Named]]:
            frozen = FrozenMetadata(reader, self.metadata)
            marks, packages = Marks(), []
            for named in self._list_all(reader, frozen, without):
                marks.add(named.digest)
                if named.is_package:
                    packages.append(named)
            return marks, packages

        marks, packages = self.metadata.read(query)
        known: set[str] = set()
        for named in (*packages, *_list_configured(self.folder)):
            if named.digest not in known:
                known.add(named.digest)
                _mark_package(self.objects, named, marks)
        return marks

    def find_leftovers(self, rows: Leftovers, now: datetime) -> tuple[Leftover, ...]:
        """Return rows that may go: of these, files of a run that a registered version comes from stay."""

        def query(reader: Reader) -> set[Owner]:
            frozen = FrozenMetadata(reader, self.metadata)
            rooms = (self._open_rooms(frozen, project) for project in _list_projects(reader, frozen))
            return {owner for each in rooms for owner in list_source_runs(each.registry)}

        found = rows.find(now)
        needed = self.metadata.read(query) if found else set()
        return tuple(left for left in found if left.upload_id or left.owner not in needed)

    def _list_all(
        self, reader: Reader, frozen: FrozenMetadata, without: Collection[Leftover]
    ) -> Iterator[Named]:
        projects = _list_projects(reader, frozen)
        for done, project in enumerate(projects):
            self.progress("rows", done, len(projects))
            yield from _list_project(self._open_rooms(frozen, project), frozen, without)
        self.progress("rows", len(projects), len(projects))

    def _open_rooms(self, frozen: FrozenMetadata, project: ProjectId) -> Rooms:
        return open_rooms(frozen, self.objects, self.clock, Actor(project, ""))


def _list_projects(reader: Reader, frozen: FrozenMetadata) -> list[ProjectId]:
    return sorted({*map(ProjectId, list_projects(reader)), *list_artifact_projects(frozen)})


def _list_project(rooms: Rooms, metadata: Metadata, without: Collection[Leftover]) -> Iterator[Named]:
    yield from list_named(rooms, metadata, without)
    yield from list_candidates(metadata, rooms.registry.actor.project_id)
    for step in list_steps(rooms.pipelines):
        for what, digest in (("output", step.output_digest), ("log", step.log_digest)):
            yield Named(f"step run `{step.step_run_id}`", what, digest)


def _list_configured(folder: Path) -> Iterator[Named]:
    """Yield the packages that gateways on this machine work with, or would go back to."""
    for gateway in list_gateways(folder):
        for name in CONFIG_NAMES:
            config, _ = find_config(gateway / name)
            for digest in sorted(set(config.packages.values())) if config else ():
                yield Named(f"`{name}` of gateway `{gateway.name}`", "package", digest, is_package=True)


def _mark_package(objects: ObjectStore, named: Named, marks: Marks) -> None:
    """Mark a package and its files; without its manifest nobody knows which these are."""
    marks.add(named.digest)
    try:
        manifest = parse_manifest(objects.get(parse_digest(named.digest)))
    except (NotFound, InvalidInput) as error:
        if named.what != CANDIDATE:
            marks.problems.append(f"{named.where}: its package is missing: {error.message}")
        return
    except (IntegrityError, StoreTooNew) as error:
        marks.problems.append(f"{named.where}: its package cannot be read: {error.message}")
        return
    for digest in manifest.files.values():
        marks.add(digest)
