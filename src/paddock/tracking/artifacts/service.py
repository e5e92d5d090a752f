"""Artifacts: files of runs and logged models, stored once, listed by page."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from paddock.kernel.clock import Clock
from paddock.kernel.errors import Conflict, InvalidInput, NotFound
from paddock.kernel.refs import Actor
from paddock.metadata import Metadata, NewEvent, Reader, Transaction, once_for
from paddock.objects import ObjectInfo, ObjectStore
from paddock.tracking.artifacts import rules, sql
from paddock.tracking.artifacts.listing import entry_of, walk_folder
from paddock.tracking.artifacts.records import (
    ArtifactEntry,
    ArtifactFile,
    ArtifactPage,
    ArtifactTotal,
    Owner,
)

_RUNS = "runs/"


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The artifacts of one project, as one actor sees and writes them.

    owner: `owner_of_run`, `owner_of_model`, or empty. A path names a file or a folder, never both; a folder
    is there as long as a file is in it. Every write may be sent twice.
    """

    metadata: Metadata
    objects: ObjectStore
    clock: Clock
    actor: Actor

    def put(self, owner: str, path: str, body: bytes, *, digest: str = "", key: str = "") -> ArtifactFile:
        """Store `body` as the file `path`; a file of that path is replaced.

        digest: what the bytes must have, DigestMismatch otherwise. key: an idempotency key. Raises BadPath
        for a name that is not allowed, NotFound for a run that is not there, Conflict when `path` is a folder
        or lies in a file.
        """

        def store() -> ObjectInfo:
            return ObjectInfo(self.objects.put(body, digest=digest), len(body), 0.0)

        return self._store(owner, path, store, key)

    def put_file(
        self, owner: str, path: str, source: Path, *, digest: str = "", key: str = ""
    ) -> ArtifactFile:
        """Store the local file `source`, without holding it in memory; otherwise as `put`."""

        def store() -> ObjectInfo:
            found = self.objects.put_file(source, digest=digest)
            return ObjectInfo(found, self.objects.size_bytes(found), 0.0)

        return self._store(owner, path, store, key)

    def put_stream(
        self,
        owner: str,
        path: str,
        chunks: Iterable[bytes],
        *,
        most_bytes: int | None = None,
        digest: str = "",
        key: str = "",
    ) -> ArtifactFile:
        """Store what `chunks` yield, LimitExceeded beyond `most_bytes`; otherwise as `put`."""

        def store() -> ObjectInfo:
            return self.objects.put_stream(chunks, most_bytes=most_bytes, digest=digest)

        return self._store(owner, path, store, key)

    def get(self, owner: str, path: str) -> ArtifactFile:
        """Return what is known of a file, or raise NotFound."""
        found = self.find(owner, path)
        if found is None:
            raise NotFound(f"{name_owner(owner)} has no artifact `{path[:80]}`", owner=owner)
        return found

    def find(self, owner: str, path: str) -> ArtifactFile | None:
        """Return what is known of a file, or None; BadPath for a name that no file can have."""
        holder, name = rules.check_owner(owner), rules.check_path(path)
        return self.metadata.read(lambda reader: sql.find_file(reader, self.actor.project_id, holder, name))

    def read(self, owner: str, path: str) -> bytes:
        """Return the bytes of a file, verified."""
        return self.objects.get(self.get(owner, path).digest)

    def read_chunks(self, file: ArtifactFile, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield a file, or its bytes from `start` up to `stop`, verified as `ObjectStore.read` does it."""
        return self.objects.read(file.digest, start, stop)

    def list_folder(
        self, owner: str, folder: str = "", *, limit: int = 100, cursor: str = ""
    ) -> ArtifactPage:
        """Return a page of the files and folders that lie in `folder` itself; empty when there is none.

        cursor: next_cursor of the page before. Files that come or go meanwhile neither shift nor repeat
        what is listed.
        """

        def query(reader: Reader, span: sql.Span, after: str, count: int) -> tuple[ArtifactEntry, ...]:
            def fetch(behind: str, most: int) -> list[ArtifactFile]:
                return sql.list_files(
                    reader, sql.Span(span.project_id, span.owner, behind, span.before), most
                )

            return walk_folder(fetch, folder, after, count)

        return self._page(owner, folder, limit, cursor, query)

    def list_files(self, owner: str, folder: str = "", *, limit: int = 100, cursor: str = "") -> ArtifactPage:
        """Return a page of all files below `folder`, at any depth."""

        def query(reader: Reader, span: sql.Span, after: str, count: int) -> tuple[ArtifactEntry, ...]:
            rest = sql.Span(span.project_id, span.owner, after, span.before)
            return tuple(entry_of(file) for file in sql.list_files(reader, rest, count))

        return self._page(owner, folder, limit, cursor, query)

    def total(self, owner: str, folder: str = "") -> ArtifactTotal:
        """Return how many files lie below `folder`, and how large they are together."""
        span = self._span(rules.check_owner(owner), rules.check_folder(folder))
        return self.metadata.read(lambda reader: sql.total_files(reader, span))

    def delete(self, owner: str, path: str) -> ArtifactTotal:
        """Delete a file, or a folder with everything below it, and return what that was.

        The bytes stay until `paddock gc` finds that nothing else refers to them. NotFound when there is
        neither a file nor a folder of that name.
        """
        holder, name = rules.check_owner(owner), rules.check_path(path)
        span = self._span(holder, name)
        now = self.clock.now()

        def change(tx: Transaction) -> ArtifactTotal:
            file = sql.find_file(tx, self.actor.project_id, holder, name)
            if file is not None:
                gone = ArtifactTotal(1, file.size_bytes)
                sql.delete_file(tx, self.actor.project_id, holder, name)
            else:
                gone = sql.total_files(tx, span)
                if not gone.file_count:
                    raise NotFound(f"{name_owner(owner)} has no artifact `{path[:80]}`", owner=owner)
                sql.delete_files(tx, span)
            tx.append_event(deletion_event(self.actor, holder, name, gone, now))
            return gone

        return self.metadata.write(change)

    def delete_owner(self, owner: str) -> ArtifactTotal:
        """Delete every file of an owner and return what that was; none is no error."""
        holder = rules.check_owner(owner)
        if not holder:
            raise InvalidInput("files that belong to nothing are deleted by their path")
        span = self._span(holder, "")
        now = self.clock.now()

        def change(tx: Transaction) -> ArtifactTotal:
            gone = sql.total_files(tx, span)
            if gone.file_count:
                sql.delete_files(tx, span)
                tx.append_event(deletion_event(self.actor, holder, "", gone, now))
            return gone

        return self.metadata.write(change)

    def check_target(self, reader: Reader, owner: Owner, path: str) -> None:
        """Raise unless a file may be put there: NotFound without its run, Conflict for a folder."""
        project = self.actor.project_id
        run_id = owner.removeprefix(_RUNS)
        if run_id != owner and not sql.has_run(reader, project, run_id):
            raise NotFound(f"project `{project}` has no run `{run_id[:64]}`", hint="paddock runs list")
        above = sql.find_first_file(reader, project, owner, rules.list_ancestors(path))
        if above is not None:
            raise Conflict(f"`{above.path}` is a file, so nothing can be put into it", path=above.path)
        if sql.list_files(reader, self._span(owner, path), 1):
            raise Conflict(f"`{path}` is a folder, so no file can have its name", path=path)

    def _store(self, owner: str, path: str, store: Callable[[], ObjectInfo], key: str) -> ArtifactFile:
        holder, name = rules.check_owner(owner), rules.check_path(path)
        self.metadata.read(lambda reader: self.check_target(reader, holder, name))  # before bytes are stored
        stored = store()
        file = ArtifactFile(
            holder, name, stored.digest, stored.size_bytes, self.actor.principal, self.clock.now()
        )

        def change(tx: Transaction) -> ArtifactFile:
            self.check_target(tx, holder, name)
            sql.set_file(tx, self.actor.project_id, file)
            return file

        request = ("put_artifact", holder, name, stored.digest)
        return self.metadata.write(change, once=once_for(self.actor, key, request, ArtifactFile))

    def _page(
        self,
        owner: str,
        folder: str,
        limit: int,
        cursor: str,
        query: Callable[[Reader, sql.Span, str, int], tuple[ArtifactEntry, ...]],
    ) -> ArtifactPage:
        rules.check_page_limit(limit)
        span = self._span(rules.check_owner(owner), rules.check_folder(folder))
        after = rules.parse_place(cursor, folder) if cursor else span.after
        found = self.metadata.read(lambda reader: query(reader, span, after, limit + 1))
        page = found[:limit]
        has_more = len(found) > limit
        return ArtifactPage(
            page, rules.format_cursor(page[-1].path, is_folder=page[-1].is_folder) if has_more else ""
        )

    def _span(self, owner: Owner, folder: str) -> sql.Span:
        return sql.Span(self.actor.project_id, owner, *rules.span_of(folder))


def deletion_event(actor: Actor, owner: Owner, path: str, gone: ArtifactTotal, at: datetime) -> NewEvent:
    """Return the event of files that were deleted. path: empty for all of an owner."""
    return NewEvent(
        project_id=actor.project_id,
        principal=actor.principal,
        kind="artifacts.deleted",
        subject=_subject(owner),
        event_time=at,
        data={"path": path, "file_count": gone.file_count, "size_bytes": gone.size_bytes},
    )


def _subject(owner: Owner) -> str:
    kind, _, identity = owner.partition("/")
    return {"runs": f"run:{identity}", "models": f"logged_model:{identity}"}.get(kind, "artifacts")


def name_owner(owner: str) -> str:
    """Return an owner in words, for messages."""
    kind, _, identity = owner.partition("/")
    return {"runs": f"run `{identity}`", "models": f"logged model `{identity}`"}.get(kind, "this project")
