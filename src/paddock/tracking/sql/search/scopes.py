"""Which part of a store a search looks at, and how its statements say so."""

# ruff: noqa: S608 - statements are made of words of this package; values are parameters

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from paddock.kernel.errors import InvalidInput
from paddock.metadata import Reader, SqlValue
from paddock.tracking.search import RunQuery
from paddock.tracking.sql.search.binding import Parameters

# up to so many experiments, each is searched by itself and the answers are merged: its indexes are in order
_MOST_APART = 8
_CHUNK = 1_000
# SQLite takes 32,766 parameters in a statement
_MOST_EXPERIMENTS = 20_000

Lifecycle = Literal["active", "deleted"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Runs of one lifecycle, of some experiments or, where that is None, of all of the project."""

    project_id: str
    experiment_nos: tuple[int, ...] | None
    lifecycle: Lifecycle

    @property
    def is_one(self) -> bool:
        """Whether it is one experiment, so that indexes by experiment are in order."""
        return self.experiment_nos is not None and len(self.experiment_nos) == 1

    def experiments_sql(self, column: str, parameters: Parameters) -> str:
        """Return the condition on a column with the number of an experiment."""
        if self.experiment_nos is None:
            project = parameters.bind(self.project_id)
            return f"{column} IN (SELECT experiment_no FROM experiments WHERE project_id = {project})"
        if self.is_one:
            return f"{column} = {parameters.bind(self.experiment_nos[0])}"
        return f"{column} IN ({parameters.bind_all(self.experiment_nos)})"

    def runs_sql(self, parameters: Parameters) -> str:
        """Return the condition on `runs r`, such that it is read by time from one index."""
        lifecycle = f"r.lifecycle = {parameters.bind(self.lifecycle)}"
        if self.is_one:
            return f"{self.experiments_sql('r.experiment_no', parameters)} AND {lifecycle}"
        project = f"r.project_id = {parameters.bind(self.project_id)} AND {lifecycle}"
        if self.experiment_nos is None:
            return project
        # the sign keeps both engines from the index by experiment, which is not in order for several
        return f"{project} AND {self.experiments_sql('+r.experiment_no', parameters)}"


def plan_scopes(reader: Reader, query: RunQuery) -> tuple[Scope, ...]:
    """Return the scopes whose answers together are the query's, without experiments of other projects.

    InvalidInput for more experiments than a statement can name.
    """
    lifecycles: tuple[Lifecycle, ...] = (
        ("active", "deleted") if query.lifecycle == "all" else (query.lifecycle,)
    )
    if query.experiment_nos is None:
        return tuple(Scope(query.project_id, None, lifecycle) for lifecycle in lifecycles)
    numbers = _own_experiments(reader, query.project_id, sorted(set(query.experiment_nos)))
    if not numbers:
        return ()
    parts = [(number,) for number in numbers] if len(numbers) <= _MOST_APART else [numbers]
    return tuple(Scope(query.project_id, part, lifecycle) for part in parts for lifecycle in lifecycles)


def _own_experiments(reader: Reader, project_id: str, wanted: Sequence[int]) -> tuple[int, ...]:
    if len(wanted) > _MOST_EXPERIMENTS:
        raise InvalidInput(
            f"a search names at most {_MOST_EXPERIMENTS:,} experiments, not {len(wanted):,}",
            hint="search all experiments of the project",
        )
    own: list[int] = []
    for start in range(0, len(wanted), _CHUNK):
        parameters = Parameters()
        numbers = parameters.bind_all(tuple(wanted[start : start + _CHUNK]))
        rows = reader.fetch_all(
            f"SELECT experiment_no FROM experiments WHERE project_id = {parameters.bind(project_id)}"
            f" AND experiment_no IN ({numbers}) ORDER BY experiment_no",
            parameters.values,
        )
        own += [_whole(row["experiment_no"]) for row in rows]
    return tuple(own)


def _whole(value: SqlValue) -> int:
    assert isinstance(value, int)
    return value
