"""Which sources a version may have, when it is registered and when it is used."""

import pytest

from paddock.kernel.errors import InvalidInput, NotFound
from paddock.registry import NewVersion

PROMPT = {"mlflow.prompt.is_prompt": "true"}


@pytest.fixture
def iris(shop):
    shop.registry.models.create("iris")
    return shop.registry.versions


REFUSED = [
    "http://169.254.169.254/latest/meta-data",
    "https://example.com/model",
    "HTTP://example.com/model",
    "file:///etc/passwd",
    "FILE:/etc/passwd",
    "file://host/share",
    "/etc/passwd",
    "etc/passwd",
    "./model",
    "C:\\models\\1",
    "\\\\host\\share",
    "ftp://host/model",
    "sftp://host/model",
    "javascript:alert(1)",
    "data:text/plain,hello",
    "s3://bucket/model",
    "gs://bucket/model",
    "wasbs://container@account.blob.core.windows.net/model",
    "dbfs:/models/1",
    "hdfs://namenode/model",
    "mlflow-artifacts:/9/unknown/artifacts/model",
    "mlflow-artifacts://other-host/1/run/artifacts/model",
    "models://profile@databricks/iris/1",
    "models:/",
    "models:/iris/",
    "models:/iris/1/2",
    "models:/m-00000000000000000000000000000000",
    "models:/iris/1",
    "models:/iris@champion",
    "models:/nothing/1",
    "runs:/",
    "runs:/unknown/model",
    "runs://host/run/model",
    "dummy-source",
    " runs:/x/y",
    "runs:/x/y\n",
    "ht\ntp://host/",
    "x" * 2_000,
    "paddock:/models/delay/1",
]


@pytest.mark.parametrize("source", REFUSED)
@pytest.mark.parametrize("tags", [{}, PROMPT])
def test_source_that_leads_elsewhere_is_refused(shop, iris, source, tags):
    """No scheme, path or host of a client's choice is taken, and no tag changes that."""
    with pytest.raises((InvalidInput, NotFound)):
        iris.register("iris", NewVersion(source, tags=tags))

    assert shop.registry.models.get("iris").last_version == 0


@pytest.mark.parametrize(
    "path",
    [
        "../other/artifacts/model",
        "model/../../secrets",
        "model/%2e%2e/%2e%2e/secrets",
        "model/..%2f..%2fsecrets",
        "model/%252e%252e/secrets",
        "model/.",
        "model?x=1",
        "model#part",
        "model%00",
        "model\\..\\secrets",
    ],
)
def test_path_that_climbs_is_refused(shop, iris, path):
    """However it is escaped, a path leads down from the files of its run."""
    run_id = shop.run()

    with pytest.raises(InvalidInput, match="Invalid model version source"):
        iris.register("iris", NewVersion(f"runs:/{run_id}/{path}"))
    with pytest.raises(InvalidInput, match="Invalid model version source"):
        iris.register("iris", NewVersion(f"mlflow-artifacts:/1/{run_id}/artifacts/{path}", run_id=run_id))


def test_file_of_a_run_is_a_source(shop, iris):
    """A path in a run, and the same as an address of this server, are taken as they were written."""
    run_id = shop.run()

    by_run = iris.register("iris", NewVersion(f"runs:/{run_id}/a model"))
    by_address = iris.register(
        "iris", NewVersion(f"mlflow-artifacts:/1/{run_id}/artifacts/model", run_id=run_id)
    )

    assert (by_run.source, by_run.run_id) == (f"runs:/{run_id}/a model", run_id)
    assert by_address.source == f"mlflow-artifacts:/1/{run_id}/artifacts/model"
    assert iris.find_download_uri("iris", 1) == by_run.source
    assert iris.find_download_uri("iris", 2) == by_address.source


def test_file_of_another_run_is_none(shop, iris):
    """Who names a run takes its files, not those of a neighbour with a longer id."""
    run_id, other = shop.run(), shop.run()

    for source in (f"mlflow-artifacts:/1/{other}/artifacts/model", f"runs:/{other}/model"):
        with pytest.raises(InvalidInput, match="The run_id request parameter must identify"):
            iris.register("iris", NewVersion(source, run_id=run_id))
    with pytest.raises(InvalidInput, match="run_id"):
        iris.register("iris", NewVersion(f"mlflow-artifacts:/1/{run_id}x/artifacts/m", run_id=run_id))
    with pytest.raises(InvalidInput, match="run_id"):
        iris.register("iris", NewVersion(f"mlflow-artifacts:/1/{run_id}/artifacts/model"))


def test_logged_model_is_a_source(shop, iris):
    """A version of a logged model knows the run that made it, and where its files are."""
    run_id = shop.run()
    model = shop.logged_models.create("1", source_run_id=run_id)

    made = iris.register("iris", NewVersion(f"models:/{model.model_id}", model_id=model.model_id))

    assert (made.source, made.run_id, made.model_id) == (f"models:/{model.model_id}", run_id, model.model_id)
    assert iris.find_download_uri("iris", 1) == f"mlflow-artifacts:/1/models/{model.model_id}/artifacts"
    below = iris.register("iris", NewVersion(f"{model.artifact_uri}/sub", model_id=model.model_id))
    assert (below.run_id, iris.find_download_uri("iris", 2)) == (run_id, f"{model.artifact_uri}/sub")


def test_logged_model_must_be_the_one_that_is_named(shop, iris):
    """Another model's id, a deleted model and a run's file under a model's name are refused."""
    run_id = shop.run()
    model, other = shop.logged_models.create("1"), shop.logged_models.create("1")

    for source in (f"models:/{model.model_id}", f"{model.artifact_uri}/x", f"runs:/{run_id}/m"):
        with pytest.raises(InvalidInput, match="The model_id request parameter must identify"):
            iris.register("iris", NewVersion(source, model_id=other.model_id))
    shop.logged_models.delete(model.model_id)
    with pytest.raises(InvalidInput, match="model_id"):
        iris.register("iris", NewVersion(f"models:/{model.model_id}"))


def test_source_of_a_deleted_logged_model_leads_nowhere(shop, iris):
    """What is gone when a client asks is told, and no address is given."""
    shop.run()
    model = shop.logged_models.create("1")
    iris.register("iris", NewVersion(f"models:/{model.model_id}"))
    shop.logged_models.delete(model.model_id)

    with pytest.raises(NotFound, match=f"Logged model with ID '{model.model_id}' not found"):
        iris.find_download_uri("iris", 1)


def test_store_of_the_experiment_is_a_source(shop, iris):
    """Where an experiment keeps its files in a store of its own, a version may lie there, and only there."""
    run_id = shop.run("Stored", location="s3://bucket/runs")
    source = f"s3://bucket/runs/{run_id}/artifacts/model"

    made = iris.register("iris", NewVersion(source, run_id=run_id))

    assert (made.source, iris.find_download_uri("iris", 1)) == (source, source)
    assert iris.register("iris", NewVersion("s3://bucket/runs/shared/model", run_id=run_id)).version == 2
    for elsewhere in (
        "s3://bucket/runs-of-others/model",
        "s3://other/runs/model",
        "gs://bucket/runs/model",
        f"mlflow-artifacts:/1/{run_id}/artifacts/model",
    ):
        with pytest.raises(InvalidInput, match="The run_id request parameter must identify"):
            iris.register("iris", NewVersion(elsewhere, run_id=run_id))
    with pytest.raises(InvalidInput, match="run_id"):
        iris.register("iris", NewVersion(source, run_id=shop.run()))


def test_store_without_a_place_allows_nothing(shop, iris):
    """An experiment whose location names no more than a scheme is a prefix of nothing."""
    run_id = shop.run("Wide", location="dbfs:/")

    with pytest.raises(InvalidInput, match="run_id"):
        iris.register("iris", NewVersion("dbfs:/anything", run_id=run_id))


def test_local_experiment_gives_no_local_source(shop, iris):
    """A folder of the client's machine is no source, though the experiment's files lie there."""
    run_id = shop.run("Local", location="file:///data/runs")

    with pytest.raises(InvalidInput, match="no `file` sources"):
        iris.register("iris", NewVersion(f"file:///data/runs/{run_id}/artifacts/model", run_id=run_id))
    model = shop.logged_models.create(shop.experiment_id("Local"))
    iris.register("iris", NewVersion(f"models:/{model.model_id}"))
    assert iris.find_download_uri("iris", 1) == f"models:/{model.model_id}"


@pytest.mark.parametrize("selector", ["/1", "@prod", "/latest", "/Production"])
def test_version_is_a_source(shop, iris, selector):
    """A copy says which version it copies, and leads to the same files when that one is gone."""
    run_id = shop.run()
    iris.register("iris", NewVersion(f"runs:/{run_id}/model"))
    shop.registry.set_alias("iris", "prod", 1)
    iris.set_stage("iris", 1, "Production")
    shop.registry.models.create("copy")

    made = iris.register("copy", NewVersion(f"models:/iris{selector}"))

    assert (made.source, made.run_id) == ("models:/iris/1", run_id)
    iris.delete("iris", 1)
    assert iris.find_download_uri("copy", 1) == f"runs:/{run_id}/model"


def test_version_with_a_package_is_no_source(shop, iris):
    """A copy without the package would lead nowhere, so the package itself is to be registered."""
    shop.released()

    with pytest.raises(InvalidInput, match="delay@1 has a package; register the package itself"):
        iris.register("iris", NewVersion("models:/delay/1"))


def test_copy_must_name_the_run_of_what_it_copies(shop, iris):
    """A copy is of the run its original is of."""
    run_id = shop.run()
    iris.register("iris", NewVersion(f"runs:/{run_id}/model"))

    assert iris.register("iris", NewVersion("models:/iris/1", run_id=run_id)).run_id == run_id
    with pytest.raises(InvalidInput, match="must match the referenced model version"):
        iris.register("iris", NewVersion("models:/iris/1", run_id=shop.run()))


def test_prompt_has_a_word_instead_of_a_source(shop, iris):
    """A prompt takes the words of MLflow's clients and nothing else, and is no source itself."""
    shop.registry.models.create("greeting", tags=PROMPT)
    made = iris.register("greeting", NewVersion("dummy-source", tags=PROMPT))

    assert made.source == "dummy-source"
    for source in ("http://169.254.169.254/", f"runs:/{shop.run()}/model"):
        with pytest.raises(InvalidInput, match="A prompt has its text in a tag, and no source"):
            iris.register("greeting", NewVersion(source, tags=PROMPT))
    with pytest.raises(InvalidInput, match="Prompt versions cannot be used"):
        iris.register("iris", NewVersion("models:/greeting/1"))


def test_source_that_came_by_another_way_is_not_handed_out(shop, iris):
    """A row with a source that the rules refuse, such as an imported one, sends no client there."""
    iris.register("iris", NewVersion(f"runs:/{shop.run()}/model"))
    shop.metadata.write(
        lambda tx: tx.execute(
            "UPDATE model_versions SET origin = 'http://169.254.169.254/' WHERE version = 1"
        )
    )

    with pytest.raises(InvalidInput, match="no `http` sources"):
        iris.find_download_uri("iris", 1)


def test_package_has_an_address_of_paddock(shop, iris):
    """Clients are told what a packaged version is, in a scheme that none of them opens."""
    shop.released()

    assert iris.find_download_uri("delay", 1) == "paddock:/models/delay/1"
