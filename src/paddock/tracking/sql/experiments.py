"""Experiments and their tags."""

from collections.abc import Mapping, Sequence
from typing import cast

from paddock.kernel.clock import from_micros
from paddock.metadata import Reader, Row, Transaction
from paddock.tracking.records import DEFAULT_EXPERIMENT, Experiment, Lifecycle
from paddock.tracking.sql.stamps import Stamp

_COLUMNS = (
    "experiment_no, experiment_id, name, artifact_location, lifecycle, principal, created_at, updated_at"
)


def ensure_experiment(tx: Transaction, name: str, stamp: Stamp) -> tuple[int, int, Lifecycle]:
    """Return number, id and lifecycle of the experiment of that name, made if there is none."""
    found = find_experiment_key(tx, stamp.actor.project_id, name)
    if found is None:
        insert_experiment(tx, name, "", stamp)
        found = find_experiment_key(tx, stamp.actor.project_id, name)
        assert found is not None, "it was inserted in this transaction"
    return found


def find_experiment_key(reader: Reader, project_id: str, name: str) -> tuple[int, int, Lifecycle] | None:
    row = reader.fetch_one(
        """
        SELECT experiment_no, experiment_id, lifecycle FROM experiments
        WHERE project_id = :project_id AND name = :name
        """,
        {"project_id": project_id, "name": name},
    )
    if row is None:
        return None
    return _whole(row["experiment_no"]), _whole(row["experiment_id"]), cast(Lifecycle, row["lifecycle"])


def find_numbers(reader: Reader, project_id: str, ids: Sequence[int]) -> tuple[int, ...]:
    """Return the numbers of the experiments with these ids that are there, each once."""
    if not ids:
        return ()
    places = ", ".join(str(int(each)) for each in set(ids))
    rows = reader.fetch_all(
        "SELECT experiment_no FROM experiments"  # noqa: S608 - whole numbers
        f" WHERE project_id = :project_id AND experiment_id IN ({places}) ORDER BY experiment_no",
        {"project_id": project_id},
    )
    return tuple(_whole(row["experiment_no"]) for row in rows)


def insert_experiment(tx: Transaction, name: str, artifact_location: str, stamp: Stamp) -> None:
    """Insert with the project's next id; the one named Default has id 0."""
    tx.execute(
        """
        INSERT INTO experiments (project_id, experiment_id, name, artifact_location, lifecycle, principal,
                                 created_at, updated_at)
        SELECT :project_id,
               CASE WHEN :name = :default_name THEN 0 ELSE COALESCE(MAX(experiment_id), 0) + 1 END,
               :name, :artifact_location, 'active', :principal, :now, :now
        FROM experiments WHERE project_id = :project_id
        """,
        {
            "project_id": stamp.actor.project_id,
            "name": name,
            "default_name": DEFAULT_EXPERIMENT,
            "artifact_location": artifact_location,
            "principal": stamp.actor.principal,
            "now": stamp.at_micros,
        },
    )


def find_experiment(
    reader: Reader, project_id: str, *, experiment_id: int | None = None, name: str = ""
) -> tuple[int, Experiment] | None:
    """Return number and experiment by id, or by name where no id is given; its runs are not counted."""
    where = "name = :experiment" if experiment_id is None else "experiment_id = :experiment"
    row = reader.fetch_one(
        f"SELECT {_COLUMNS} FROM experiments WHERE project_id = :project_id AND {where}",  # noqa: S608
        {"project_id": project_id, "experiment": name if experiment_id is None else experiment_id},
    )
    if row is None:
        return None
    number = _whole(row["experiment_no"])
    return number, experiment_of(row, tags=get_tags(reader, [number]).get(number, {}))


def get_tags(reader: Reader, numbers: list[int]) -> dict[int, dict[str, str]]:
    """Return the tags of each experiment that has some."""
    if not numbers:
        return {}
    places = ", ".join(str(number) for number in numbers)
    rows = reader.fetch_all(
        f"SELECT experiment_no, key, value FROM experiment_tags WHERE experiment_no IN ({places})"  # noqa: S608
        " ORDER BY experiment_no, key"
    )
    found: dict[int, dict[str, str]] = {}
    for row in rows:
        found.setdefault(_whole(row["experiment_no"]), {})[str(row["key"])] = str(row["value"])
    return found


def list_experiments(reader: Reader, project_id: str) -> tuple[Experiment, ...]:
    """Return the active experiments with the count of their runs, the one with the newest run first."""
    rows = reader.fetch_all(
        """
        SELECT e.experiment_no, e.experiment_id, e.name, e.artifact_location, e.lifecycle, e.principal,
               e.created_at, e.updated_at, COUNT(r.run_no) AS run_count,
               COALESCE(MAX(r.started_at), e.created_at) AS last_run_at
        FROM experiments e LEFT JOIN runs r ON r.experiment_no = e.experiment_no AND r.lifecycle = 'active'
        WHERE e.project_id = :project_id AND e.lifecycle = 'active'
        GROUP BY e.experiment_no, e.experiment_id, e.name, e.artifact_location, e.lifecycle, e.principal,
                 e.created_at, e.updated_at
        ORDER BY last_run_at DESC, e.name
        """,
        {"project_id": project_id},
    )
    tags = get_tags(reader, [_whole(row["experiment_no"]) for row in rows])
    return tuple(experiment_of(row, tags=tags.get(_whole(row["experiment_no"]), {})) for row in rows)


def list_projects(reader: Reader) -> tuple[str, ...]:
    rows = reader.fetch_all("SELECT DISTINCT project_id FROM experiments ORDER BY project_id")
    return tuple(str(row["project_id"]) for row in rows)


def set_name(tx: Transaction, number: int, name: str, stamp: Stamp) -> None:
    tx.execute(
        "UPDATE experiments SET name = :name, updated_at = :now WHERE experiment_no = :number",
        {"name": name, "now": stamp.at_micros, "number": number},
    )


def set_lifecycle(tx: Transaction, number: int, lifecycle: Lifecycle, stamp: Stamp) -> None:
    tx.execute(
        "UPDATE experiments SET lifecycle = :lifecycle, updated_at = :now WHERE experiment_no = :number",
        {"lifecycle": lifecycle, "now": stamp.at_micros, "number": number},
    )


def set_tags(tx: Transaction, number: int, tags: Mapping[str, str], stamp: Stamp) -> None:
    tx.execute_many(
        """
        INSERT INTO experiment_tags (experiment_no, key, value, principal)
        VALUES (:number, :key, :value, :principal)
        ON CONFLICT (experiment_no, key) DO UPDATE SET value = excluded.value, principal = excluded.principal
        """,
        [
            {"number": number, "key": key, "value": value, "principal": stamp.actor.principal}
            for key, value in tags.items()
        ],
    )


def touch(tx: Transaction, number: int, stamp: Stamp) -> None:
    """Note that the experiment was changed now."""
    tx.execute(
        "UPDATE experiments SET updated_at = :now WHERE experiment_no = :number",
        {"now": stamp.at_micros, "number": number},
    )


def delete_tag(tx: Transaction, number: int, key: str) -> int:
    return tx.execute(
        "DELETE FROM experiment_tags WHERE experiment_no = :number AND key = :key",
        {"number": number, "key": key},
    )


def experiment_of(row: Row, *, tags: Mapping[str, str]) -> Experiment:
    """Return the experiment of a row; `run_count` and `last_run_at` where the row has them."""
    last_run_at = row.get("last_run_at")
    return Experiment(
        experiment_id=str(row["experiment_id"]),
        name=str(row["name"]),
        lifecycle=cast(Lifecycle, row["lifecycle"]),
        artifact_location=str(row["artifact_location"]),
        principal=str(row["principal"]),
        created_at=from_micros(_whole(row["created_at"])),
        updated_at=from_micros(_whole(row["updated_at"])),
        run_count=_whole(row.get("run_count", 0)),
        last_run_at=None if last_run_at is None else from_micros(_whole(last_run_at)),
        tags=tags,
    )


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
