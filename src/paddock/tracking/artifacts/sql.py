"""Statements on artifacts and uploads, the same for both engines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from paddock.kernel.clock import from_micros, to_micros
from paddock.kernel.digest import Digest
from paddock.kernel.refs import ProjectId
from paddock.metadata import Reader, Row, Transaction
from paddock.tracking.artifacts.records import (
    ArtifactFile,
    ArtifactTotal,
    Leftover,
    Owner,
    Upload,
    UploadId,
    UploadPart,
    UploadState,
)

_FILE = "owner, path, digest, size_bytes, principal, created_at"
_UPLOAD = "upload_id, owner, path, size_bytes, part_count, state, digest, principal, created_at, expires_at"


@dataclass(frozen=True, slots=True)
class Span:
    """The files of one owner whose path lies after `after` and before `before`; empty is no bound."""

    project_id: ProjectId
    owner: Owner
    after: str = ""
    before: str = ""

    def params(self) -> dict[str, str]:
        bounds = {"project_id": self.project_id, "owner": self.owner, "after": self.after}
        return {**bounds, "before": self.before} if self.before else bounds

    def where(self) -> str:
        """Return the condition on `artifacts` that `params` fill."""
        condition = "project_id = :project_id AND owner = :owner AND path > :after"
        return f"{condition} AND path < :before" if self.before else condition


def has_run(reader: Reader, project_id: ProjectId, run_id: str) -> bool:
    """Say whether the project has a run of this id, deleted ones included."""
    row = reader.fetch_one(
        "SELECT 1 AS one FROM runs WHERE run_id = :run_id AND project_id = :project_id",
        {"run_id": run_id, "project_id": project_id},
    )
    return row is not None


def set_file(tx: Transaction, project_id: ProjectId, file: ArtifactFile) -> None:
    tx.execute(
        """
        INSERT INTO artifacts (project_id, owner, path, digest, size_bytes, principal, created_at)
        VALUES (:project_id, :owner, :path, :digest, :size_bytes, :principal, :created_at)
        ON CONFLICT (project_id, owner, path) DO UPDATE SET
          digest = excluded.digest, size_bytes = excluded.size_bytes,
          principal = excluded.principal, created_at = excluded.created_at
        """,
        {
            "project_id": project_id,
            "owner": file.owner,
            "path": file.path,
            "digest": file.digest,
            "size_bytes": file.size_bytes,
            "principal": file.principal,
            "created_at": to_micros(file.created_at),
        },
    )


def find_file(reader: Reader, project_id: ProjectId, owner: Owner, path: str) -> ArtifactFile | None:
    row = reader.fetch_one(
        f"SELECT {_FILE} FROM artifacts"  # noqa: S608 - own names
        " WHERE project_id = :project_id AND owner = :owner AND path = :path",
        {"project_id": project_id, "owner": owner, "path": path},
    )
    return None if row is None else _file(row)


def find_first_file(
    reader: Reader, project_id: ProjectId, owner: Owner, paths: Sequence[str]
) -> ArtifactFile | None:
    """Return one of the files that are named so, or None."""
    names = {f"path_{number}": path for number, path in enumerate(paths)}
    if not names:
        return None
    places = ", ".join(f":{name}" for name in names)
    row = reader.fetch_one(
        f"SELECT {_FILE} FROM artifacts"  # noqa: S608 - own names
        f" WHERE project_id = :project_id AND owner = :owner AND path IN ({places}) ORDER BY path",
        {"project_id": project_id, "owner": owner, **names},
    )
    return None if row is None else _file(row)


def list_files(reader: Reader, span: Span, limit: int) -> list[ArtifactFile]:
    """Return files by bytes of their path."""
    rows = reader.fetch_all(
        f"SELECT {_FILE} FROM artifacts WHERE {span.where()} ORDER BY path LIMIT :limit",  # noqa: S608
        {**span.params(), "limit": limit},
    )
    return [_file(row) for row in rows]


def total_files(reader: Reader, span: Span) -> ArtifactTotal:
    counted = "COUNT(*) AS file_count, COALESCE(SUM(size_bytes), 0) AS size_bytes"
    row = reader.fetch_one(f"SELECT {counted} FROM artifacts WHERE {span.where()}", span.params())  # noqa: S608
    assert row is not None, "an aggregate has one row"
    return ArtifactTotal(_whole(row, "file_count"), _whole(row, "size_bytes"))


def delete_file(tx: Transaction, project_id: ProjectId, owner: Owner, path: str) -> None:
    tx.execute(
        "DELETE FROM artifacts WHERE project_id = :project_id AND owner = :owner AND path = :path",
        {"project_id": project_id, "owner": owner, "path": path},
    )


def delete_files(tx: Transaction, span: Span) -> None:
    tx.execute(f"DELETE FROM artifacts WHERE {span.where()}", span.params())  # noqa: S608 - own names


def insert_upload(tx: Transaction, project_id: ProjectId, upload: Upload) -> None:
    tx.execute(
        f"INSERT INTO artifact_uploads (project_id, {_UPLOAD})"  # noqa: S608 - own names
        " VALUES (:project_id, :upload_id, :owner, :path, :size_bytes, :part_count, :state, :digest,"
        " :principal, :created_at, :expires_at)",
        {
            "project_id": project_id,
            "upload_id": upload.upload_id,
            "owner": upload.owner,
            "path": upload.path,
            "size_bytes": upload.size_bytes,
            "part_count": upload.part_count,
            "state": upload.state,
            "digest": upload.digest,
            "principal": upload.principal,
            "created_at": to_micros(upload.created_at),
            "expires_at": to_micros(upload.expires_at),
        },
    )


def find_upload(reader: Reader, project_id: ProjectId, upload_id: str) -> Upload | None:
    row = reader.fetch_one(
        f"SELECT {_UPLOAD} FROM artifact_uploads"  # noqa: S608 - own names
        " WHERE upload_id = :upload_id AND project_id = :project_id",
        {"upload_id": upload_id, "project_id": project_id},
    )
    return None if row is None else _upload(row)


def complete_upload(tx: Transaction, upload_id: UploadId, digest: Digest, size_bytes: int) -> None:
    tx.execute(
        """
        UPDATE artifact_uploads SET state = 'complete', digest = :digest, size_bytes = :size_bytes
        WHERE upload_id = :upload_id
        """,
        {"upload_id": upload_id, "digest": digest, "size_bytes": size_bytes},
    )


def set_expiry(tx: Transaction, upload_id: UploadId, at_micros: int) -> None:
    tx.execute(
        "UPDATE artifact_uploads SET expires_at = :at WHERE upload_id = :upload_id",
        {"upload_id": upload_id, "at": at_micros},
    )


def delete_upload(tx: Transaction, upload_id: str) -> None:
    tx.execute("DELETE FROM artifact_uploads WHERE upload_id = :upload_id", {"upload_id": upload_id})


def set_part(tx: Transaction, upload_id: UploadId, part: UploadPart, principal: str, at_micros: int) -> None:
    tx.execute(
        """
        INSERT INTO artifact_upload_parts (upload_id, number, digest, size_bytes, principal, created_at)
        VALUES (:upload_id, :number, :digest, :size_bytes, :principal, :now)
        ON CONFLICT (upload_id, number) DO UPDATE SET
          digest = excluded.digest, size_bytes = excluded.size_bytes,
          principal = excluded.principal, created_at = excluded.created_at
        """,
        {
            "upload_id": upload_id,
            "number": part.number,
            "digest": part.digest,
            "size_bytes": part.size_bytes,
            "principal": principal,
            "now": at_micros,
        },
    )


def list_parts(reader: Reader, upload_id: UploadId) -> tuple[UploadPart, ...]:
    """Return the parts that have arrived, by number."""
    rows = reader.fetch_all(
        """
        SELECT number, digest, size_bytes FROM artifact_upload_parts
        WHERE upload_id = :upload_id ORDER BY number
        """,
        {"upload_id": upload_id},
    )
    return tuple(_part(row) for row in rows)


def delete_parts(tx: Transaction, upload_id: str) -> None:
    tx.execute("DELETE FROM artifact_upload_parts WHERE upload_id = :upload_id", {"upload_id": upload_id})


def list_orphans(reader: Reader) -> tuple[Leftover, ...]:
    """Return the runs that are gone and the logged models that are deleted whose files are still here."""
    rows = reader.fetch_all(
        """
        SELECT project_id, owner, COUNT(*) AS file_count, SUM(size_bytes) AS size_bytes FROM artifacts
        WHERE owner > 'runs/' AND owner < 'runs0'
          AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.run_id = substr(artifacts.owner, 6))
        GROUP BY project_id, owner
        UNION ALL
        SELECT a.project_id, a.owner, COUNT(*), SUM(a.size_bytes)
        FROM logged_models m
        JOIN artifacts a ON a.project_id = m.project_id AND a.owner = 'models/' || m.model_id
        WHERE m.lifecycle = 'deleted' GROUP BY a.project_id, a.owner
        ORDER BY project_id, owner
        """
    )
    return tuple(_leftover(row, "") for row in rows)


def list_expired(reader: Reader, at_micros: int) -> tuple[Leftover, ...]:
    """Return the uploads of all projects that expired before that time, with what has arrived of them."""
    rows = reader.fetch_all(
        """
        SELECT u.project_id, u.owner, u.upload_id, COUNT(p.number) AS file_count,
               COALESCE(SUM(p.size_bytes), 0) AS size_bytes
        FROM artifact_uploads u LEFT JOIN artifact_upload_parts p ON p.upload_id = u.upload_id
        WHERE u.expires_at < :now
        GROUP BY u.project_id, u.owner, u.upload_id ORDER BY u.upload_id
        """,
        {"now": at_micros},
    )
    return tuple(_leftover(row, _text(row, "upload_id")) for row in rows)


def is_owner_gone(reader: Reader, owner: str) -> bool:
    """Say whether a run is gone, or a logged model deleted."""
    kind, _, owner_id = owner.partition("/")
    if kind == "models":
        row = reader.fetch_one(
            "SELECT 1 AS one FROM logged_models WHERE model_id = :model_id AND lifecycle = 'deleted'",
            {"model_id": owner_id},
        )
        return row is not None
    return reader.fetch_one("SELECT 1 AS one FROM runs WHERE run_id = :run_id", {"run_id": owner_id}) is None


def list_named_files(
    reader: Reader, project_id: ProjectId, after: tuple[str, str], limit: int
) -> list[tuple[str, str, str]]:
    """Return (owner, path, digest) of files of all owners, in this order, behind that file."""
    rows = reader.fetch_all(
        """
        SELECT owner, path, digest FROM artifacts
        WHERE project_id = :project_id AND (owner, path) > (:owner, :path)
        ORDER BY owner, path LIMIT :limit
        """,
        {"project_id": project_id, "owner": after[0], "path": after[1], "limit": limit},
    )
    return [(_text(row, "owner"), _text(row, "path"), _text(row, "digest")) for row in rows]


def list_named_parts(reader: Reader, project_id: ProjectId) -> tuple[tuple[str, UploadPart], ...]:
    """Return the parts of uploads under way, each with the id of its upload."""
    rows = reader.fetch_all(
        """
        SELECT p.upload_id, p.number, p.digest, p.size_bytes FROM artifact_uploads u
        JOIN artifact_upload_parts p ON p.upload_id = u.upload_id
        WHERE u.project_id = :project_id ORDER BY p.upload_id, p.number
        """,
        {"project_id": project_id},
    )
    return tuple((_text(row, "upload_id"), _part(row)) for row in rows)


def list_named_environments(
    reader: Reader, project_id: ProjectId, after: str, limit: int
) -> list[tuple[str, str]]:
    """Return (run id, digest of its environment) by run id, behind that one; deleted runs included."""
    rows = reader.fetch_all(
        """
        SELECT run_id, environment_digest FROM runs
        WHERE project_id = :project_id AND environment_digest <> '' AND run_id > :after
        ORDER BY run_id LIMIT :limit
        """,
        {"project_id": project_id, "after": after, "limit": limit},
    )
    return [(_text(row, "run_id"), _text(row, "environment_digest")) for row in rows]


def find_next_project(reader: Reader, after: str) -> str:
    """Return the first project behind `after` that has files or uploads, empty when there is none."""
    row = reader.fetch_one(
        """
        SELECT MIN(project_id) AS project_id FROM (
          SELECT MIN(project_id) AS project_id FROM artifacts WHERE project_id > :after
          UNION ALL SELECT MIN(project_id) AS project_id FROM artifact_uploads WHERE project_id > :after
        ) AS both_tables
        """,
        {"after": after},
    )
    return str(row["project_id"] or "") if row else ""


def _file(row: Row) -> ArtifactFile:
    return ArtifactFile(
        owner=Owner(_text(row, "owner")),
        path=_text(row, "path"),
        digest=Digest(_text(row, "digest")),
        size_bytes=_whole(row, "size_bytes"),
        principal=_text(row, "principal"),
        created_at=from_micros(_whole(row, "created_at")),
    )


def _upload(row: Row) -> Upload:
    return Upload(
        upload_id=UploadId(_text(row, "upload_id")),
        owner=Owner(_text(row, "owner")),
        path=_text(row, "path"),
        size_bytes=_whole(row, "size_bytes"),
        part_count=_whole(row, "part_count"),
        state=cast(UploadState, _text(row, "state")),
        digest=_text(row, "digest"),
        principal=_text(row, "principal"),
        created_at=from_micros(_whole(row, "created_at")),
        expires_at=from_micros(_whole(row, "expires_at")),
    )


def _part(row: Row) -> UploadPart:
    return UploadPart(_whole(row, "number"), Digest(_text(row, "digest")), _whole(row, "size_bytes"))


def _leftover(row: Row, upload_id: str) -> Leftover:
    return Leftover(
        project_id=_text(row, "project_id"),
        owner=Owner(_text(row, "owner")),
        upload_id=upload_id,
        file_count=_whole(row, "file_count"),
        size_bytes=_whole(row, "size_bytes"),
    )


def _text(row: Row, name: str) -> str:
    return str(row[name])


def _whole(row: Row, name: str) -> int:
    value = row[name]
    assert isinstance(value, int)
    return value
