"""Rows of versions, of their tags, and of the replays of their golden requests."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

import msgspec

from paddock.kernel.clock import from_micros, to_micros
from paddock.kernel.digest import Digest
from paddock.kernel.refs import Actor, DatasetRef, ProjectId
from paddock.metadata import Reader, Row, SqlValue, Transaction
from paddock.registry.records import ALIASES, ModelVersion, Recipe, Stage, Verification
from paddock.registry.sql.aliases import find_aliases, find_aliases_of
from paddock.registry.sql.cells import placeholders, whole

# of `VERSIONS_SOURCE`
VERSION_COLUMNS = """m.*, v.passed AS verified, v.cause AS verified_cause, v.words AS verified_words,
    v.principal AS verified_by, v.created_at AS verified_at"""
VERSIONS_SOURCE = """model_versions m LEFT JOIN model_verifications v
    ON v.project_id = m.project_id AND v.name = m.name AND v.version = m.version
    AND v.sequence = (SELECT MAX(w.sequence) FROM model_verifications w
        WHERE w.project_id = m.project_id AND w.name = m.name AND w.version = m.version)"""
_CHUNK = 500
_VERSIONS = f"SELECT {VERSION_COLUMNS} FROM {VERSIONS_SOURCE}"  # noqa: S608 - own words


def find_latest_version(reader: Reader, project_id: ProjectId, name: str) -> int:
    """Return the highest version number there is, 0 when there is none."""
    row = reader.fetch_one(
        """SELECT COALESCE(MAX(version), 0) AS latest FROM model_versions
           WHERE project_id = :project_id AND name = :name""",
        {"project_id": project_id, "name": name},
    )
    return whole(row, "latest") if row else 0


def insert_version(tx: Transaction, project_id: ProjectId, version: ModelVersion) -> None:
    tx.execute(
        """INSERT INTO model_versions (project_id, name, version, package_digest, run_id, refit_of,
               report_id, datasets, code_digest, params_digest, environment_digest, principal, created_at,
               source, origin, model_id, run_link, description, stage, updated_at)
           VALUES (:project_id, :name, :version, :package_digest, :run_id, :refit_of,
               :report_id, :datasets, :code_digest, :params_digest, :environment_digest,
               :principal, :created_at, :source, :origin, :model_id, :run_link, :description, :stage,
               :created_at)""",
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
            "source": version.source,
            "origin": version.origin,
            "model_id": version.model_id,
            "run_link": version.run_link,
            "description": version.description,
            "stage": version.stage,
        },
    )


def find_version(reader: Reader, project_id: ProjectId, name: str, version: int) -> ModelVersion | None:
    row = reader.fetch_one(
        f"{_VERSIONS} WHERE m.project_id = :project_id AND m.name = :name AND m.version = :version",
        {"project_id": project_id, "name": name, "version": version},
    )
    if row is None:
        return None
    tags = get_tags(reader, project_id, name, version)
    return _version(row, find_aliases(reader, project_id, name), tags.get(version, {}))


def list_versions(reader: Reader, project_id: ProjectId, name: str) -> tuple[ModelVersion, ...]:
    """Return the newest first."""
    rows = reader.fetch_all(
        f"{_VERSIONS} WHERE m.project_id = :project_id AND m.name = :name ORDER BY m.version DESC",
        {"project_id": project_id, "name": name},
    )
    aliases, tags = find_aliases(reader, project_id, name), get_tags(reader, project_id, name)
    return tuple(_version(row, aliases, tags.get(whole(row, "version"), {})) for row in rows)


def list_latest(reader: Reader, project_id: ProjectId, names: Sequence[str]) -> tuple[ModelVersion, ...]:
    """Return of each model the versions that may be the newest of a stage, by model, the oldest first.

    What stage a version with a package has follows from where champion and challenger point, so those two are
    among them, and the newest three.
    """
    places, params = placeholders("name", names)
    rows = reader.fetch_all(
        f"""SELECT q.name, q.version FROM (
                SELECT w.name, w.version, ROW_NUMBER() OVER (
                    PARTITION BY w.name, w.stage, w.package_digest <> '' ORDER BY w.version DESC
                ) AS place
                FROM model_versions w WHERE w.project_id = :project_id AND w.name IN ({places})
            ) q WHERE q.place <= 3""",  # noqa: S608 - names of parameters
        {"project_id": project_id, **params},
    )
    found = {(str(row["name"]), whole(row, "version")) for row in rows}
    for name, pointing in find_aliases_of(reader, project_id, names).items():
        found |= {(name, pointing[alias]) for alias in ALIASES if alias in pointing}
    return _find_versions(reader, project_id, sorted(found))


def read_versions(reader: Reader, project_id: ProjectId, rows: Sequence[Row]) -> tuple[ModelVersion, ...]:
    """Return versions of several models from their rows, with aliases and tags, in the same order."""
    names = tuple(dict.fromkeys(str(row["name"]) for row in rows))
    aliases = find_aliases_of(reader, project_id, names if len(names) <= _CHUNK else None)
    tags = _get_tags_of(reader, project_id, [_key(row) for row in rows])
    return tuple(_version(row, aliases.get(_key(row)[0], {}), tags.get(_key(row), {})) for row in rows)


def set_report(tx: Transaction, project_id: ProjectId, version: ModelVersion, report_id: str) -> None:
    tx.execute(
        """UPDATE model_versions SET report_id = :report_id
           WHERE project_id = :project_id AND name = :name AND version = :version""",
        {**_place(project_id, version), "report_id": report_id},
    )


def set_description(
    tx: Transaction, project_id: ProjectId, version: ModelVersion, description: str, at: datetime
) -> None:
    tx.execute(
        """UPDATE model_versions SET description = :description, updated_at = :now
           WHERE project_id = :project_id AND name = :name AND version = :version""",
        {**_place(project_id, version), "description": description, "now": to_micros(at)},
    )


def set_stage(
    tx: Transaction, project_id: ProjectId, version: ModelVersion, stage: Stage, at: datetime
) -> None:
    tx.execute(
        """UPDATE model_versions SET stage = :stage, updated_at = :now
           WHERE project_id = :project_id AND name = :name AND version = :version""",
        {**_place(project_id, version), "stage": stage, "now": to_micros(at)},
    )


def list_in_stage(reader: Reader, project_id: ProjectId, name: str, stage: Stage) -> tuple[int, ...]:
    """Return the numbers of versions without a package that a client put into this stage."""
    rows = reader.fetch_all(
        """SELECT version FROM model_versions WHERE project_id = :project_id AND name = :name
               AND stage = :stage AND package_digest = '' ORDER BY version""",
        {"project_id": project_id, "name": name, "stage": stage},
    )
    return tuple(whole(row, "version") for row in rows)


def archive(tx: Transaction, project_id: ProjectId, name: str, version: int, at: datetime) -> None:
    tx.execute(
        """UPDATE model_versions SET stage = 'Archived', updated_at = :now
           WHERE project_id = :project_id AND name = :name AND version = :version""",
        {"project_id": project_id, "name": name, "version": version, "now": to_micros(at)},
    )


def delete_version(tx: Transaction, project_id: ProjectId, version: ModelVersion) -> None:
    """Delete a version that has no package, and its tags."""
    for table in ("model_version_tags", "model_versions"):
        tx.execute(
            f"DELETE FROM {table} WHERE project_id = :project_id AND name = :name AND version = :version",  # noqa: S608
            _place(project_id, version),
        )


def delete_versions(tx: Transaction, project_id: ProjectId, name: str) -> None:
    """Delete every version of a model that has no packages."""
    tx.execute(
        "DELETE FROM model_versions WHERE project_id = :project_id AND name = :name",
        {"project_id": project_id, "name": name},
    )


def move_versions(tx: Transaction, project_id: ProjectId, name: str, new_name: str, at: datetime) -> None:
    """Give the versions of a model without packages to the model of another name."""
    tx.execute(
        """UPDATE model_versions SET name = :new_name, updated_at = :now
           WHERE project_id = :project_id AND name = :name""",
        {"project_id": project_id, "name": name, "new_name": new_name, "now": to_micros(at)},
    )


def set_tags(tx: Transaction, actor: Actor, version: ModelVersion, tags: Mapping[str, str]) -> None:
    tx.execute_many(
        """INSERT INTO model_version_tags (project_id, name, version, key, value, principal)
           VALUES (:project_id, :name, :version, :key, :value, :principal)
           ON CONFLICT (project_id, name, version, key) DO UPDATE
           SET value = excluded.value, principal = excluded.principal""",
        [
            {**_place(actor.project_id, version), "key": key, "value": value, "principal": actor.principal}
            for key, value in tags.items()
        ],
    )


def delete_tag(tx: Transaction, project_id: ProjectId, version: ModelVersion, key: str) -> int:
    return tx.execute(
        """DELETE FROM model_version_tags
           WHERE project_id = :project_id AND name = :name AND version = :version AND key = :key""",
        {**_place(project_id, version), "key": key},
    )


def get_tags(reader: Reader, project_id: ProjectId, name: str, version: int = 0) -> dict[int, dict[str, str]]:
    """Return the tags of each version of a model that has some. version: of this one alone, 0 for all."""
    rows = reader.fetch_all(
        """SELECT version, key, value FROM model_version_tags
           WHERE project_id = :project_id AND name = :name AND (version = :version OR :version = 0)
           ORDER BY version, key""",
        {"project_id": project_id, "name": name, "version": version},
    )
    tags: dict[int, dict[str, str]] = {}
    for row in rows:
        tags.setdefault(whole(row, "version"), {})[str(row["key"])] = str(row["value"])
    return tags


def count_verifications(reader: Reader, project_id: ProjectId, version: ModelVersion) -> int:
    row = reader.fetch_one(
        """SELECT COUNT(*) AS verification_count FROM model_verifications
           WHERE project_id = :project_id AND name = :name AND version = :version""",
        _place(project_id, version),
    )
    return whole(row, "verification_count") if row else 0


def insert_verification(
    tx: Transaction, project_id: ProjectId, version: ModelVersion, verification: Verification
) -> None:
    tx.execute(
        """INSERT INTO model_verifications (project_id, name, version, sequence, passed, cause, words,
               principal, created_at)
           VALUES (:project_id, :name, :version, :sequence, :passed, :cause, :words,
               :principal, :created_at)""",
        {
            **_place(project_id, version),
            "sequence": count_verifications(tx, project_id, version) + 1,
            "passed": int(verification.passed),
            "cause": verification.cause,
            "words": verification.words,
            "principal": verification.principal,
            "created_at": to_micros(verification.at),
        },
    )


def _place(project_id: ProjectId, version: ModelVersion) -> dict[str, SqlValue]:
    return {"project_id": project_id, "name": version.name, "version": version.version}


def _find_versions(
    reader: Reader, project_id: ProjectId, keys: Sequence[tuple[str, int]]
) -> tuple[ModelVersion, ...]:
    rows: list[Row] = []
    for start in range(0, len(keys), _CHUNK):
        places, params = _pairs(keys[start : start + _CHUNK])
        rows += reader.fetch_all(
            f"""{_VERSIONS} WHERE m.project_id = :project_id AND (m.name, m.version) IN (VALUES {places})
                ORDER BY m.name, m.version""",
            {"project_id": project_id, **params},
        )
    return read_versions(reader, project_id, rows)


def _get_tags_of(
    reader: Reader, project_id: ProjectId, keys: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], dict[str, str]]:
    tags: dict[tuple[str, int], dict[str, str]] = {}
    for start in range(0, len(keys), _CHUNK):
        places, params = _pairs(keys[start : start + _CHUNK])
        for row in reader.fetch_all(
            f"""SELECT name, version, key, value FROM model_version_tags
                WHERE project_id = :project_id AND (name, version) IN (VALUES {places})
                ORDER BY name, version, key""",  # noqa: S608 - names of parameters
            {"project_id": project_id, **params},
        ):
            tags.setdefault(_key(row), {})[str(row["key"])] = str(row["value"])
    return tags


def _pairs(keys: Sequence[tuple[str, int]]) -> tuple[str, dict[str, SqlValue]]:
    """Return the inside of VALUES for these names and numbers, and its parameters."""
    params: dict[str, SqlValue] = {}
    for number, (name, version) in enumerate(keys):
        params |= {f"name_{number}": name, f"version_{number}": version}
    return ", ".join(f"(:name_{number}, :version_{number})" for number in range(len(keys))), params


def _key(row: Row) -> tuple[str, int]:
    return str(row["name"]), whole(row, "version")


def _version(row: Row, aliases: Mapping[str, int], tags: Mapping[str, str]) -> ModelVersion:
    version = whole(row, "version")
    return ModelVersion(
        name=str(row["name"]),
        version=version,
        package_digest=Digest(str(row["package_digest"])),
        run_id=str(row["run_id"]),
        refit_of=whole(row, "refit_of"),
        report_id=str(row["report_id"]),
        datasets=_datasets(str(row["datasets"])),
        recipe=Recipe(str(row["code_digest"]), str(row["params_digest"]), str(row["environment_digest"])),
        verification=_verification(row),
        aliases=tuple(alias for alias, target in aliases.items() if target == version),
        principal=str(row["principal"]),
        created_at=from_micros(whole(row, "created_at")),
        source=str(row["source"]),
        origin=str(row["origin"]),
        model_id=str(row["model_id"]),
        run_link=str(row["run_link"]),
        description=str(row["description"]),
        tags=tags,
        stage=cast(Stage, row["stage"]),
        updated_at=from_micros(whole(row, "updated_at")),
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
        at=from_micros(whole(row, "verified_at")),
    )
