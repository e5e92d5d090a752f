"""Rows of models, versions, verifications and alias changes."""

from collections.abc import Mapping
from typing import cast

import msgspec

from paddock.kernel.clock import from_micros, to_micros
from paddock.kernel.digest import Digest
from paddock.kernel.refs import DatasetRef, ProjectId
from paddock.metadata import Reader, Row, Transaction
from paddock.registry.records import (
    AliasChange,
    ChangeKind,
    ModelSummary,
    ModelVersion,
    Recipe,
    Verification,
    WayBack,
)

_VERSIONS = """SELECT m.*, v.passed AS verified, v.cause AS verified_cause, v.words AS verified_words,
        v.principal AS verified_by, v.created_at AS verified_at
    FROM model_versions m LEFT JOIN model_verifications v
        ON v.project_id = m.project_id AND v.name = m.name AND v.version = m.version
        AND v.sequence = (SELECT MAX(w.sequence) FROM model_verifications w
            WHERE w.project_id = m.project_id AND w.name = m.name AND w.version = m.version)"""

_POINTING = """SELECT c.name, c.alias, c.to_version FROM alias_changes c
    WHERE c.project_id = :project_id AND c.to_version > 0
        AND c.sequence = (SELECT MAX(d.sequence) FROM alias_changes d
            WHERE d.project_id = c.project_id AND d.name = c.name AND d.alias = c.alias)"""


def has_model(reader: Reader, project_id: ProjectId, name: str) -> bool:
    row = reader.fetch_one(
        "SELECT name FROM models WHERE project_id = :project_id AND name = :name",
        {"project_id": project_id, "name": name},
    )
    return row is not None


def list_names(reader: Reader, project_id: ProjectId) -> tuple[str, ...]:
    rows = reader.fetch_all(
        "SELECT name FROM models WHERE project_id = :project_id ORDER BY name", {"project_id": project_id}
    )
    return tuple(str(row["name"]) for row in rows)


def insert_model(tx: Transaction, project_id: ProjectId, version: ModelVersion) -> None:
    tx.execute(
        """INSERT INTO models (project_id, name, principal, created_at)
           VALUES (:project_id, :name, :principal, :created_at)""",
        {
            "project_id": project_id,
            "name": version.name,
            "principal": version.principal,
            "created_at": to_micros(version.created_at),
        },
    )


def find_latest_version(reader: Reader, project_id: ProjectId, name: str) -> int:
    """Return the highest version number, 0 when there is none."""
    row = reader.fetch_one(
        """SELECT COALESCE(MAX(version), 0) AS latest FROM model_versions
           WHERE project_id = :project_id AND name = :name""",
        {"project_id": project_id, "name": name},
    )
    return _whole(row, "latest") if row else 0


def insert_version(tx: Transaction, project_id: ProjectId, version: ModelVersion) -> None:
    tx.execute(
        """INSERT INTO model_versions (project_id, name, version, package_digest, run_id, refit_of,
               report_id, datasets, code_digest, params_digest, environment_digest, principal, created_at)
           VALUES (:project_id, :name, :version, :package_digest, :run_id, :refit_of,
               :report_id, :datasets, :code_digest, :params_digest, :environment_digest,
               :principal, :created_at)""",
        {
            "project_id": project_id,
            "name": version.name,
            "version": version.version,
            "package_digest": version.package_digest,
            "run_id": version.run_id,
            "refit_of": version.refit_of,
            "report_id": version.report_id,
            "datasets": msgspec.json.encode(version.datasets).decode(),
            "code_digest": version.recipe.code_digest,
            "params_digest": version.recipe.params_digest,
            "environment_digest": version.recipe.environment_digest,
            "principal": version.principal,
            "created_at": to_micros(version.created_at),
        },
    )


def find_version(reader: Reader, project_id: ProjectId, name: str, version: int) -> ModelVersion | None:
    row = reader.fetch_one(
        f"{_VERSIONS} WHERE m.project_id = :project_id AND m.name = :name AND m.version = :version",
        {"project_id": project_id, "name": name, "version": version},
    )
    return _version(row, find_aliases(reader, project_id, name)) if row else None


def list_versions(reader: Reader, project_id: ProjectId, name: str) -> tuple[ModelVersion, ...]:
    """Return the newest first."""
    rows = reader.fetch_all(
        f"{_VERSIONS} WHERE m.project_id = :project_id AND m.name = :name ORDER BY m.version DESC",
        {"project_id": project_id, "name": name},
    )
    aliases = find_aliases(reader, project_id, name)
    return tuple(_version(row, aliases) for row in rows)


def set_report(tx: Transaction, project_id: ProjectId, version: ModelVersion, report_id: str) -> None:
    tx.execute(
        """UPDATE model_versions SET report_id = :report_id
           WHERE project_id = :project_id AND name = :name AND version = :version""",
        {
            "project_id": project_id,
            "name": version.name,
            "version": version.version,
            "report_id": report_id,
        },
    )


def count_verifications(reader: Reader, project_id: ProjectId, version: ModelVersion) -> int:
    row = reader.fetch_one(
        """SELECT COUNT(*) AS verification_count FROM model_verifications
           WHERE project_id = :project_id AND name = :name AND version = :version""",
        {"project_id": project_id, "name": version.name, "version": version.version},
    )
    return _whole(row, "verification_count") if row else 0


def insert_verification(
    tx: Transaction, project_id: ProjectId, version: ModelVersion, verification: Verification
) -> None:
    tx.execute(
        """INSERT INTO model_verifications (project_id, name, version, sequence, passed, cause, words,
               principal, created_at)
           VALUES (:project_id, :name, :version, :sequence, :passed, :cause, :words,
               :principal, :created_at)""",
        {
            "project_id": project_id,
            "name": version.name,
            "version": version.version,
            "sequence": count_verifications(tx, project_id, version) + 1,
            "passed": int(verification.passed),
            "cause": verification.cause,
            "words": verification.words,
            "principal": verification.principal,
            "created_at": to_micros(verification.at),
        },
    )


def insert_alias_change(tx: Transaction, project_id: ProjectId, change: AliasChange) -> None:
    tx.execute(
        """INSERT INTO alias_changes (project_id, name, alias, sequence, kind, from_version, to_version,
               reason, report_id, way_back, principal, created_at)
           VALUES (:project_id, :name, :alias, :sequence, :kind, :from_version, :to_version,
               :reason, :report_id, :way_back, :principal, :created_at)""",
        {
            "project_id": project_id,
            "name": change.name,
            "alias": change.alias,
            "sequence": change.sequence,
            "kind": change.kind,
            "from_version": change.from_version,
            "to_version": change.to_version,
            "reason": change.reason,
            "report_id": change.report_id,
            "way_back": change.way_back,
            "principal": change.principal,
            "created_at": to_micros(change.at),
        },
    )


def list_alias_changes(
    reader: Reader, project_id: ProjectId, name: str, alias: str
) -> tuple[AliasChange, ...]:
    """Return the oldest first."""
    rows = reader.fetch_all(
        """SELECT * FROM alias_changes
           WHERE project_id = :project_id AND name = :name AND alias = :alias ORDER BY sequence""",
        {"project_id": project_id, "name": name, "alias": alias},
    )
    return tuple(_change(row) for row in rows)


def find_aliases(reader: Reader, project_id: ProjectId, name: str) -> Mapping[str, int]:
    """Return where each alias of a model points now; those that point nowhere are left out."""
    rows = reader.fetch_all(
        f"{_POINTING} AND c.name = :name ORDER BY c.alias", {"project_id": project_id, "name": name}
    )
    return {str(row["alias"]): _whole(row, "to_version") for row in rows}


def list_models(reader: Reader, project_id: ProjectId) -> tuple[ModelSummary, ...]:
    """Return every model by name."""
    rows = reader.fetch_all(
        """SELECT m.name, m.principal, m.created_at, MAX(v.version) AS latest, COUNT(*) AS version_count
           FROM models m JOIN model_versions v ON v.project_id = m.project_id AND v.name = m.name
           WHERE m.project_id = :project_id
           GROUP BY m.name, m.principal, m.created_at ORDER BY m.name""",
        {"project_id": project_id},
    )
    pointing = reader.fetch_all(_POINTING, {"project_id": project_id})
    targets = {(str(row["name"]), str(row["alias"])): _whole(row, "to_version") for row in pointing}
    return tuple(_summary(row, targets) for row in rows)


def _version(row: Row, aliases: Mapping[str, int]) -> ModelVersion:
    version = _whole(row, "version")
    return ModelVersion(
        name=str(row["name"]),
        version=version,
        package_digest=Digest(str(row["package_digest"])),
        run_id=str(row["run_id"]),
        refit_of=_whole(row, "refit_of"),
        report_id=str(row["report_id"]),
        datasets=_datasets(str(row["datasets"])),
        recipe=Recipe(str(row["code_digest"]), str(row["params_digest"]), str(row["environment_digest"])),
        verification=_verification(row),
        aliases=tuple(alias for alias, target in aliases.items() if target == version),
        principal=str(row["principal"]),
        created_at=from_micros(_whole(row, "created_at")),
    )


def _datasets(text: str) -> tuple[DatasetRef, ...]:
    return tuple(msgspec.json.decode(text, type=list[DatasetRef]))


def _verification(row: Row) -> Verification | None:
    if row["verified"] is None:
        return None
    return Verification(
        passed=bool(row["verified"]),
        cause=str(row["verified_cause"]),
        words=str(row["verified_words"]),
        principal=str(row["verified_by"]),
        at=from_micros(_whole(row, "verified_at")),
    )


def _change(row: Row) -> AliasChange:
    return AliasChange(
        name=str(row["name"]),
        alias=str(row["alias"]),
        sequence=_whole(row, "sequence"),
        kind=cast(ChangeKind, row["kind"]),
        from_version=_whole(row, "from_version"),
        to_version=_whole(row, "to_version"),
        reason=str(row["reason"]),
        report_id=str(row["report_id"]),
        way_back=cast(WayBack, row["way_back"]),
        principal=str(row["principal"]),
        at=from_micros(_whole(row, "created_at")),
    )


def _summary(row: Row, targets: Mapping[tuple[str, str], int]) -> ModelSummary:
    name = str(row["name"])
    return ModelSummary(
        name=name,
        latest_version=_whole(row, "latest"),
        version_count=_whole(row, "version_count"),
        champion=targets.get((name, "champion"), 0),
        challenger=targets.get((name, "challenger"), 0),
        principal=str(row["principal"]),
        created_at=from_micros(_whole(row, "created_at")),
    )


def _whole(row: Row, column: str) -> int:
    value = row[column]
    assert isinstance(value, int), column
    return value
