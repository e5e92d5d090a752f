"""Versions, as MLflow's clients register, describe, tag, stage, copy and delete them."""

import uuid
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.mlflow


def new_name() -> str:
    return f"iris-{uuid.uuid4().hex[:8]}"


def new_run(mlflow) -> str:
    with mlflow.start_run() as run:
        return run.info.run_id


def with_versions(mlflow, client, count):
    """Return the name of a new model with so many versions, and their run."""
    name, run_id = client.create_registered_model(new_name()).name, new_run(mlflow)
    for _ in range(count):
        client.create_model_version(name, f"runs:/{run_id}/model", run_id)
    return name, run_id


def refusal(mlflow, words):
    return pytest.raises(mlflow.exceptions.MlflowException, match=words)


def quietly(call, *arguments, **named):
    """Call what the client warns of: stages are deprecated, and still asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return call(*arguments, **named)


def test_version_is_read_as_it_was_registered(mlflow, client):
    """Everything said of a version comes back, and it is ready at once."""
    name, run_id = client.create_registered_model(new_name()).name, new_run(mlflow)
    source = f"runs:/{run_id}/model"
    client.create_model_version(
        name, source, run_id, tags={"a": "b"}, run_link="http://runs/1", description="first"
    )

    found = client.get_model_version(name, "1")
    assert (found.name, found.version, found.source, found.run_id) == (name, "1", source, run_id)
    assert (found.tags, found.description, found.run_link) == ({"a": "b"}, "first", "http://runs/1")
    assert (found.status, found.current_stage, found.aliases) == ("READY", "None", [])
    assert found.creation_timestamp == found.last_updated_timestamp
    newest = client.get_registered_model(name).latest_versions
    assert [each.version for each in newest] == ["1"]


def test_versions_count_from_one(mlflow, client):
    """Each version gets the next number, and a deleted one is not given again."""
    name, run_id = with_versions(mlflow, client, 2)
    client.delete_model_version(name, "2")

    third = client.create_model_version(name, f"runs:/{run_id}/model", run_id)

    assert third.version == "3"
    assert sorted(each.version for each in client.search_model_versions(f"name='{name}'")) == ["1", "3"]


def test_sixty_four_racing_clients_get_all_numbers(mlflow, client):
    """However many register at once, each has a number of its own, without gaps."""
    name, run_id = client.create_registered_model(new_name()).name, new_run(mlflow)

    with ThreadPoolExecutor(64) as pool:
        made = list(
            pool.map(lambda _: client.create_model_version(name, f"runs:/{run_id}/m", run_id), range(64))
        )

    assert sorted(int(each.version) for each in made) == list(range(1, 65))


def test_version_of_an_unknown_model_is_an_error(mlflow, client):
    """A model must be there before its versions."""
    with refusal(mlflow, "Registered Model with name=nobody not found") as caught:
        client.create_model_version("nobody", f"runs:/{new_run(mlflow)}/model")
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize(
    ("version", "code"), [("9", "RESOURCE_DOES_NOT_EXIST"), ("first", "INVALID_PARAMETER_VALUE")]
)
def test_unknown_version_is_an_error(mlflow, client, version, code):
    """A number that is not there does not exist, and a word is no number."""
    name, _ = with_versions(mlflow, client, 1)

    with refusal(mlflow, "version") as caught:
        client.get_model_version(name, version)
    assert caught.value.error_code == code


def test_description_and_tags_change(mlflow, client):
    """A version can be described and tagged anew; its source stays."""
    name, run_id = with_versions(mlflow, client, 1)
    client.update_model_version(name, "1", "better")
    client.set_model_version_tag(name, "1", "a", "1")
    client.set_model_version_tag(name, "1", "a", "2")
    client.set_model_version_tag(name, "1", "b", "3")
    client.delete_model_version_tag(name, "1", "b")

    found = client.get_model_version(name, "1")
    assert (found.description, found.tags, found.source) == ("better", {"a": "2"}, f"runs:/{run_id}/model")


def test_deleted_version_is_gone_with_its_alias(mlflow, client):
    """What pointed at a deleted version points nowhere."""
    name, _ = with_versions(mlflow, client, 2)
    client.set_registered_model_alias(name, "champion", 1)
    client.delete_model_version(name, "1")

    with refusal(mlflow, r"Model Version \(name=.*, version=1\) not found") as caught:
        client.get_model_version(name, "1")
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert client.get_registered_model(name).aliases == {}


def test_stage_is_set_in_any_case(mlflow, client):
    """A stage is found however it is written."""
    name, _ = with_versions(mlflow, client, 1)

    moved = quietly(client.transition_model_version_stage, name, "1", "production")

    assert moved.current_stage == "Production"


def test_others_leave_a_stage_when_asked(mlflow, client):
    """`archive_existing_versions` sends those before into the archive."""
    name, _ = with_versions(mlflow, client, 3)
    for number in ("1", "2"):
        quietly(client.transition_model_version_stage, name, number, "Staging")
    quietly(client.transition_model_version_stage, name, "3", "Staging", archive_existing_versions=True)

    stages = {each.version: each.current_stage for each in client.search_model_versions(f"name='{name}'")}
    assert stages == {"1": "Archived", "2": "Archived", "3": "Staging"}


def test_newest_of_each_stage_is_got(mlflow, client):
    """Without stages the newest of each comes, with stages only of those."""
    name, _ = with_versions(mlflow, client, 4)
    for number, stage in (("1", "Production"), ("2", "Production"), ("3", "Staging")):
        quietly(client.transition_model_version_stage, name, number, stage)

    newest = quietly(client.get_latest_versions, name)
    assert {each.version: each.current_stage for each in newest} == {
        "2": "Production",
        "3": "Staging",
        "4": "None",
    }
    (staged,) = quietly(client.get_latest_versions, name, stages=["Staging"])
    assert staged.version == "3"


def test_newest_versions_are_got_by_get_too(mlflow, client, api):
    """Older clients ask by GET, with a list in the query."""
    name, _ = with_versions(mlflow, client, 2)

    path = f"registered-models/get-latest-versions?name={name}&stages=None&stages=Production"
    status, body = api("GET", path)

    assert (status, [each["version"] for each in body["model_versions"]]) == (200, ["2"])


@pytest.mark.parametrize(
    ("stage", "archive", "words"),
    [("Live", False, "Invalid Model Version stage: Live"), ("Archived", True, "is not an Active stage")],
)
def test_odd_stage_is_refused(mlflow, client, stage, archive, words):
    """There are four stages, and two of them displace others."""
    name, _ = with_versions(mlflow, client, 1)

    with refusal(mlflow, words):
        quietly(client.transition_model_version_stage, name, "1", stage, archive_existing_versions=archive)


def test_version_is_copied_to_another_model(mlflow, client):
    """A copy says where it comes from, and leads to the same files."""
    name, run_id = with_versions(mlflow, client, 2)
    client.set_registered_model_alias(name, "champion", 2)
    copied = client.copy_model_version(f"models:/{name}@champion", new_name())

    assert (copied.version, copied.source) == ("1", f"models:/{name}/2")
    assert copied.run_id == run_id
    assert client.get_model_version_download_uri(copied.name, "1") == f"runs:/{run_id}/model"


@pytest.mark.parametrize(
    "source",
    [
        "http://169.254.169.254/latest",
        "https://example.com/model",
        "file:///etc",
        "/etc/passwd",
        "s3://bucket/model",
        "gs://bucket/model",
        "dbfs:/model",
        "runs:/{run}/../other",
        "mlflow-artifacts:/0/{run}/artifacts/%2e%2e/%2e%2e/x",
        "mlflow-artifacts://elsewhere/0/{run}/artifacts/x",
        "models:/m-00000000000000000000000000000000",
    ],
)
@pytest.mark.parametrize("is_tagged", [False, True])
def test_source_that_leads_elsewhere_is_refused(mlflow, client, api, source, is_tagged):
    """No server follows such a source, and no magic tag lets it in."""
    name, run_id = client.create_registered_model(new_name()).name, new_run(mlflow)
    tags = [{"key": "mlflow.prompt.is_prompt", "value": "true"}] if is_tagged else []
    body = {"name": name, "source": source.format(run=run_id), "run_id": run_id, "tags": tags}

    status, answer = api("POST", "model-versions/create", body)

    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert answer["message"].startswith("Invalid model version source")
    assert client.search_model_versions(f"name='{name}'") == []


def test_source_of_another_run_is_refused(mlflow, client):
    """The files of a run are sources of versions of that run alone."""
    name, run_id, other = client.create_registered_model(new_name()).name, new_run(mlflow), new_run(mlflow)
    uri = mlflow.get_run(other).info.artifact_uri

    with refusal(mlflow, "run_id request parameter"):
        client.create_model_version(name, f"{uri}/model", run_id)
    assert client.create_model_version(name, f"{uri}/model", other).source == f"{uri}/model"


def test_version_lies_in_the_store_of_its_experiment(mlflow, client):
    """Where an experiment keeps its files in a bucket, versions may come from there."""
    experiment = client.create_experiment(new_name(), artifact_location="s3://bucket/runs")
    run_id = client.create_run(experiment).info.run_id
    name = client.create_registered_model(new_name()).name
    source = f"s3://bucket/runs/{run_id}/artifacts/model"

    assert client.create_model_version(name, source, run_id).source == source
    assert client.get_model_version_download_uri(name, "1") == source
    with refusal(mlflow, "run_id request parameter"):
        client.create_model_version(name, "s3://bucket/runs2/model", run_id)


def found(client, text, **said):
    return [(each.name, each.version) for each in client.search_model_versions(text, **said)]


def test_versions_are_searched_with_filter_and_order(mlflow, client):
    """Filter and order are MLflow's, and what MLflow leaves out."""
    name, run_id = with_versions(mlflow, client, 3)
    client.set_model_version_tag(name, "2", "tier", "1")
    mine = f"name = '{name}'"

    assert found(client, mine, order_by=["version_number ASC"]) == [(name, "1"), (name, "2"), (name, "3")]
    assert found(client, f"{mine} AND tags.tier = '1'") == [(name, "2")]
    assert found(client, f"{mine} AND version_number > 2") == [(name, "3")]
    assert len(found(client, f"run_id = '{run_id}'")) == 3
    assert len(found(client, f"run_id IN ('{run_id}', 'x')")) == 3
    assert len(found(client, f"source_path LIKE 'runs:/{run_id}%'")) == 3
    assert found(
        client, f"{mine} AND (tags.tier = '1' OR version_number = 1)", order_by=["version_number"]
    ) == [
        (name, "1"),
        (name, "2"),
    ]
    assert found(client, f"{mine} AND tags.tier IS NULL", order_by=["version_number DESC"]) == [
        (name, "3"),
        (name, "1"),
    ]


def test_versions_are_searched_page_by_page(mlflow, client):
    """Pages join without gaps and repetitions, also when versions come meanwhile."""
    name, run_id = with_versions(mlflow, client, 5)
    order = ["version_number ASC"]
    page = client.search_model_versions(f"name = '{name}'", max_results=2, order_by=order)
    client.create_model_version(name, f"runs:/{run_id}/model", run_id)
    numbers = [each.version for each in page]
    while page.token:
        page = client.search_model_versions(
            f"name = '{name}'", max_results=2, order_by=order, page_token=page.token
        )
        numbers += [each.version for each in page]

    assert numbers == ["1", "2", "3", "4", "5", "6"]


@pytest.mark.parametrize("text", ["stage = 'None'", "metrics.auc > 1", "name == 'x'", "name LIKE 3"])
def test_wrong_filter_is_invalid(mlflow, client, text):
    """A filter that cannot be read is INVALID_PARAMETER_VALUE, with the place of the fault."""
    with refusal(mlflow, "filter is wrong at") as caught:
        client.search_model_versions(text)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize("most", [0, 200_001])
def test_page_has_a_size(api, most):
    """A page has at least one version, and at most as many as MLflow's."""
    status, body = api("GET", f"model-versions/search?max_results={most}")

    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "max_results" in body["message"]


def test_models_are_searched_with_filter_and_order(mlflow, client):
    """Models are found by name and tags, sorted by name or time, page by page."""
    mark = uuid.uuid4().hex[:8]
    names = [f"{letter}-{mark}" for letter in "abc"]
    for name in names:
        client.create_registered_model(name, tags={"mark": mark, "first": name[0]})
    client.update_registered_model(names[0], "changed")

    def listed(text=f"tags.mark = '{mark}'", **said):
        return [each.name for each in client.search_registered_models(text, **said)]

    assert listed() == names
    assert listed(order_by=["name DESC"]) == names[::-1]
    assert listed(order_by=["last_updated_timestamp DESC"])[0] == names[0]
    assert listed(f"name LIKE '%{mark}' AND tags.first != 'b'") == [names[0], names[2]]
    assert listed(f"name ILIKE 'A-{mark}'") == names[:1]
    page = client.search_registered_models(f"tags.mark = '{mark}'", max_results=2)
    rest = client.search_registered_models(f"tags.mark = '{mark}'", max_results=2, page_token=page.token)
    assert ([each.name for each in (*page, *rest)], rest.token) == (names, "")


def test_fluent_search_finds_all_pages(mlflow, client):
    """`mlflow.search_model_versions` and `search_registered_models` read to the end."""
    name, _ = with_versions(mlflow, client, 3)

    assert len(mlflow.search_model_versions(max_results=2, filter_string=f"name = '{name}'")) == 2
    assert len(mlflow.search_model_versions(filter_string=f"name = '{name}'")) == 3
    assert [each.name for each in mlflow.search_registered_models(filter_string=f"name = '{name}'")] == [name]
