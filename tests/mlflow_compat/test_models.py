"""Models that MLflow's clients log, register, name and load, as its tutorials do it."""

import contextlib
import uuid

import pytest

pytestmark = pytest.mark.mlflow


def iris():
    """Return features and classes of the flowers that every tutorial begins with."""
    from sklearn.datasets import load_iris

    return load_iris(return_X_y=True, as_frame=True)


def new_name():
    return f"iris-{uuid.uuid4().hex[:8]}"


def log_lines(mlflow, **options):
    """Log a small model and return what the client knows of it, the model and some rows."""
    from sklearn.linear_model import LogisticRegression

    features, classes = iris()
    model = LogisticRegression(max_iter=500).fit(features, classes)
    with mlflow.start_run():
        # told what it needs, the client does not look for it, which takes seconds
        info = mlflow.sklearn.log_model(model, name="lines", pip_requirements=["scikit-learn"], **options)
    return info, model, features[:5]


@contextlib.contextmanager
def logging(library, **options):
    """Let the client log what a library does, for the time of a test."""
    library.autolog(**options)
    try:
        yield
    finally:
        library.autolog(disable=True)


def same(mlflow, uri, model, rows):
    """Tell whether the model at `uri` predicts what `model` does."""
    return mlflow.pyfunc.load_model(uri).predict(rows).tolist() == model.predict(rows).tolist()


def test_tutorial_runs_unchanged(mlflow):
    """The first example of the documentation: a run, its params and metrics, and a model on iris."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score
    from sklearn.model_selection import train_test_split

    x_train, x_test, y_train, y_test = train_test_split(*iris(), test_size=0.2, random_state=42)
    params = {"solver": "lbfgs", "max_iter": 1000, "random_state": 8888}
    name = new_name()

    with mlflow.start_run() as run:
        mlflow.log_params(params)
        model = LogisticRegression(**params).fit(x_train, y_train)
        accuracy = accuracy_score(y_test, model.predict(x_test))
        mlflow.log_metric("accuracy", accuracy)
        info = mlflow.sklearn.log_model(
            sk_model=model,
            name="iris_model",
            signature=mlflow.models.infer_signature(x_train, model.predict(x_train)),
            input_example=x_train,
            registered_model_name=name,
        )
        mlflow.set_logged_model_tags(info.model_id, {"Training Info": "Basic LR model for iris data"})

    loaded = mlflow.pyfunc.load_model(info.model_uri)
    assert accuracy_score(y_test, loaded.predict(x_test)) == accuracy
    found = mlflow.get_run(run.info.run_id)
    assert found.data.params == {key: str(value) for key, value in params.items()}
    assert found.data.metrics == {"accuracy": accuracy}
    assert found.outputs.model_outputs[0].model_id == info.model_id
    assert mlflow.get_logged_model(info.model_id).status == "READY"
    assert mlflow.MlflowClient().get_model_version(name, "1").status == "READY"
    assert loaded.metadata.run_id == run.info.run_id


def test_model_is_loaded_by_every_address(mlflow, client):
    """By its id, by version, by alias, as the latest and through its run: always the same model."""
    name = new_name()
    info, model, rows = log_lines(mlflow, registered_model_name=name)
    client.set_registered_model_alias(name, "prod", "1")

    for uri in (
        f"models:/{info.model_id}",
        f"models:/{name}/1",
        f"models:/{name}@prod",
        f"models:/{name}/latest",
        f"runs:/{info.run_id}/lines",
    ):
        assert same(mlflow, uri, model, rows), uri


def test_registered_later_and_by_stage(mlflow, client):
    """`register_model` takes a model's own address or its run's; a stage still names a version."""
    name = new_name()
    info, model, rows = log_lines(mlflow)
    first = mlflow.register_model(info.model_uri, name)
    second = mlflow.register_model(f"runs:/{info.run_id}/lines", name)
    client.transition_model_version_stage(name, second.version, "Production")

    assert (str(first.version), str(second.version)) == ("1", "2")
    assert same(mlflow, f"models:/{name}/Production", model, rows)
    assert same(mlflow, f"models:/{name}/1", model, rows)
    assert first.run_id == second.run_id == info.run_id


def test_alias_moves_between_models(mlflow, client):
    """After the alias has moved, its address loads the other model."""
    from sklearn.dummy import DummyClassifier

    name = new_name()
    _, lines, rows = log_lines(mlflow, registered_model_name=name)
    features, classes = iris()
    dummy = DummyClassifier(strategy="constant", constant=2).fit(features, classes)
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            dummy, name="dummy", registered_model_name=name, pip_requirements=["scikit-learn"]
        )

    client.set_registered_model_alias(name, "live", "1")
    assert same(mlflow, f"models:/{name}@live", lines, rows)
    client.set_registered_model_alias(name, "live", "2")
    assert mlflow.pyfunc.load_model(f"models:/{name}@live").predict(rows).tolist() == [2] * 5


def test_model_files_are_the_models_own(mlflow, client, api):
    """The files of a model lie below the model; the list of its run shows them where the client looks."""
    info, _, _ = log_lines(mlflow)

    names = {item.path for item in mlflow.artifacts.list_artifacts(info.model_uri)}
    assert {"MLmodel", "requirements.txt", "conda.yaml", "python_env.yaml"} <= names
    status, body = api("GET", f"logged-models/{info.model_id}/artifacts/directories")
    assert status == 200
    assert body["root_uri"] == client.get_logged_model(info.model_id).artifact_location
    assert {each["path"] for each in body["files"]} == names
    status, body = api(
        "GET",
        f"/ajax-api/2.0/mlflow/logged-models/{info.model_id}/artifacts/files?artifact_file_path=MLmodel",
    )
    assert status == 200
    assert info.model_id in body["text"]


def test_file_of_a_version_is_served(mlflow, api):
    """A page asks for a file by name and version, wherever the version's files are."""
    name = new_name()
    info, _, _ = log_lines(mlflow, registered_model_name=name)
    mlflow.register_model(f"runs:/{info.run_id}/lines", name)

    for version in ("1", "2"):
        status, body = api("GET", f"/model-versions/get-artifact?name={name}&version={version}&path=MLmodel")
        assert status == 200, body
        assert info.model_id in body["text"]
    status, body = api("GET", f"/model-versions/get-artifact?name={name}&version=9&path=MLmodel")
    assert (status, body["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_model_of_python_code_is_loaded(mlflow):
    """A model that is a class of the user's, with a file of its own, comes back with both."""
    import pathlib
    import tempfile

    table = pathlib.Path(tempfile.mkdtemp(dir=pathlib.Path.cwd())) / "shift.txt"
    table.write_text("40")

    class Shift(mlflow.pyfunc.PythonModel):
        def load_context(self, context):
            self.shift = int(pathlib.Path(context.artifacts["shift"]).read_text())

        def predict(self, context, model_input, params=None):
            return [value + self.shift for value in model_input]

    with mlflow.start_run():
        info = mlflow.pyfunc.log_model(
            name="shift",
            python_model=Shift(),
            artifacts={"shift": str(table)},
            pip_requirements=["cloudpickle"],
        )

    assert mlflow.pyfunc.load_model(info.model_uri).predict([1, 2]) == [41, 42]


def test_autolog_of_scikit_learn(mlflow):
    """One `fit` logs params, training metrics, the data, the plots and the model."""
    from sklearn.linear_model import LogisticRegression

    features, classes = iris()
    with logging(mlflow.sklearn), mlflow.start_run() as run:
        model = LogisticRegression(max_iter=500).fit(features, classes)

    found = mlflow.get_run(run.info.run_id)
    assert found.data.params["max_iter"] == "500"
    assert found.data.metrics["training_accuracy_score"] > 0.9
    assert found.inputs.dataset_inputs[0].dataset.source_type == "code"
    listed = {info.path for info in mlflow.MlflowClient().list_artifacts(run.info.run_id)}
    assert {"estimator.html", "training_confusion_matrix.png"} <= listed
    (output,) = found.outputs.model_outputs
    assert same(mlflow, f"models:/{output.model_id}", model, features[:5])


def test_autolog_of_a_search_makes_children(mlflow):
    """A grid search is a run with a child for each candidate."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    with logging(mlflow.sklearn, max_tuning_runs=None, log_models=False), mlflow.start_run() as run:
        GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.1, 1.0, 10.0]}, cv=2).fit(*iris())

    children = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{run.info.run_id}'")
    assert sorted(children["params.C"]) == ["0.1", "1.0", "10.0"]
    assert "best_C" in mlflow.get_run(run.info.run_id).data.params


def test_autolog_of_xgboost(mlflow):
    """Training logs a metric at each round, the importances and a model that can be loaded."""
    import xgboost

    features, classes = iris()
    data = xgboost.DMatrix(features, label=classes)
    params = {"objective": "multi:softprob", "num_class": 3, "max_depth": 2}
    with logging(mlflow.xgboost), mlflow.start_run() as run:
        xgboost.train(params, data, num_boost_round=7, evals=[(data, "train")], verbose_eval=False)

    check_boosting(mlflow, run, "train-mlogloss", "max_depth")


def test_autolog_of_lightgbm(mlflow):
    """Training logs a metric at each round, the importances and a model that can be loaded."""
    import lightgbm

    features, classes = iris()
    data = lightgbm.Dataset(features, label=classes)
    params = {"objective": "multiclass", "num_class": 3, "num_leaves": 4, "verbose": -1}
    with logging(mlflow.lightgbm), mlflow.start_run() as run:
        lightgbm.train(params, data, num_boost_round=7, valid_sets=[data], valid_names=["train"])

    check_boosting(mlflow, run, "train-multi_logloss", "num_leaves")


def check_boosting(mlflow, run, metric, param):
    """Check what autolog of a boosting library has logged of seven rounds on iris."""
    client, found = mlflow.MlflowClient(), mlflow.get_run(run.info.run_id)
    assert found.data.params[param] in ("2", "4")
    history = client.get_metric_history(run.info.run_id, metric)
    assert [point.step for point in history] == list(range(7))
    assert history[-1].value < history[0].value
    listed = {info.path for info in client.list_artifacts(run.info.run_id)}
    assert any(path.startswith("feature_importance") for path in listed)
    (output,) = found.outputs.model_outputs
    features, _ = iris()
    predicted = mlflow.pyfunc.load_model(f"models:/{output.model_id}").predict(features[:5])
    assert predicted.shape == (5, 3)


def test_metrics_of_a_model_stand_with_it(mlflow):
    """A metric that is logged with a model and a dataset is found at the model."""
    import pandas

    info, _, _ = log_lines(mlflow)
    data = mlflow.data.from_pandas(pandas.DataFrame({"x": [1, 2]}), name="holdout")
    with mlflow.start_run():
        mlflow.log_metric("accuracy", 0.75, model_id=info.model_id, dataset=data)

    (metric,) = mlflow.get_logged_model(info.model_id).metrics
    assert (metric.key, metric.value, metric.dataset_name) == ("accuracy", 0.75, "holdout")
    found = mlflow.search_logged_models(filter_string="metrics.accuracy > 0.5", output_format="list")
    assert [model.model_id for model in found] == [info.model_id]


def test_model_of_a_deleted_version_stays(mlflow, client):
    """Deleting a version leaves the logged model, and the model can be registered again."""
    name = new_name()
    info, model, rows = log_lines(mlflow, registered_model_name=name)
    client.delete_model_version(name, "1")

    assert same(mlflow, info.model_uri, model, rows)
    assert str(mlflow.register_model(info.model_uri, name).version) == "2"


def test_model_goes_to_another_name(mlflow, client):
    """`copy_model_version` gives the other model a version with the same files."""
    name, target = new_name(), new_name()
    _, model, rows = log_lines(mlflow, registered_model_name=name)

    copied = client.copy_model_version(f"models:/{name}/1", target)

    assert str(copied.version) == "1"
    assert same(mlflow, f"models:/{target}/1", model, rows)
