"""Rows of models and of their tags."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from paddock.kernel.clock import from_micros, to_micros
from paddock.kernel.refs import Actor, ProjectId
from paddock.metadata import Reader, Row, Transaction
from paddock.registry.records import PROMPT_TAG, ModelSummary
from paddock.registry.sql.aliases import find_aliases_of
from paddock.registry.sql.cells import placeholders, whole

MODEL_COLUMNS = (
    "m.name, m.description, m.last_version, m.principal, m.created_at, m.updated_at,"
    " EXISTS (SELECT 1 FROM model_versions v WHERE v.project_id = m.project_id AND v.name = m.name"
    " AND v.package_digest <> '') AS has_packages"
)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model without its tags, aliases and versions."""

    name: str
    description: str
    last_version: int
    has_packages: bool
    principal: str
    created_at: datetime
    updated_at: datetime


def has_model(reader: Reader, project_id: ProjectId, name: str) -> bool:
    row = reader.fetch_one(
        "SELECT name FROM models WHERE project_id = :project_id AND name = :name",
        {"project_id": project_id, "name": name},
    )
    return row is not None


def find_model(reader: Reader, project_id: ProjectId, name: str) -> ModelRow | None:
    row = reader.fetch_one(
        f"SELECT {MODEL_COLUMNS} FROM models m WHERE m.project_id = :project_id AND m.name = :name",  # noqa: S608
        {"project_id": project_id, "name": name},
    )
    return None if row is None else model_row_of(row)


def list_names(reader: Reader, project_id: ProjectId) -> tuple[str, ...]:
    rows = reader.fetch_all(
        "SELECT name FROM models WHERE project_id = :project_id ORDER BY name", {"project_id": project_id}
    )
    return tuple(str(row["name"]) for row in rows)


def insert_model(tx: Transaction, actor: Actor, name: str, description: str, at: datetime) -> None:
    tx.execute(
        """INSERT INTO models (project_id, name, description, last_version, principal, created_at, updated_at)
           VALUES (:project_id, :name, :description, 0, :principal, :now, :now)""",
        {
            "project_id": actor.project_id,
            "name": name,
            "description": description,
            "principal": actor.principal,
            "now": to_micros(at),
        },
    )


def take_number(tx: Transaction, project_id: ProjectId, name: str, at: datetime) -> int:
    """Return the model's next version number, which nobody else is given."""
    row = tx.fetch_one(
        """UPDATE models SET last_version = last_version + 1, updated_at = :now
           WHERE project_id = :project_id AND name = :name RETURNING last_version""",
        {"project_id": project_id, "name": name, "now": to_micros(at)},
    )
    assert row is not None, "the model was there in this transaction"
    return whole(row, "last_version")


def set_description(
    tx: Transaction, project_id: ProjectId, name: str, description: str, at: datetime
) -> None:
    tx.execute(
        """UPDATE models SET description = :description, updated_at = :now
           WHERE project_id = :project_id AND name = :name""",
        {"project_id": project_id, "name": name, "description": description, "now": to_micros(at)},
    )


def touch_model(tx: Transaction, project_id: ProjectId, name: str, at: datetime) -> None:
    tx.execute(
        "UPDATE models SET updated_at = :now WHERE project_id = :project_id AND name = :name",
        {"project_id": project_id, "name": name, "now": to_micros(at)},
    )


def copy_model(tx: Transaction, project_id: ProjectId, name: str, new_name: str, at: datetime) -> None:
    """Insert the model once more under another name; its rows in other tables are not moved."""
    tx.execute(
        """INSERT INTO models (project_id, name, description, last_version, principal, created_at, updated_at)
           SELECT project_id, :new_name, description, last_version, principal, created_at, :now
           FROM models WHERE project_id = :project_id AND name = :name""",
        {"project_id": project_id, "name": name, "new_name": new_name, "now": to_micros(at)},
    )


def move_tags(tx: Transaction, project_id: ProjectId, name: str, new_name: str) -> None:
    """Give the tags of a model, and of its versions, to the model of another name."""
    for table in ("model_tags", "model_version_tags"):
        tx.execute(
            f"UPDATE {table} SET name = :new_name WHERE project_id = :project_id AND name = :name",  # noqa: S608
            {"project_id": project_id, "name": name, "new_name": new_name},
        )


def delete_model(tx: Transaction, project_id: ProjectId, name: str) -> None:
    """Delete a model that has no versions and no moves of aliases any more, and all its tags."""
    for table in ("model_version_tags", "model_tags", "models"):
        tx.execute(
            f"DELETE FROM {table} WHERE project_id = :project_id AND name = :name",  # noqa: S608
            {"project_id": project_id, "name": name},
        )


def set_tags(tx: Transaction, actor: Actor, name: str, tags: Mapping[str, str]) -> None:
    tx.execute_many(
        """INSERT INTO model_tags (project_id, name, key, value, principal)
           VALUES (:project_id, :name, :key, :value, :principal)
           ON CONFLICT (project_id, name, key) DO UPDATE
           SET value = excluded.value, principal = excluded.principal""",
        [
            {
                "project_id": actor.project_id,
                "name": name,
                "key": key,
                "value": value,
                "principal": actor.principal,
            }
            for key, value in tags.items()
        ],
    )


def delete_tag(tx: Transaction, project_id: ProjectId, name: str, key: str) -> int:
    return tx.execute(
        "DELETE FROM model_tags WHERE project_id = :project_id AND name = :name AND key = :key",
        {"project_id": project_id, "name": name, "key": key},
    )


def get_tags(reader: Reader, project_id: ProjectId, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the tags of each of these models that has some, by key."""
    places, params = placeholders("name", names)
    rows = reader.fetch_all(
        f"""SELECT name, key, value FROM model_tags
            WHERE project_id = :project_id AND name IN ({places}) ORDER BY name, key""",  # noqa: S608
        {"project_id": project_id, **params},
    )
    tags: dict[str, dict[str, str]] = {}
    for row in rows:
        tags.setdefault(str(row["name"]), {})[str(row["key"])] = str(row["value"])
    return tags


def list_models(reader: Reader, project_id: ProjectId) -> tuple[ModelSummary, ...]:
    """Return every model by name, those without a version too; prompts are none."""
    rows = reader.fetch_all(
        """SELECT m.name, m.principal, m.created_at, COALESCE(MAX(v.version), 0) AS latest,
               COUNT(v.version) AS version_count
           FROM models m LEFT JOIN model_versions v ON v.project_id = m.project_id AND v.name = m.name
           WHERE m.project_id = :project_id AND NOT EXISTS (SELECT 1 FROM model_tags t
               WHERE t.project_id = m.project_id AND t.name = m.name AND t.key = :prompt
                   AND LOWER(t.value) = 'true')
           GROUP BY m.name, m.principal, m.created_at ORDER BY m.name""",
        {"project_id": project_id, "prompt": PROMPT_TAG},
    )
    pointing = find_aliases_of(reader, project_id)
    return tuple(_summary(row, pointing.get(str(row["name"]), {})) for row in rows)


def model_row_of(row: Row) -> ModelRow:
    """Return a row of MODEL_COLUMNS."""
    return ModelRow(
        name=str(row["name"]),
        description=str(row["description"]),
        last_version=whole(row, "last_version"),
        has_packages=bool(row["has_packages"]),
        principal=str(row["principal"]),
        created_at=from_micros(whole(row, "created_at")),
        updated_at=from_micros(whole(row, "updated_at")),
    )


def _summary(row: Row, pointing: Mapping[str, int]) -> ModelSummary:
    return ModelSummary(
        name=str(row["name"]),
        latest_version=whole(row, "latest"),
        version_count=whole(row, "version_count"),
        champion=pointing.get("champion", 0),
        challenger=pointing.get("challenger", 0),
        principal=str(row["principal"]),
        created_at=from_micros(whole(row, "created_at")),
    )
