"""Params, which are set once, and tags, which are not."""

import pytest

pytestmark = pytest.mark.mlflow

BAD_KEYS = ["a?b", "a/../b", "/a", "a/", "..", "a\nb", "a" * 251]
GOOD_KEYS = [
    "a",
    "train/depth",
    "learning rate",
    "optimizer:beta_1",
    "v1.0-rc",
    ".hidden",
    "größe",
    "a" * 250,
]


def test_params_come_back_as_text(mlflow):
    """Whatever a param is, it is text on the server, and `log_param` returns it as it was given."""
    with mlflow.start_run() as run:
        assert mlflow.log_param("depth", 6) == 6
        mlflow.log_params({"rate": 0.1, "shuffle": True, "layers": [8, 4], "none": None})

    assert mlflow.get_run(run.info.run_id).data.params == {
        "depth": "6",
        "rate": "0.1",
        "shuffle": "True",
        "layers": "[8, 4]",
        "none": "None",
    }


def test_same_value_again_is_fine(mlflow):
    """A param may be logged again with the value that it has."""
    with mlflow.start_run() as run:
        mlflow.log_param("depth", 6)
        mlflow.log_param("depth", 6)
        mlflow.log_params({"depth": 6, "rate": 0.1})

    assert mlflow.get_run(run.info.run_id).data.params == {"depth": "6", "rate": "0.1"}


def test_other_value_is_refused(mlflow):
    """A param does not change: the message has the key and both values, and the first one stays."""
    with mlflow.start_run() as run:
        mlflow.log_param("depth", 6)
        words = "Changing param values is not allowed. Param with key='depth' .* value='6' .* new value '7'"
        with pytest.raises(mlflow.MlflowException, match=words) as caught:
            mlflow.log_param("depth", 7)

    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert mlflow.get_run(run.info.run_id).data.params == {"depth": "6"}


def test_batch_with_a_changed_param_stores_nothing(mlflow, client, experiment_id):
    """One param that would change keeps the whole batch out, its metrics and tags as well."""
    run_id = client.create_run(experiment_id).info.run_id
    client.log_param(run_id, "depth", "6")
    before = client.get_run(run_id).data.to_dictionary()

    with pytest.raises(mlflow.MlflowException, match="Changing param values is not allowed"):
        client.log_batch(
            run_id,
            metrics=[mlflow.entities.Metric("loss", 0.5, 1, 0)],
            params=[mlflow.entities.Param("rate", "0.1"), mlflow.entities.Param("depth", "7")],
            tags=[mlflow.entities.RunTag("team", "delays")],
        )

    assert client.get_run(run_id).data.to_dictionary() == before


def test_long_value_of_a_param_is_cut(mlflow):
    """A param keeps the first 6,000 characters of its value."""
    with mlflow.start_run() as run:
        mlflow.log_param("text", "x" * 6_000 + "y")

    assert mlflow.get_run(run.info.run_id).data.params["text"] == "x" * 6_000


def test_long_value_of_a_tag_is_cut(mlflow):
    """A tag keeps the first 8,000 characters of its value."""
    with mlflow.start_run() as run:
        mlflow.set_tag("text", "x" * 8_000 + "y")

    assert mlflow.get_run(run.info.run_id).data.tags["text"] == "x" * 8_000


def test_values_are_measured_in_characters(mlflow):
    """Text that takes several bytes a character may be as long as any other."""
    with mlflow.start_run() as run:
        mlflow.log_param("text", "長" * 6_000)
        mlflow.set_tag("text", "𝄞" * 8_000)

    stored = mlflow.get_run(run.info.run_id).data
    assert (stored.params["text"], stored.tags["text"]) == ("長" * 6_000, "𝄞" * 8_000)


def test_empty_value_is_a_value(mlflow):
    """A param and a tag may be empty."""
    with mlflow.start_run() as run:
        mlflow.log_param("nothing", "")
        mlflow.set_tag("nothing", "")

    stored = mlflow.get_run(run.info.run_id).data
    assert (stored.params["nothing"], stored.tags["nothing"]) == ("", "")


def test_many_params_and_tags_are_sent_in_parts(mlflow):
    """The client splits what one batch cannot hold, and all of it arrives."""
    wanted = {f"key {number}": str(number) for number in range(250)}
    with mlflow.start_run() as run:
        mlflow.log_params(wanted)
        mlflow.set_tags(wanted)

    stored = mlflow.get_run(run.info.run_id).data
    assert stored.params == wanted
    assert stored.tags.items() >= wanted.items()


def test_text_of_any_script_comes_back(mlflow):
    """Values keep their characters, quotes, line ends and tabs."""
    text = "größer ≥ 5 'quoted' \"double\" \\ back\nnext\tline 🛫 機械学習"
    with mlflow.start_run() as run:
        mlflow.log_param("text", text)
        mlflow.set_tag("text", text)

    stored = mlflow.get_run(run.info.run_id).data
    assert (stored.params["text"], stored.tags["text"]) == (text, text)


@pytest.mark.parametrize("key", GOOD_KEYS)
def test_names_mlflow_allows_are_taken(mlflow, key):
    """Letters of any script, digits, `_`, `-`, `.`, `:`, spaces and slashes make a name."""
    with mlflow.start_run() as run:
        mlflow.log_param(key, "1")
        mlflow.set_tag(key, "2")
        mlflow.log_metric(key, 3)

    stored = mlflow.get_run(run.info.run_id).data
    assert (stored.params[key], stored.tags[key], stored.metrics[key]) == ("1", "2", 3.0)


@pytest.mark.parametrize("place", ["runs/log-parameter", "runs/set-tag", "runs/log-metric"])
@pytest.mark.parametrize("key", BAD_KEYS)
def test_names_mlflow_refuses_are_refused(api, client, experiment_id, place, key):
    """A name that would lead elsewhere as a path, or is too long, is refused and nothing is stored."""
    run_id = client.create_run(experiment_id).info.run_id
    value = 1 if place == "runs/log-metric" else "1"

    status, refusal = api("POST", place, {"run_id": run_id, "key": key, "value": value, "timestamp": 1})

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    stored = client.get_run(run_id).data
    assert (stored.params, stored.metrics, key in stored.tags) == ({}, {}, False)


def test_tag_is_overwritten(mlflow):
    """The last value of a tag counts."""
    with mlflow.start_run() as run:
        mlflow.set_tag("stage", "draft")
        mlflow.set_tags({"stage": "final", "team": "delays"})

    tags = mlflow.get_run(run.info.run_id).data.tags
    assert (tags["stage"], tags["team"]) == ("final", "delays")


def test_deleted_tag_is_gone(mlflow):
    """A tag that was deleted is not there any more and can be set again."""
    with mlflow.start_run() as run:
        mlflow.set_tags({"stage": "draft", "team": "delays"})
        mlflow.delete_tag("stage")
        tags = mlflow.get_run(run.info.run_id).data.tags
        assert ("stage" in tags, tags["team"]) == (False, "delays")
        mlflow.set_tag("stage", "again")

    assert mlflow.get_run(run.info.run_id).data.tags["stage"] == "again"


def test_tag_that_is_not_there_cannot_be_deleted(mlflow):
    """The message names the tag and the run."""
    with mlflow.start_run() as run:
        words = f"No tag with name: nope in run with id {run.info.run_id}"
        with pytest.raises(mlflow.MlflowException, match=words) as caught:
            mlflow.delete_tag("nope")

    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_dictionary_of_the_run_has_all(mlflow):
    """`Run.to_dictionary` shows what was logged."""
    with mlflow.start_run(run_name="all") as run:
        mlflow.log_param("depth", 6)
        mlflow.log_metric("loss", 0.5)

    shown = mlflow.get_run(run.info.run_id).to_dictionary()
    assert (shown["data"]["params"], shown["data"]["metrics"]) == ({"depth": "6"}, {"loss": 0.5})
    assert shown["info"]["run_name"] == "all"
