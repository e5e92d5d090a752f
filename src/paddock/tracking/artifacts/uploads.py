"""Files that come in parts, over days and through any server process."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from paddock.kernel.clock import to_micros
from paddock.kernel.digest import Digest
from paddock.kernel.errors import Conflict, IntegrityError, NotFound
from paddock.kernel.ids import new_id
from paddock.metadata import Reader, Transaction, once_for
from paddock.objects import ObjectInfo
from paddock.tracking.artifacts import rules, sql
from paddock.tracking.artifacts.records import ArtifactFile, PartRef, Upload, UploadId, UploadPart
from paddock.tracking.artifacts.service import Artifacts


@dataclass(frozen=True, slots=True)
class ArtifactUploads:
    """Uploads under way: nothing of one is visible before it is complete.

    Each part is stored when it arrives and may be sent again, in any order, to any process. An upload is
    dropped when seven days pass without a part and without its end.
    """

    artifacts: Artifacts

    def create(
        self, owner: str, path: str, *, size_bytes: int = -1, part_count: int = 0, key: str = ""
    ) -> Upload:
        """Begin an upload of the file `path`.

        size_bytes, part_count: what it will have, -1 and 0 when that is not known yet; an upload that turns
        out otherwise cannot be completed. Raises as `Artifacts.put` does for the place.
        """
        holder, name = rules.check_owner(owner), rules.check_path(path)
        rules.check_announced(size_bytes, part_count)
        actor, now = self.artifacts.actor, self.artifacts.clock.now()
        upload = Upload(
            upload_id=UploadId(new_id()),
            owner=holder,
            path=name,
            size_bytes=size_bytes,
            part_count=part_count,
            state="open",
            digest="",
            principal=actor.principal,
            created_at=now,
            expires_at=now + rules.UPLOAD_KEPT,
        )

        def change(tx: Transaction) -> Upload:
            self.artifacts.check_target(tx, holder, name)
            sql.insert_upload(tx, actor.project_id, upload)
            return upload

        request = ("create_upload", owner, path, size_bytes, part_count)
        return self.artifacts.metadata.write(change, once=once_for(actor, key, request, Upload))

    def get(self, upload_id: str) -> Upload:
        """Return an upload, or raise NotFound; one that has expired is gone."""
        now = self.artifacts.clock.now()
        return self.artifacts.metadata.read(lambda reader: self._require(reader, upload_id, now))

    def list_parts(self, upload_id: str) -> tuple[UploadPart, ...]:
        """Return the parts that have arrived, by number; none once the upload is complete."""
        now = self.artifacts.clock.now()

        def query(reader: Reader) -> tuple[UploadPart, ...]:
            return sql.list_parts(reader, self._require(reader, upload_id, now).upload_id)

        return self.artifacts.metadata.read(query)

    def put_part(self, upload_id: str, number: int, body: bytes, *, digest: str = "") -> UploadPart:
        """Store a part; one that is there under this number is replaced.

        number: from 1. digest: what the bytes must have, DigestMismatch otherwise. Raises Conflict when the
        upload is complete already.
        """

        def store() -> ObjectInfo:
            return ObjectInfo(self.artifacts.objects.put(body, digest=digest), len(body), 0.0)

        return self._put_part(upload_id, number, store)

    def put_part_file(self, upload_id: str, number: int, source: Path, *, digest: str = "") -> UploadPart:
        """Store the local file `source` as a part; otherwise as `put_part`."""

        def store() -> ObjectInfo:
            found = self.artifacts.objects.put_file(source, digest=digest)
            return ObjectInfo(found, self.artifacts.objects.size_bytes(found), 0.0)

        return self._put_part(upload_id, number, store)

    def put_part_stream(
        self,
        upload_id: str,
        number: int,
        chunks: Iterable[bytes],
        *,
        most_bytes: int | None = None,
        digest: str = "",
    ) -> UploadPart:
        """Store what `chunks` yield as a part; otherwise as `put_part`."""

        def store() -> ObjectInfo:
            return self.artifacts.objects.put_stream(chunks, most_bytes=most_bytes, digest=digest)

        return self._put_part(upload_id, number, store)

    def complete(self, upload_id: str, parts: Sequence[PartRef] = ()) -> ArtifactFile:
        """Make the file of its parts, and return it; the same call again returns it again.

        parts: what the client says belongs to it, in order; empty for all that has arrived. Raises Conflict
        when parts are missing, named twice, out of order or others than those that arrived, or when a part
        was replaced meanwhile; the upload is then open as before.
        """
        upload = self.get(upload_id)
        if upload.state == "complete":
            return self._completed(upload)
        chosen = rules.choose_parts(upload, self.list_parts(upload_id), parts)
        stored = self.artifacts.objects.put_stream(self._concatenate(chosen))
        actor, now = self.artifacts.actor, self.artifacts.clock.now()
        file = ArtifactFile(
            owner=upload.owner,
            path=upload.path,
            digest=stored.digest,
            size_bytes=stored.size_bytes,
            principal=actor.principal,
            created_at=now,
        )

        def change(tx: Transaction) -> ArtifactFile:
            current = self._require(tx, upload_id, now)
            if current.state == "complete":
                return self._completed(current)  # somebody was faster
            if rules.choose_parts(current, sql.list_parts(tx, current.upload_id), parts) != chosen:
                raise Conflict(f"a part of the upload of `{upload.path}` was replaced", upload_id=upload_id)
            self.artifacts.check_target(tx, file.owner, file.path)
            sql.set_file(tx, actor.project_id, file)
            sql.complete_upload(tx, current.upload_id, file.digest, file.size_bytes)
            sql.delete_parts(tx, upload_id)
            return file

        return self.artifacts.metadata.write(change)

    def abort(self, upload_id: str) -> None:
        """Drop an upload and its parts; one that is complete or gone is left alone."""
        project = self.artifacts.actor.project_id

        def change(tx: Transaction) -> None:
            upload = sql.find_upload(tx, project, upload_id)
            if upload is not None and upload.state == "open":
                sql.delete_parts(tx, upload_id)
                sql.delete_upload(tx, upload_id)

        self.artifacts.metadata.write(change)

    def _put_part(self, upload_id: str, number: int, store: Callable[[], ObjectInfo]) -> UploadPart:
        rules.check_part_number(self._require_open(self.get(upload_id)), number)  # before bytes are stored
        stored = store()
        part = UploadPart(number, stored.digest, stored.size_bytes)
        principal, now = self.artifacts.actor.principal, self.artifacts.clock.now()

        def change(tx: Transaction) -> UploadPart:
            upload = self._require_open(self._require(tx, upload_id, now))
            sql.set_part(tx, upload.upload_id, part, principal, to_micros(now))
            sql.set_expiry(tx, upload.upload_id, to_micros(now + rules.UPLOAD_KEPT))
            return part

        return self.artifacts.metadata.write(change)

    def _concatenate(self, parts: Sequence[UploadPart]) -> Iterator[bytes]:
        for part in parts:
            try:
                yield from self.artifacts.objects.read(part.digest)
            except IntegrityError as error:
                raise IntegrityError(
                    f"part {part.number} is damaged in the store", hint="send it again", number=part.number
                ) from error

    def _completed(self, upload: Upload) -> ArtifactFile:
        """Return the file as this upload has made it, whatever became of the path since."""
        return ArtifactFile(
            owner=upload.owner,
            path=upload.path,
            digest=Digest(upload.digest),
            size_bytes=upload.size_bytes,
            principal=upload.principal,
            created_at=upload.created_at,
        )

    def _require(self, reader: Reader, upload_id: str, now: datetime) -> Upload:
        upload = sql.find_upload(reader, self.artifacts.actor.project_id, upload_id)
        if upload is None or upload.expires_at < now:
            raise NotFound(
                f"there is no upload `{upload_id[:64]}`; one that gets no part for "
                f"{rules.UPLOAD_KEPT.days} days is dropped",
                hint="begin the upload again",
            )
        return upload

    def _require_open(self, upload: Upload) -> Upload:
        if upload.state != "open":
            raise Conflict(f"the upload of `{upload.path}` is complete", upload_id=upload.upload_id)
        return upload
