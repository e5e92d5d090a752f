"""Which keys there are, and how many runs have each: read by jumps through the indexes, not from all runs."""

# ruff: noqa: S608 - statements are made of words of this package; values are parameters

from dataclasses import dataclass

from paddock.metadata import Reader
from paddock.tracking.sql.search.binding import Parameters
from paddock.tracking.sql.search.run_targets import TABLES

# one jump for each key and experiment
_MOST_EXPERIMENTS = 50
_MOST_KEYS = 1_000
MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key, and how many runs have it; beyond MOST_COUNTED they are not counted."""

    key: str
    run_count: int


def list_keys(
    reader: Reader, project_id: str, experiment_nos: tuple[int, ...] | None, kind: str, limit: int
) -> tuple[KeyUse, ...]:
    """Return keys of a kind, such as `metric`, that runs of these experiments have; most used first.

    experiment_nos: None for all of the project. Of more than 50 experiments the newest are looked at, and of
    more than 1,000 keys the first by name. Deleted runs count.
    """
    parameters = Parameters()
    least = f"SELECT MIN(m.key) FROM {TABLES[kind]} m WHERE m.experiment_no = e.experiment_no"
    rows = reader.fetch_all(
        f"WITH RECURSIVE e AS ({_experiments(project_id, experiment_nos, parameters)}),"
        f" k(key, place) AS (SELECT (SELECT MIN(({least})) FROM e), 1 UNION ALL"
        f" SELECT (SELECT MIN(({least} AND m.key > k.key)) FROM e), k.place + 1 FROM k"
        f" WHERE k.key IS NOT NULL AND k.place < {parameters.bind(_MOST_KEYS)})"
        f" SELECT k.key, (SELECT COUNT(*) FROM (SELECT 1 FROM e CROSS JOIN {TABLES[kind]} m"
        " WHERE m.experiment_no = e.experiment_no AND m.key = k.key"
        f" LIMIT {parameters.bind(MOST_COUNTED)}) c) AS runs"
        f" FROM k WHERE k.key IS NOT NULL ORDER BY runs DESC, k.key LIMIT {parameters.bind(limit)}",
        parameters.values,
    )
    return tuple(KeyUse(str(row["key"]), int(str(row["runs"]))) for row in rows)


def _experiments(project_id: str, experiment_nos: tuple[int, ...] | None, parameters: Parameters) -> str:
    chosen = ""
    if experiment_nos is not None:
        newest = sorted(experiment_nos, reverse=True)[:_MOST_EXPERIMENTS]
        chosen = f" AND experiment_no IN ({parameters.bind_all(tuple(newest)) or 'NULL'})"
    return (
        f"SELECT experiment_no FROM experiments WHERE project_id = {parameters.bind(project_id)}{chosen}"
        f" ORDER BY experiment_no DESC LIMIT {parameters.bind(_MOST_EXPERIMENTS)}"
    )
