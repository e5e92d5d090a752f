"""Logged models, as MLflow's clients make, finalize, measure, tag, find and delete them."""

import math
import uuid

import pytest

pytestmark = pytest.mark.mlflow


def refusal(mlflow, words):
    return pytest.raises(mlflow.exceptions.MlflowException, match=words)


def names(page):
    return [each.name for each in page]


def test_model_is_read_as_it_was_created(client, mlflow, experiment_id):
    """A new model is pending; name, type, run, params and tags come back."""
    with mlflow.start_run() as run:
        made = client.create_logged_model(
            experiment_id,
            name="forest",
            source_run_id=run.info.run_id,
            params={"depth": "6"},
            tags={"team": "ops"},
            model_type="agent",
        )

    found = client.get_logged_model(made.model_id)
    assert (found.name, found.model_type, found.status) == ("forest", "agent", "PENDING")
    assert (found.experiment_id, found.source_run_id) == (experiment_id, run.info.run_id)
    assert (found.params, found.tags) == ({"depth": "6"}, {"team": "ops"})
    assert found.model_id.startswith("m-")
    assert found.artifact_location == f"mlflow-artifacts:/{experiment_id}/models/{made.model_id}/artifacts"
    assert found.model_uri == f"models:/{made.model_id}"


@pytest.mark.parametrize("status", ["READY", "FAILED"])
def test_model_is_finalized(client, experiment_id, status):
    """A pending model becomes ready or failed."""
    model_id = client.create_logged_model(experiment_id).model_id

    assert client.finalize_logged_model(model_id, status).status == status
    assert client.get_logged_model(model_id).status == status


@pytest.mark.parametrize("status", [2, "2", "LOGGED_MODEL_READY"])
def test_status_may_be_a_number(client, api, experiment_id, status):
    """An enum travels as its name or its number."""
    model_id = client.create_logged_model(experiment_id).model_id

    code, body = api("PATCH", f"logged-models/{model_id}", {"model_id": model_id, "status": status})

    assert (code, body["model"]["info"]["status"]) == (200, "LOGGED_MODEL_READY")


def test_unnamed_model_gets_a_name(client, experiment_id):
    """A model without a name is given one."""
    assert client.create_logged_model(experiment_id).name


@pytest.mark.parametrize("name", ["a/b", "a:b", "a.b", "50%", "it's"])
def test_odd_name_is_invalid(mlflow, client, experiment_id, name):
    """Characters that MLflow refuses in names are refused."""
    with refusal(mlflow, "Invalid model name") as caught:
        client.create_logged_model(experiment_id, name=name)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_unknown_model_does_not_exist(mlflow, client):
    """An id that nobody has is RESOURCE_DOES_NOT_EXIST."""
    with refusal(mlflow, "Logged model with ID 'm-unknown' not found") as caught:
        client.get_logged_model("m-unknown")
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_unknown_experiment_takes_no_model(mlflow, client):
    """A model is made in an experiment that is there."""
    with refusal(mlflow, "No Experiment with id=987654 exists") as caught:
        client.create_logged_model("987654")
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_tags_are_set_and_deleted(mlflow, client, experiment_id):
    """A tag has its last value; one that is not there cannot be deleted."""
    model_id = client.create_logged_model(experiment_id, tags={"a": "1"}).model_id
    client.set_logged_model_tags(model_id, {"a": "2", "b": "3"})
    client.delete_logged_model_tag(model_id, "b")

    assert client.get_logged_model(model_id).tags == {"a": "2"}
    with refusal(mlflow, "No tag with key 'b' found"):
        client.delete_logged_model_tag(model_id, "b")


def test_params_are_added(mlflow, client, experiment_id):
    """Params come later too, in more than one request when there are many."""
    model_id = client.create_logged_model(experiment_id, params={"a": "1"}).model_id
    client.log_model_params(model_id, {f"p{number}": str(number) for number in range(250)})

    params = client.get_logged_model(model_id).params
    assert (len(params), params["a"], params["p249"]) == (251, "1", "249")


def test_deleted_model_is_gone(mlflow, client, experiment_id):
    """A deleted model is not got and not found, but for who asks for deleted ones."""
    model_id = client.create_logged_model(experiment_id).model_id
    client.delete_logged_model(model_id)

    with refusal(mlflow, "not found"):
        client.get_logged_model(model_id)
    assert client.search_logged_models([experiment_id]) == []


def test_deleted_model_is_shown_to_who_asks(client, api, experiment_id):
    """The query `allow_deleted` shows what was deleted."""
    model_id = client.create_logged_model(experiment_id).model_id
    client.delete_logged_model(model_id)

    status, body = api("GET", f"logged-models/{model_id}?allow_deleted=true")

    assert (status, body["model"]["info"]["model_id"]) == (200, model_id)


def test_metric_of_a_run_stands_in_its_model(mlflow, client, experiment_id):
    """A point that names a model is a point of the run and of the model."""
    with mlflow.start_run() as run:
        model_id = client.create_logged_model(experiment_id, source_run_id=run.info.run_id).model_id
        mlflow.log_metric("auc", 0.7, step=1, model_id=model_id)
        mlflow.log_metrics({"auc": 0.8, "loss": 0.2}, step=2, model_id=model_id)

    points = [(each.key, each.value, each.step) for each in client.get_logged_model(model_id).metrics]
    assert sorted(points) == [("auc", 0.7, 1), ("auc", 0.8, 2), ("loss", 0.2, 2)]
    assert {each.run_id for each in client.get_logged_model(model_id).metrics} == {run.info.run_id}
    assert client.get_run(run.info.run_id).data.metrics == {"auc": 0.8, "loss": 0.2}


def test_point_sent_twice_counts_once(client, experiment_id):
    """A retried request adds nothing."""
    run_id = client.create_run(experiment_id).info.run_id
    model_id = client.create_logged_model(experiment_id).model_id
    for _ in range(2):
        client.log_metric(run_id, "auc", 0.7, timestamp=1_000, step=1, model_id=model_id)

    assert len(client.get_logged_model(model_id).metrics) == 1


def test_not_a_number_is_read_as_such(client, experiment_id):
    """NaN stays NaN, and an infinity is the largest float."""
    run_id = client.create_run(experiment_id).info.run_id
    model_id = client.create_logged_model(experiment_id).model_id
    client.log_metric(run_id, "loss", math.nan, model_id=model_id)
    client.log_metric(run_id, "top", math.inf, model_id=model_id)

    values = {each.key: each.value for each in client.get_logged_model(model_id).metrics}
    assert math.isnan(values["loss"])
    assert values["top"] > 1.7e308


def test_metric_of_an_unknown_model_is_refused_whole(mlflow, client, experiment_id):
    """Neither run nor model has a point whose model is not there."""
    run_id = client.create_run(experiment_id).info.run_id

    with refusal(mlflow, "Logged model with ID 'm-unknown' not found"):
        client.log_metric(run_id, "auc", 0.7, model_id="m-unknown")
    assert client.get_run(run_id).data.metrics == {}


def test_point_knows_its_dataset(client, experiment_id):
    """What a model was measured on stands beside the value."""
    run_id = client.create_run(experiment_id).info.run_id
    model_id = client.create_logged_model(experiment_id).model_id
    client.log_metric(run_id, "auc", 0.7, model_id=model_id, dataset_name="flights", dataset_digest="abc")

    (point,) = client.get_logged_model(model_id).metrics
    assert (point.dataset_name, point.dataset_digest, point.model_id) == ("flights", "abc", model_id)


def shelf(client, experiment_id):
    """Make three models, measured on a dataset each, but for the last."""
    run_id = client.create_run(experiment_id).info.run_id
    for name, depth, auc in (("a", "6", 0.9), ("b", "8", 0.7), ("c", "6", None)):
        model_id = client.create_logged_model(experiment_id, name=name, params={"depth": depth}).model_id
        if auc is not None:
            client.log_metric(
                run_id, "auc", auc, model_id=model_id, dataset_name=name * 2, dataset_digest="x"
            )
        client.finalize_logged_model(model_id, "READY")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("metrics.auc > 0.8", ["a"]),
        ("params.depth = '6'", ["a", "c"]),
        ("name = 'b'", ["b"]),
        ("name LIKE 'a%' OR params.depth = '8'", ["a", "b"]),
        ("metrics.auc IS NULL", ["c"]),
        ("creation_timestamp > 0 AND attributes.name != 'c'", ["a", "b"]),
    ],
)
def test_models_are_found_by_what_they_have(client, experiment_id, text, found):
    """The filter is MLflow's, and what MLflow leaves out."""
    shelf(client, experiment_id)

    assert sorted(names(client.search_logged_models([experiment_id], filter_string=text))) == found


def test_models_are_sorted_by_metrics(client, experiment_id):
    """Models without the metric come last, in both directions."""
    shelf(client, experiment_id)

    for ascending, expected in ((False, ["a", "b", "c"]), (True, ["b", "a", "c"])):
        order = [{"field_name": "metrics.auc", "ascending": ascending}]
        assert names(client.search_logged_models([experiment_id], order_by=order)) == expected


def test_models_are_narrowed_to_datasets(client, experiment_id):
    """Only measurements on these datasets count."""
    shelf(client, experiment_id)

    on_b = [{"dataset_name": "bb", "dataset_digest": "x"}]
    assert names(client.search_logged_models([experiment_id], datasets=on_b)) == ["b"]
    assert client.search_logged_models([experiment_id], "metrics.auc > 0.8", datasets=on_b) == []


def test_models_come_page_by_page(client, experiment_id):
    """The newest come first, and pages join."""
    shelf(client, experiment_id)

    page = client.search_logged_models([experiment_id], max_results=2)
    rest = client.search_logged_models([experiment_id], max_results=2, page_token=page.token)
    assert (names(page) + names(rest), rest.token or "") == (["c", "b", "a"], "")


def test_frame_of_models_has_their_metrics(mlflow, client, experiment_id):
    """`mlflow.search_logged_models` gives a frame, the newest first."""
    shelf(client, experiment_id)

    frame = mlflow.search_logged_models(experiment_ids=[experiment_id])
    assert list(frame["name"]) == ["c", "b", "a"]
    listed = mlflow.search_logged_models(experiment_ids=[experiment_id], output_format="list")
    assert [len(each.metrics or []) for each in listed] == [0, 1, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [("metrics.auc LIKE 'x'", "is compared by"), ("params.depth > 1", "is compared by"), ("((", "filter is")],
)
def test_wrong_filter_is_invalid(mlflow, client, experiment_id, text, words):
    """A filter that means nothing is INVALID_PARAMETER_VALUE."""
    with refusal(mlflow, words) as caught:
        client.search_logged_models([experiment_id], filter_string=text)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_search_needs_an_experiment(api):
    """Without experiments there is nothing to search."""
    status, body = api("POST", "logged-models/search", {})

    assert (status, body["message"]) == (400, "Missing value for required parameter 'experiment_ids'.")


def test_run_knows_the_models_it_made(mlflow, client, experiment_id):
    """A run's outputs are logged models, at a step."""
    with mlflow.start_run() as run:
        model_id = client.create_logged_model(experiment_id, source_run_id=run.info.run_id).model_id
        client.log_outputs(run.info.run_id, [mlflow.entities.LoggedModelOutput(model_id, step=3)])

    (output,) = client.get_run(run.info.run_id).outputs.model_outputs
    assert (output.model_id, output.step) == (model_id, 3)


def test_logged_model_is_registered(mlflow, client, experiment_id):
    """`register_model` makes a version of a logged model that leads to its files."""
    with mlflow.start_run() as run:
        model_id = client.create_logged_model(experiment_id, source_run_id=run.info.run_id).model_id
        client.finalize_logged_model(model_id, "READY")
    name = f"iris-{uuid.uuid4().hex[:8]}"

    version = mlflow.register_model(f"models:/{model_id}", name)

    assert (version.version, version.source, version.run_id) == ("1", f"models:/{model_id}", run.info.run_id)
    location = client.get_logged_model(model_id).artifact_location
    assert client.get_model_version_download_uri(name, "1") == location
    assert name in client.get_logged_model(model_id).tags["mlflow.modelVersions"]


def test_run_without_files_is_registered_by_its_model(mlflow, client, experiment_id):
    """`register_model` with a name in a run finds the logged model of that name."""
    with mlflow.start_run() as run:
        made = client.create_logged_model(experiment_id, name="forest", source_run_id=run.info.run_id)
        client.finalize_logged_model(made.model_id, "READY")

    version = mlflow.register_model(f"runs:/{run.info.run_id}/forest", f"iris-{uuid.uuid4().hex[:8]}")

    assert version.source == f"models:/{made.model_id}"
