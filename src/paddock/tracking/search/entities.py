"""What each kind of thing can be searched and sorted by: tables of names, read by parser and cursor."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from paddock.tracking.search.expressions import Kind, Operator

# id: text of digits in filters, a whole number when sorted
ValueType = Literal["number", "text", "id"]

NULL_OPERATORS: tuple[Operator, ...] = ("IS NULL", "IS NOT NULL")
NUMBER_OPERATORS: tuple[Operator, ...] = ("=", "!=", ">", ">=", "<", "<=", *NULL_OPERATORS)
METRIC_OPERATORS: tuple[Operator, ...] = (*NUMBER_OPERATORS, "IS NAN")
PAIR_OPERATORS: tuple[Operator, ...] = ("=", "!=", "LIKE", "ILIKE", *NULL_OPERATORS)
TEXT_OPERATORS: tuple[Operator, ...] = (*PAIR_OPERATORS, "IN", "NOT IN")
ID_OPERATORS: tuple[Operator, ...] = ("=", "!=", "IN", "NOT IN", *NULL_OPERATORS)

KIND_WORDS: Mapping[str, Kind] = {
    "metric": "metric",
    "metrics": "metric",
    "param": "param",
    "params": "param",
    "parameter": "param",
    "parameters": "param",
    "tag": "tag",
    "tags": "tag",
    "attribute": "attribute",
    "attributes": "attribute",
    "attr": "attribute",
    "run": "attribute",
    "dataset": "dataset",
    "datasets": "dataset",
}
PLURALS: Mapping[Kind, str] = {
    "attribute": "attributes",
    "metric": "metrics",
    "param": "params",
    "tag": "tags",
    "dataset": "datasets",
}
DATASET_KEYS = ("name", "digest", "context")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column that can be named. aliases: in lower case, as attributes are found without regard to case.

    is_missable: it can be without a value. is_folded: its values are words in lower case, however written.
    """

    type: ValueType
    aliases: tuple[str, ...] = ()
    is_filterable: bool = True
    is_missable: bool = False
    is_folded: bool = False


@dataclass(frozen=True, slots=True)
class Entity:
    """A kind of thing that can be searched.

    name: in the plural, for messages. kinds: what it can be filtered by beside attributes; order_kinds: what
    it can be sorted by beside them. tag_attributes: tags that say the same as an attribute, which is asked
    instead. tie_breaks: attributes that make every order total, with a `-` before a descending one.
    """

    name: str
    attributes: Mapping[str, Attribute]
    kinds: tuple[Kind, ...]
    order_kinds: tuple[Kind, ...] = ()
    tag_attributes: Mapping[str, str] = field(default_factory=dict)
    default_order: tuple[str, ...] = ()
    tie_breaks: tuple[str, ...] = ()

    def find_attribute(self, name: str) -> str:
        """Return the attribute of that name or alias, or an empty string.

        >>> RUNS.find_attribute("Run Name"), RUNS.find_attribute("Created"), RUNS.find_attribute("colour")
        ('run_name', 'start_time', '')
        """
        folded = name.lower()
        return next((known for known, names in self._names() if folded in names), "")

    def _names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        return ((known, (known, *each.aliases)) for known, each in self.attributes.items())


RUNS = Entity(
    "runs",
    {
        "run_id": Attribute("text"),
        "run_name": Attribute("text", ("run name",)),
        "status": Attribute("text", is_folded=True),
        "user_id": Attribute("text"),
        "artifact_uri": Attribute("text"),
        "start_time": Attribute("number", ("created",)),
        "end_time": Attribute("number", is_missable=True),
        "experiment_id": Attribute("id"),
        "parent_id": Attribute("text", is_missable=True),
        "lifecycle": Attribute("text", ("lifecycle_stage",), is_folded=True),
    },
    kinds=("metric", "param", "tag", "dataset"),
    order_kinds=("metric", "param", "tag"),
    tag_attributes={"mlflow.runName": "run_name", "mlflow.parentRunId": "parent_id"},
    tie_breaks=("-start_time", "run_id"),
)

EXPERIMENTS = Entity(
    "experiments",
    {
        "name": Attribute("text"),
        "experiment_id": Attribute("id"),
        "creation_time": Attribute("number"),
        "last_update_time": Attribute("number"),
        "lifecycle": Attribute("text", ("lifecycle_stage",), is_folded=True),
    },
    kinds=("tag",),
    default_order=("-creation_time", "experiment_id"),
    tie_breaks=("-experiment_id",),
)

REGISTERED_MODELS = Entity(
    "registered models",
    {
        "name": Attribute("text"),
        "creation_timestamp": Attribute("number", is_filterable=False),
        "last_updated_timestamp": Attribute("number", ("timestamp",), is_filterable=False),
    },
    kinds=("tag",),
    tie_breaks=("name",),
)

MODEL_VERSIONS = Entity(
    "model versions",
    {
        "name": Attribute("text"),
        "version_number": Attribute("number"),
        "run_id": Attribute("text"),
        "source_path": Attribute("text"),
        "creation_timestamp": Attribute("number", is_filterable=False),
        "last_updated_timestamp": Attribute("number", is_filterable=False),
    },
    kinds=("tag",),
    default_order=("-last_updated_timestamp", "name", "-version_number"),
    tie_breaks=("name", "-version_number"),
)

LOGGED_MODELS = Entity(
    "logged models",
    {
        "name": Attribute("text"),
        "model_id": Attribute("text"),
        "model_type": Attribute("text", is_missable=True),
        "status": Attribute("text", is_folded=True),
        "source_run_id": Attribute("text", is_missable=True),
        "creation_timestamp": Attribute("number", ("creation_time", "creation_timestamp_ms")),
        "last_updated_timestamp": Attribute("number", ("last_updated_time", "last_updated_timestamp_ms")),
    },
    kinds=("metric", "param", "tag"),
    order_kinds=("metric",),
    tie_breaks=("-creation_timestamp", "model_id"),
)
