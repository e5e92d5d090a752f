"""What the rows of runs, artifacts and uploads name in the object store, and what is left over of them.

For whoever keeps the store: over all projects, unlike the services.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from paddock.kernel.clock import to_micros
from paddock.kernel.refs import Actor, ProjectId
from paddock.metadata import Metadata, Reader, Transaction
from paddock.tracking.artifacts import sql
from paddock.tracking.artifacts.records import ArtifactTotal, Leftover, NamedObject
from paddock.tracking.artifacts.service import deletion_event, name_owner

_PAGE = 5_000


def list_named_objects(
    metadata: Metadata, project_id: ProjectId, without: Collection[Leftover] = ()
) -> Iterator[NamedObject]:
    """Yield every object that runs, artifacts and uploads of a project name.

    without: leftovers whose files and parts do not count.
    """
    gone = {(left.project_id, left.upload_id or left.owner) for left in without}
    yield from _list_environments(metadata, project_id)
    for owner, path, digest in _list_files(metadata, project_id):
        if (project_id, owner) not in gone:
            yield NamedObject(name_owner(owner), f"artifact `{path}`", digest)
    for upload_id, part in metadata.read(lambda reader: sql.list_named_parts(reader, project_id)):
        if (project_id, upload_id) not in gone:
            yield NamedObject(f"upload `{upload_id}`", f"part {part.number}", part.digest)


def list_artifact_projects(metadata: Metadata) -> Iterator[ProjectId]:
    """Yield the projects that have artifacts or uploads; they need not have an event."""

    def follow(reader: Reader) -> str:
        return sql.find_next_project(reader, project)

    project = ""
    while project := metadata.read(follow):
        yield ProjectId(project)


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Rows that nobody needs any more, in all projects. principal: who removes them."""

    metadata: Metadata
    principal: str

    def find(self, now: datetime) -> tuple[Leftover, ...]:
        """Return files of runs that are gone and of deleted logged models, and uploads that have expired."""

        def query(reader: Reader) -> tuple[Leftover, ...]:
            return (*sql.list_orphans(reader), *sql.list_expired(reader, to_micros(now)))

        return self.metadata.read(query)

    def purge(self, left: Leftover, now: datetime) -> None:
        """Remove these rows, unless the run is there after all or the upload has got a part meanwhile."""
        actor = Actor(ProjectId(left.project_id), self.principal)

        def change(tx: Transaction) -> None:
            if left.upload_id:
                upload = sql.find_upload(tx, actor.project_id, left.upload_id)
                if upload is not None and upload.expires_at < now:
                    sql.delete_parts(tx, left.upload_id)
                    sql.delete_upload(tx, left.upload_id)
            elif sql.is_owner_gone(tx, left.owner):
                gone = ArtifactTotal(left.file_count, left.size_bytes)
                sql.delete_files(tx, sql.Span(actor.project_id, left.owner))
                tx.append_event(deletion_event(actor, left.owner, "", gone, now))

        self.metadata.write(change)


def _list_files(metadata: Metadata, project_id: ProjectId) -> Iterator[tuple[str, str, str]]:
    """Yield (owner, path, digest) of every file."""

    def follow(reader: Reader) -> list[tuple[str, str, str]]:
        return sql.list_named_files(reader, project_id, after, _PAGE)

    after = ("", "")
    while page := metadata.read(follow):
        yield from page
        after = page[-1][:2]


def _list_environments(metadata: Metadata, project_id: ProjectId) -> Iterator[NamedObject]:
    def follow(reader: Reader) -> list[tuple[str, str]]:
        return sql.list_named_environments(reader, project_id, after, _PAGE)

    after = ""
    while page := metadata.read(follow):
        for run_id, digest in page:
            yield NamedObject(f"run `{run_id}`", "environment", digest)
        after = page[-1][0]
