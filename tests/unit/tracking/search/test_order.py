"""What a list is sorted by, and what makes that order total."""

import pytest

from paddock.kernel.errors import InvalidInput
from paddock.tracking.search import (
    EXPERIMENTS,
    LOGGED_MODELS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    RUNS,
    OrderKey,
    Target,
    full_order,
    parse_order,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.auc", OrderKey(Target("metric", "auc"))),
        ("metric.`a b` ASC", OrderKey(Target("metric", "a b"))),
        ("params.depth desc", OrderKey(Target("param", "depth"), is_descending=True)),
        ("tags.mlflow.user DESC", OrderKey(Target("tag", "mlflow.user"), is_descending=True)),
        ("tags.mlflow.runName", OrderKey(Target("attribute", "run_name"))),
        ("attributes.start_time DESC", OrderKey(Target("attribute", "start_time"), is_descending=True)),
        ("Created", OrderKey(Target("attribute", "start_time"))),
        ("`Run Name`", OrderKey(Target("attribute", "run_name"))),
    ],
)
def test_key_is_understood(text, expected):
    """A key is a target, and a direction that is upwards unless it says so."""
    assert parse_order([text], RUNS) == (expected,)


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 1, "expected what to sort by"),
        ("DESC x", 1, "no attribute `DESC`"),
        ("metrics.auc DOWN", 13, "expected `ASC`, `DESC` or the end"),
        ("metrics.auc DESC, metrics.f1", 17, "each key is a text of its own"),
        ("metrics.auc > 5", 13, "expected `ASC`"),
        ("datasets.name", 1, "runs are sorted by `attributes`, `metrics`, `params` or `tags`"),
        ("colour", 1, "no attribute `colour`"),
    ],
)
def test_fault_is_pointed_at(text, position, words):
    """An error names the character at which an order is wrong, and what is expected there."""
    with pytest.raises(InvalidInput) as caught:
        parse_order([text], RUNS)

    assert caught.value.details["position"] == position
    assert words in caught.value.message


def test_keys_stand_once_and_are_few():
    """A key that stands twice is refused, and so are more keys than anybody sorts by."""
    with pytest.raises(InvalidInput, match=r"names `attributes\.start_time` twice"):
        parse_order(["start_time", "created DESC"], RUNS)
    with pytest.raises(InvalidInput, match="at most 8 keys, not 9"):
        parse_order([f"metrics.m{number}" for number in range(9)], RUNS)


@pytest.mark.parametrize(
    ("entity", "given", "expected"),
    [
        (RUNS, [], ["-start_time", "run_id"]),
        (RUNS, ["metrics.auc"], ["auc", "-start_time", "run_id"]),
        (RUNS, ["start_time ASC"], ["start_time", "run_id"]),
        (EXPERIMENTS, [], ["-creation_time", "experiment_id"]),
        (EXPERIMENTS, ["name"], ["name", "-experiment_id"]),
        (REGISTERED_MODELS, ["timestamp DESC"], ["-last_updated_timestamp", "name"]),
        (MODEL_VERSIONS, [], ["-last_updated_timestamp", "name", "-version_number"]),
        (MODEL_VERSIONS, ["version_number"], ["version_number", "name"]),
        (LOGGED_MODELS, ["metrics.auc"], ["auc", "-creation_timestamp", "model_id"]),
    ],
)
def test_order_becomes_total(entity, given, expected):
    """Keys are added until no two things are equal in all, as MLflow adds them."""
    keys = full_order(parse_order(given, entity), entity)

    assert [f"{'-' if key.is_descending else ''}{key.target.key}" for key in keys] == expected
