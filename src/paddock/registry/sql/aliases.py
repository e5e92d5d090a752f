"""Rows of the moves of aliases. The newest move of an alias is where it stands."""

from collections.abc import Sequence
from typing import cast

from paddock.kernel.clock import from_micros, to_micros
from paddock.kernel.refs import ProjectId
from paddock.metadata import Reader, Row, Transaction
from paddock.registry.records import AliasChange, ChangeKind, WayBack
from paddock.registry.sql.cells import placeholders, whole

_POINTING = """SELECT c.name, c.alias, c.to_version FROM alias_changes c
    WHERE c.project_id = :project_id AND c.to_version > 0
        AND NOT EXISTS (SELECT 1 FROM alias_changes d
            WHERE d.project_id = c.project_id AND d.name = c.name AND d.alias = c.alias
                AND d.sequence > c.sequence)"""


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


def list_all_changes(reader: Reader, project_id: ProjectId, name: str) -> tuple[AliasChange, ...]:
    """Return the moves of every alias of a model, the oldest first."""
    rows = reader.fetch_all(
        """SELECT * FROM alias_changes WHERE project_id = :project_id AND name = :name
           ORDER BY created_at, alias, sequence""",
        {"project_id": project_id, "name": name},
    )
    return tuple(_change(row) for row in rows)


def find_last_change(reader: Reader, project_id: ProjectId, name: str, alias: str) -> AliasChange | None:
    """Return the newest move of an alias, None when it never moved."""
    row = reader.fetch_one(
        """SELECT * FROM alias_changes
           WHERE project_id = :project_id AND name = :name AND alias = :alias
           ORDER BY sequence DESC LIMIT 1""",
        {"project_id": project_id, "name": name, "alias": alias},
    )
    return None if row is None else _change(row)


def find_aliases(reader: Reader, project_id: ProjectId, name: str) -> dict[str, int]:
    """Return where each alias of a model points now; those that point nowhere are left out."""
    rows = reader.fetch_all(
        f"{_POINTING} AND c.name = :name ORDER BY c.alias", {"project_id": project_id, "name": name}
    )
    return {str(row["alias"]): whole(row, "to_version") for row in rows}


def find_aliases_of(
    reader: Reader, project_id: ProjectId, names: Sequence[str] | None = None
) -> dict[str, dict[str, int]]:
    """Return where the aliases point by model. names: of these models; None means of all."""
    places, params = placeholders("name", names or ())
    condition = "" if names is None else f" AND c.name IN ({places})"
    rows = reader.fetch_all(
        f"{_POINTING}{condition} ORDER BY c.name, c.alias", {"project_id": project_id, **params}
    )
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(str(row["name"]), {})[str(row["alias"])] = whole(row, "to_version")
    return found


def move_changes(tx: Transaction, project_id: ProjectId, name: str, new_name: str) -> None:
    """Give the history of a model's aliases to the model of another name."""
    tx.execute(
        "UPDATE alias_changes SET name = :new_name WHERE project_id = :project_id AND name = :name",
        {"project_id": project_id, "name": name, "new_name": new_name},
    )


def delete_changes(tx: Transaction, project_id: ProjectId, name: str) -> None:
    """Delete the history of a model's aliases; the ledger still has it."""
    tx.execute(
        "DELETE FROM alias_changes WHERE project_id = :project_id AND name = :name",
        {"project_id": project_id, "name": name},
    )


def _change(row: Row) -> AliasChange:
    return AliasChange(
        name=str(row["name"]),
        alias=str(row["alias"]),
        sequence=whole(row, "sequence"),
        kind=cast(ChangeKind, row["kind"]),
        from_version=whole(row, "from_version"),
        to_version=whole(row, "to_version"),
        reason=str(row["reason"]),
        report_id=str(row["report_id"]),
        way_back=cast(WayBack, row["way_back"]),
        principal=str(row["principal"]),
        at=from_micros(whole(row, "created_at")),
    )
