"""Where the things that runs are searched by are found: in columns of `runs r`, by key, and in indexes.

A lookup is a subquery of one value by the primary key (run_no, key): neither engine can turn it into a join
over all runs, so its cost is the same few microseconds whatever the statistics say.
"""

# ruff: noqa: S608 - statements are made of words of this package; values are parameters

from dataclasses import dataclass

from paddock.tracking.search import Comparison, Expression
from paddock.tracking.search.cursor import ORDER_CHARACTERS
from paddock.tracking.sql.search.binding import Parameters
from paddock.tracking.sql.search.conditions import ColumnSql, LookupSql, Targets, TargetSql
from paddock.tracking.sql.search.scopes import Scope

# what the indexes of params and tags hold of a value
HEAD_CHARACTERS = 64

TABLES = {"metric": "run_metrics", "param": "run_params", "tag": "run_tags"}
# columns of runs with an index by experiment
INDEXED_COLUMNS = {"run_name": "name", "status": "status"}
_LAST_CHARACTER = "\U0010ffff"
_ARTIFACT_URI = """(SELECT CASE WHEN e.artifact_location = '' THEN 'mlflow-artifacts:/' || e.experiment_id
 ELSE RTRIM(e.artifact_location, '/') END || '/' || r.run_id || '/artifacts'
 FROM experiments e WHERE e.experiment_no = r.experiment_no)"""
_EXPERIMENT_ID = "(SELECT e.experiment_id FROM experiments e WHERE e.experiment_no = r.experiment_no)"
_ATTRIBUTES = {
    "run_id": ColumnSql("r.run_id"),
    "run_name": ColumnSql("r.name"),
    "status": ColumnSql("r.status", fold="lower"),
    "user_id": ColumnSql("r.user_name"),
    "artifact_uri": ColumnSql(_ARTIFACT_URI),
    "start_time": ColumnSql("r.started_at", unit="milliseconds"),
    "end_time": ColumnSql("r.ended_at", is_nullable=True, unit="milliseconds"),
    "experiment_id": ColumnSql(_EXPERIMENT_ID, unit="whole"),
    "parent_id": ColumnSql("NULLIF(r.parent_id, '')", is_nullable=True),
    "lifecycle": ColumnSql("r.lifecycle", fold="lower"),
}


@dataclass(frozen=True, slots=True)
class Driver:
    """An index range that holds the runs for which a comparison is true.

    is_exact: it holds no others, so that the comparison need not be tested again.
    """

    comparison: Comparison
    is_exact: bool

    def select(self, scope: Scope, parameters: Parameters) -> str:
        """Return a statement that gives `run_no`, read from the index alone."""
        target = self.comparison.target
        if target.kind == "attribute":
            return self._select_runs(scope, parameters)
        return (
            f"SELECT x.run_no FROM {TABLES[target.kind]} x"
            f" WHERE {scope.experiments_sql('x.experiment_no', parameters)}"
            f" AND x.key = {parameters.bind(target.key)}{self._range(parameters)}"
        )

    def _select_runs(self, scope: Scope, parameters: Parameters) -> str:
        value = self.comparison.value
        if self.comparison.target.key == "parent_id":
            project, parent = parameters.bind(scope.project_id), parameters.bind(str(value))
            return f"SELECT x.run_no FROM runs x WHERE x.project_id = {project} AND x.parent_id = {parent}"
        names = parameters.bind_all(value if isinstance(value, tuple) else (str(value),))
        if self.comparison.target.key == "run_id":
            return f"SELECT x.run_no FROM runs x WHERE x.run_id IN ({names})"
        column = f"x.{INDEXED_COLUMNS[self.comparison.target.key]}"
        test = f"{column} IN ({names})"
        if self.comparison.operator == "LIKE":
            test = _begins(column, literal_prefix(self.comparison), parameters)
        return (
            f"SELECT x.run_no FROM runs x"
            f" WHERE {scope.experiments_sql('x.experiment_no', parameters)} AND {test}"
        )

    def _range(self, parameters: Parameters) -> str:
        value, operator = self.comparison.value, self.comparison.operator
        if operator == "IS NOT NULL":
            return ""
        if operator == "IS NAN":
            return " AND x.value IS NULL"
        if not isinstance(value, str):
            return (
                f" AND x.value {operator} {parameters.bind(float(value))}"
                if isinstance(value, int | float)
                else ""
            )
        head = f"substr(x.value, 1, {HEAD_CHARACTERS})"
        if operator == "=":
            return f" AND {head} = {parameters.bind(value[:HEAD_CHARACTERS])}"
        return f" AND {_begins(head, literal_prefix(self.comparison), parameters)}"


def find_driver(expression: Expression) -> Driver | None:
    """Return the index range for a comparison that has one.

    >>> from paddock.tracking.search import Target
    >>> find_driver(Comparison(Target("param", "model"), "!=", "forest")) is None
    True
    """
    if not isinstance(expression, Comparison):
        return None
    kind, operator, value = expression.target.kind, expression.operator, expression.value
    if kind == "attribute":
        return _attribute_driver(expression)
    if kind == "dataset":
        return None
    if operator == "IS NOT NULL":
        return Driver(expression, is_exact=True)
    if kind == "metric":
        return Driver(expression, is_exact=True) if operator in (*RANGE_OPERATORS, "IS NAN") else None
    if operator == "=" and isinstance(value, str):
        return Driver(expression, is_exact=len(value) < HEAD_CHARACTERS)
    if operator == "LIKE" and literal_prefix(expression):
        return Driver(expression, is_exact=False)
    return None


RANGE_OPERATORS = ("=", ">", ">=", "<", "<=")


def run_targets(run_no: str) -> Targets:
    """Return where the targets of a run are found. run_no: how the statement calls its number."""
    keyed = {
        kind: LookupSql(
            f"COALESCE((SELECT {{test}} FROM {table} x"
            f" WHERE x.run_no = {run_no} AND x.key = {{key}}), FALSE)",
            "x.value",
            has_nan=kind == "metric",
        )
        for kind, table in TABLES.items()
    }
    named: dict[tuple[str, str], TargetSql] = {
        **{("attribute", name): column for name, column in _ATTRIBUTES.items()},
        ("dataset", "name"): _dataset_lookup(run_no, "d.name", "i.dataset_name"),
        ("dataset", "digest"): _dataset_lookup(run_no, "d.digest", "CAST(i.dataset_version AS TEXT)"),
        ("dataset", "context"): _dataset_lookup(run_no, "NULLIF(i.context, '')", "NULLIF(i.role, '')"),
    }
    return Targets(named, keyed)


def text_after(prefix: str) -> str:
    """Return the first text behind all those that begin with `prefix`, empty when there is none.

    >>> text_after("ab"), text_after("a\U0010ffff"), text_after("\ud7ff") == "\ue000"
    ('ac', 'b', True)
    """
    kept = prefix.rstrip(_LAST_CHARACTER)
    if not kept:
        return ""
    following = ord(kept[-1]) + 1
    # surrogates are no characters
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)


def literal_prefix(comparison: Comparison) -> str:
    """Return with what a text begins that fits a LIKE, as far as the index goes.

    >>> from paddock.tracking.search import Target
    >>> literal_prefix(Comparison(Target("tag", "a"), "LIKE", "ab_d%"))
    'ab'
    """
    pattern = str(comparison.value)[:HEAD_CHARACTERS]
    return pattern.partition("%")[0].partition("_")[0]


def ordering_head(value: str) -> str:
    """Return SQL of the part of a text by which it is sorted."""
    return f"substr({value}, 1, {ORDER_CHARACTERS})"


def _attribute_driver(comparison: Comparison) -> Driver | None:
    name, operator = comparison.target.key, comparison.operator
    if name in ("run_id", *INDEXED_COLUMNS) and operator in ("=", "IN"):
        return Driver(comparison, is_exact=True)
    if name == "parent_id" and operator == "=" and comparison.value:
        return Driver(comparison, is_exact=True)
    if name == "run_name" and operator == "LIKE" and literal_prefix(comparison):
        return Driver(comparison, is_exact=False)
    return None


def _begins(column: str, prefix: str, parameters: Parameters) -> str:
    end = text_after(prefix)
    below = f" AND {column} < {parameters.bind(end)}" if end else ""
    return f"{column} >= {parameters.bind(prefix)}{below}"


def _dataset_lookup(run_no: str, described: str, own: str) -> LookupSql:
    return LookupSql(
        f"EXISTS (SELECT 1 FROM (SELECT {described} AS value FROM run_described_inputs i"
        f" JOIN described_datasets d ON d.dataset_no = i.dataset_no WHERE i.run_no = {run_no}"
        f" UNION ALL SELECT {own} FROM run_inputs i WHERE i.run_no = {run_no}) x"
        " WHERE x.value IS NOT NULL AND {test})",
        "x.value",
    )
