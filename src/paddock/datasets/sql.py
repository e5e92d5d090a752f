"""The statements on `dataset_versions`; one per function."""

import msgspec

from paddock.datasets.records import DatasetSummary, DatasetVersion, Field
from paddock.kernel.clock import from_micros, to_micros
from paddock.kernel.digest import Digest
from paddock.kernel.refs import ProjectId
from paddock.metadata import Reader, Row, Transaction

_COLUMNS = (
    "name, version, digest, profile_digest, format, schema_json, row_count, size_bytes, source, "
    "principal, created_at"
)


def find_by_digest(reader: Reader, project: ProjectId, name: str, digest: Digest) -> DatasetVersion | None:
    row = reader.fetch_one(
        f"SELECT {_COLUMNS} FROM dataset_versions"  # noqa: S608 - a constant
        " WHERE project_id = :project AND name = :name AND digest = :digest",
        {"project": project, "name": name, "digest": digest},
    )
    return _version(row) if row else None


def find_version(reader: Reader, project: ProjectId, name: str, version: int) -> DatasetVersion | None:
    row = reader.fetch_one(
        f"SELECT {_COLUMNS} FROM dataset_versions"  # noqa: S608 - a constant
        " WHERE project_id = :project AND name = :name AND version = :version",
        {"project": project, "name": name, "version": version},
    )
    return _version(row) if row else None


def latest_number(reader: Reader, project: ProjectId, name: str) -> int:
    """Return the newest version number, 0 when there is no such dataset."""
    row = reader.fetch_one(
        "SELECT COALESCE(MAX(version), 0) AS latest FROM dataset_versions"
        " WHERE project_id = :project AND name = :name",
        {"project": project, "name": name},
    )
    return int(str(row["latest"])) if row else 0


def insert_version(tx: Transaction, project: ProjectId, version: DatasetVersion) -> None:
    tx.execute(
        f"INSERT INTO dataset_versions (project_id, {_COLUMNS})"  # noqa: S608 - a constant
        " VALUES (:project, :name, :version, :digest, :profile_digest, :format, :schema_json,"
        " :row_count, :size_bytes, :source, :principal, :created_at)",
        {
            "project": project,
            "name": version.name,
            "version": version.version,
            "digest": version.digest,
            "profile_digest": version.profile_digest,
            "format": version.format,
            "schema_json": msgspec.json.encode(version.schema).decode(),
            "row_count": version.row_count,
            "size_bytes": version.size_bytes,
            "source": version.source,
            "principal": version.principal,
            "created_at": to_micros(version.created_at),
        },
    )


def list_versions(reader: Reader, project: ProjectId, name: str) -> tuple[DatasetVersion, ...]:
    """Return all versions of one dataset, newest first."""
    rows = reader.fetch_all(
        f"SELECT {_COLUMNS} FROM dataset_versions"  # noqa: S608 - a constant
        " WHERE project_id = :project AND name = :name ORDER BY version DESC",
        {"project": project, "name": name},
    )
    return tuple(_version(row) for row in rows)


def list_names(reader: Reader, project: ProjectId) -> tuple[str, ...]:
    rows = reader.fetch_all(
        "SELECT DISTINCT name FROM dataset_versions WHERE project_id = :project ORDER BY name",
        {"project": project},
    )
    return tuple(str(row["name"]) for row in rows)


def list_summaries(reader: Reader, project: ProjectId) -> tuple[DatasetSummary, ...]:
    """Return each dataset with its newest version, by name.

    Versions count without gaps, so the newest number is also how many there are.
    """
    rows = reader.fetch_all(
        f"SELECT {_COLUMNS} FROM dataset_versions AS v WHERE project_id = :project AND version ="  # noqa: S608
        " (SELECT MAX(o.version) FROM dataset_versions AS o"
        " WHERE o.project_id = v.project_id AND o.name = v.name) ORDER BY name",
        {"project": project},
    )
    versions = [_version(row) for row in rows]
    return tuple(DatasetSummary(version.name, version, version.version) for version in versions)


def _version(row: Row) -> DatasetVersion:
    plain = {
        **row,
        "schema": msgspec.json.decode(str(row["schema_json"]), type=tuple[Field, ...]),
        "created_at": from_micros(int(str(row["created_at"]))),
    }
    return msgspec.convert(plain, DatasetVersion, strict=True)
