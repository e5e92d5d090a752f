"""Datasets that a run has read, and models that it has read or made."""

import pytest

pytestmark = pytest.mark.mlflow


def small_frame():
    import pandas as pd

    return pd.DataFrame({"hour": [1, 2, 3], "delay": [0.5, 1.5, 2.5]})


def test_dataset_of_a_run_comes_back(mlflow):
    """Name, digest, source, schema and profile of a dataset are those that the client computed."""
    dataset = mlflow.data.from_pandas(small_frame(), name="flights", targets="delay")
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="training")

    (given,) = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("flights", dataset.digest)
    assert given.dataset.profile == '{"num_rows": 3, "num_elements": 6}'
    assert '"name": "delay"' in given.dataset.schema
    assert [(tag.key, tag.value) for tag in given.tags] == [("mlflow.data.context", "training")]


def test_source_of_a_dataset_is_found_again(mlflow):
    """What the client says of the source is enough for it to load the source again."""
    dataset = mlflow.data.from_pandas(small_frame(), source="https://example.com/flights.csv")
    with mlflow.start_run() as run:
        mlflow.log_input(dataset)

    stored = mlflow.get_run(run.info.run_id).inputs.dataset_inputs[0].dataset
    assert mlflow.data.get_source(stored).url == "https://example.com/flights.csv"


def test_same_dataset_again_is_one_input(mlflow):
    """A dataset that a run reads twice stands there once, with what was said first."""
    dataset = mlflow.data.from_pandas(small_frame(), name="flights")
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="training")
        mlflow.log_input(dataset, context="test")

    (given,) = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    assert given.tags[0].value == "training"


def test_run_reads_several_datasets(mlflow):
    """Datasets of other content are inputs of their own, with the tags that they were given."""
    import numpy as np

    with mlflow.start_run() as run:
        mlflow.log_input(mlflow.data.from_pandas(small_frame(), name="flights"), context="training")
        mlflow.log_input(
            mlflow.data.from_numpy(np.arange(4.0), name="weather"), context="test", tags={"station": "JFK"}
        )

    inputs = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    assert {given.dataset.name for given in inputs} == {"flights", "weather"}
    tags = {tag.key: tag.value for given in inputs for tag in given.tags if given.dataset.name == "weather"}
    assert tags == {"mlflow.data.context": "test", "station": "JFK"}


def test_two_runs_share_a_dataset(mlflow):
    """The same dataset is an input of every run that reads it, each with a context of its own."""
    dataset = mlflow.data.from_pandas(small_frame(), name="flights")
    contexts = []
    for context in ("training", "test"):
        with mlflow.start_run() as run:
            mlflow.log_input(dataset, context=context)
        contexts.append(mlflow.get_run(run.info.run_id).inputs.dataset_inputs[0].tags[0].value)

    assert contexts == ["training", "test"]


def test_inputs_are_logged_by_the_client(mlflow, client, experiment_id):
    """MlflowClient.log_inputs takes several datasets at once."""
    entities = mlflow.entities
    run_id = client.create_run(experiment_id).info.run_id
    described = [entities.Dataset(name, "abc123", "local", '{"uri": "/x"}') for name in ("a", "b")]
    tags = [entities.InputTag("mlflow.data.context", "training")]
    client.log_inputs(run_id, [entities.DatasetInput(dataset, tags) for dataset in described])

    inputs = client.get_run(run_id).inputs.dataset_inputs
    assert [(given.dataset.name, given.dataset.source) for given in inputs] == [
        ("a", '{"uri": "/x"}'),
        ("b", '{"uri": "/x"}'),
    ]


def test_models_a_run_has_read_and_made_come_back(mlflow, client, experiment_id):
    """Logged models are linked to the run as inputs and, with their step, as outputs; each once."""
    entities = mlflow.entities
    run_id = client.create_run(experiment_id).info.run_id
    for _ in range(2):
        client.log_inputs(run_id, models=[entities.LoggedModelInput("m-1")])
        client.log_outputs(run_id, [entities.LoggedModelOutput("m-2", 7)])

    run = client.get_run(run_id)
    assert [each.model_id for each in run.inputs.model_inputs] == ["m-1"]
    assert [(each.model_id, each.step) for each in run.outputs.model_outputs] == [("m-2", 7)]


def test_inputs_of_a_deleted_run_are_refused(mlflow, client, experiment_id):
    """A deleted run reads nothing any more."""
    run_id = client.create_run(experiment_id).info.run_id
    client.delete_run(run_id)
    dataset = mlflow.entities.Dataset("a", "abc123", "local", "{}")

    with pytest.raises(mlflow.MlflowException, match="must be in the 'active' state"):
        client.log_inputs(run_id, [mlflow.entities.DatasetInput(dataset, [])])


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "x" * 501, "'name' exceeds the maximum length of 500"),
        ("digest", "x" * 37, "'digest' exceeds the maximum length of 36"),
        ("source", "x" * 65_536, "'source' exceeds the maximum length of 65535"),
        ("schema", "x" * 1_048_576, "'schema' exceeds the maximum length of 1048575"),
        ("name", "", "datasets[0].dataset.name"),
        ("name", 5, "datasets[0].dataset.name"),
    ],
)
def test_dataset_has_limits(api, client, experiment_id, field, value, words):
    """What is missing or too long in the description of a dataset is named."""
    run_id = client.create_run(experiment_id).info.run_id
    dataset = {"name": "a", "digest": "abc123", "source_type": "local", "source": "{}", field: value}

    status, refusal = api("POST", "runs/log-inputs", {"run_id": run_id, "datasets": [{"dataset": dataset}]})

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert words in refusal["message"]


def test_older_clients_note_their_models(api, client, experiment_id):
    """`runs/log-model` adds to the history of models, a tag that older clients read."""
    import json

    run_id = client.create_run(experiment_id).info.run_id
    for path in ("first", "second"):
        model = {
            "artifact_path": path,
            "flavors": {"sklearn": {}},
            "utc_time_created": "now",
            "run_id": run_id,
        }
        assert api("POST", "runs/log-model", {"run_id": run_id, "model_json": json.dumps(model)}) == (200, {})

    noted = json.loads(client.get_run(run_id).data.tags["mlflow.log-model.history"])
    assert [model["artifact_path"] for model in noted] == ["first", "second"]


@pytest.mark.parametrize(
    ("text", "words"), [("{", "not a valid JSON"), ("{}", "artifact_path, flavors, run_id")]
)
def test_model_that_is_none_is_refused(api, client, experiment_id, text, words):
    """What `runs/log-model` is told must be a model."""
    run_id = client.create_run(experiment_id).info.run_id

    status, refusal = api("POST", "runs/log-model", {"run_id": run_id, "model_json": text})

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert words in refusal["message"]


def test_datasets_of_an_experiment_are_listed(mlflow, client, api, experiment_id):
    """MLflow's pages ask which datasets an experiment has: each with each of its contexts, once."""
    for context in ("training", "test", "training"):
        dataset = mlflow.entities.Dataset("flights", "abc123", "local", "{}")
        tags = [mlflow.entities.InputTag("mlflow.data.context", context)]
        run_id = client.create_run(experiment_id).info.run_id
        client.log_inputs(run_id, [mlflow.entities.DatasetInput(dataset, tags)])

    path = "/ajax-api/2.0/mlflow/experiments/search-datasets"
    status, found = api("POST", path, {"experiment_ids": [experiment_id]})

    summary = {"experiment_id": experiment_id, "name": "flights", "digest": "abc123"}
    assert status == 200
    assert found["dataset_summaries"] == [{**summary, "context": "test"}, {**summary, "context": "training"}]


@pytest.mark.parametrize("ids", [[], ["1"] * 21, ["x"]])
def test_datasets_of_too_many_experiments_are_not_listed(api, ids):
    """One to twenty experiments are asked for at once."""
    status, refusal = api("POST", "experiments/search-datasets", {"experiment_ids": ids})

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
