"""Registered models, as MLflow's clients make, describe, rename, alias and delete them."""

import uuid

import pytest

pytestmark = pytest.mark.mlflow


def new_name() -> str:
    return f"Iris classifier {uuid.uuid4().hex[:8]}"


def with_versions(mlflow, client, count=1):
    """Return the name of a new model with so many versions of one run."""
    name = client.create_registered_model(new_name()).name
    with mlflow.start_run() as run:
        pass
    for _ in range(count):
        client.create_model_version(name, f"runs:/{run.info.run_id}/model", run.info.run_id)
    return name


def refusal(mlflow, code):
    return pytest.raises(mlflow.exceptions.MlflowException, match=code)


def test_model_is_read_as_it_was_created(client):
    """Name, description and tags come back, and times in milliseconds."""
    name = new_name()
    made = client.create_registered_model(name, tags={"team": "ops"}, description="petals")

    found = client.get_registered_model(name)
    assert (found.name, found.description, found.tags) == (name, "petals", {"team": "ops"})
    assert found.creation_timestamp == found.last_updated_timestamp == made.creation_timestamp
    assert (found.latest_versions, found.aliases) == ([], {})
    assert made.creation_timestamp > 1_600_000_000_000


def test_second_model_of_a_name_already_exists(mlflow, client):
    """A taken name is RESOURCE_ALREADY_EXISTS, by which `register_model` goes on."""
    name = client.create_registered_model(new_name()).name

    with refusal(mlflow, "already exists") as caught:
        client.create_registered_model(name)
    assert caught.value.error_code == "RESOURCE_ALREADY_EXISTS"


def test_unknown_model_does_not_exist(mlflow, client):
    """A name that nobody has is RESOURCE_DOES_NOT_EXIST, with the name in the message."""
    with refusal(mlflow, "Registered Model with name=nobody not found") as caught:
        client.get_registered_model("nobody")
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize("name", ["a/b", "a:b", "", " ", ".."])
def test_name_that_cannot_be_is_invalid(api, name):
    """A name without which no URI could be read is INVALID_PARAMETER_VALUE."""
    status, body = api("POST", "registered-models/create", {"name": name})

    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("path", ["create", "rename", "set-tag", "alias"])
def test_missing_name_is_told(api, path):
    """A field that must be there is named when it is not."""
    status, body = api("POST", f"registered-models/{path}", {})

    assert status == 400
    assert body["message"] == "Missing value for required parameter 'name'."


def test_description_is_updated(client):
    """A model can be described anew."""
    name = client.create_registered_model(new_name(), description="old").name

    changed = client.update_registered_model(name, "new")

    assert changed.description == client.get_registered_model(name).description == "new"
    assert changed.last_updated_timestamp >= changed.creation_timestamp


def test_tags_are_set_overwritten_and_deleted(client):
    """A tag has its last value; deleting one that is not there is no error."""
    name = client.create_registered_model(new_name()).name
    client.set_registered_model_tag(name, "team", "ops")
    client.set_registered_model_tag(name, "team", "science")
    client.set_registered_model_tag(name, "tier", "1")
    client.delete_registered_model_tag(name, "tier")
    client.delete_registered_model_tag(name, "tier")

    assert client.get_registered_model(name).tags == {"team": "science"}


def test_renamed_model_keeps_versions_and_aliases(mlflow, client):
    """Everything goes with the new name, and the old one is free."""
    name, renamed = with_versions(mlflow, client, 2), new_name()
    client.set_registered_model_alias(name, "champion", 1)
    client.set_model_version_tag(name, "2", "accuracy", "high")

    client.rename_registered_model(name, renamed)

    assert client.get_model_version_by_alias(renamed, "champion").version == "1"
    assert client.get_model_version(renamed, "2").tags == {"accuracy": "high"}
    with refusal(mlflow, "not found"):
        client.get_registered_model(name)
    assert client.create_registered_model(name).latest_versions == []


def test_model_is_not_renamed_to_a_taken_name(mlflow, client):
    """The other model stays what it is."""
    first, second = (client.create_registered_model(new_name()).name for _ in range(2))

    with refusal(mlflow, "already exists") as caught:
        client.rename_registered_model(first, second)
    assert caught.value.error_code == "RESOURCE_ALREADY_EXISTS"


def test_deleted_model_frees_its_name_and_numbers(mlflow, client):
    """A deleted model is gone with its versions, and the next of its name counts from 1."""
    name = with_versions(mlflow, client, 2)
    client.delete_registered_model(name)

    with refusal(mlflow, "not found"):
        client.get_model_version(name, "1")
    client.create_registered_model(name)
    with mlflow.start_run() as run:
        pass
    again = client.create_model_version(name, f"runs:/{run.info.run_id}/model", run.info.run_id)
    assert again.version == "1"


def test_deleting_an_unknown_model_is_an_error(mlflow, client):
    """What is not there cannot be deleted."""
    with refusal(mlflow, "not found") as caught:
        client.delete_registered_model("nobody")
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_alias_points_where_it_was_set_last(mlflow, client):
    """The tutorial's champion moves from version to version without anybody's leave."""
    name = with_versions(mlflow, client, 2)
    client.set_registered_model_alias(name, "champion", 1)
    client.set_registered_model_alias(name, "champion", "2")
    client.set_registered_model_alias(name, "blue-1_x", 1)

    assert client.get_model_version_by_alias(name, "champion").version == "2"
    assert client.get_registered_model(name).aliases == {"champion": "2", "blue-1_x": "1"}
    assert client.get_model_version(name, "2").aliases == ["champion"]


def test_alias_moves_are_kept_by_paddock(mlflow, client, api):
    """Who set an alias, and when, is in Paddock's history, which MLflow does not have."""
    name = f"plain-{uuid.uuid4().hex[:8]}"
    client.rename_registered_model(with_versions(mlflow, client, 2), name)
    client.set_registered_model_alias(name, "champion", 1)
    client.set_registered_model_alias(name, "champion", 2)

    status, history = api("GET", f"/api/v1/models/{name}/history")

    assert status == 200
    moves = [(move["kind"], move["from_version"], move["to_version"]) for move in history["changes"]]
    assert sorted(moves) == [("set", 0, 1), ("set", 1, 2)]


def test_deleted_alias_is_not_found(mlflow, client):
    """An alias that was deleted leads nowhere; deleting it again is no error."""
    name = with_versions(mlflow, client)
    client.set_registered_model_alias(name, "champion", 1)
    client.delete_registered_model_alias(name, "champion")
    client.delete_registered_model_alias(name, "champion")

    with refusal(mlflow, "Registered model alias champion not found") as caught:
        client.get_model_version_by_alias(name, "champion")
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_latest_is_an_alias_of_the_newest(mlflow, client):
    """`latest` is nobody's to set, and always the newest version."""
    name = with_versions(mlflow, client, 3)

    assert client.get_model_version_by_alias(name, "latest").version == "3"


@pytest.mark.parametrize("alias", ["latest", "Latest", "v1", "V12", "a.b", "a b", "a/b"])
def test_reserved_alias_is_invalid(mlflow, api, client, alias):
    """A word that means a version already is no alias."""
    name = with_versions(mlflow, client)

    status, body = api("POST", "registered-models/alias", {"name": name, "alias": alias, "version": "1"})

    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "alias name" in body["message"]


def test_alias_of_an_unknown_version_is_an_error(mlflow, client):
    """An alias points at a version that is there."""
    name = with_versions(mlflow, client)

    with refusal(mlflow, "version=9") as caught:
        client.set_registered_model_alias(name, "champion", 9)
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_models_are_listed_by_paddock(client, api):
    """What a client of MLflow registers stands in Paddock's own list of models."""
    name = client.create_registered_model(f"listed-{uuid.uuid4().hex[:8]}").name

    status, page = api("GET", "/api/v1/models?limit=1000")

    assert status == 200
    (found,) = [model for model in page["models"] if model["name"] == name]
    assert (found["version_count"], found["latest_version"], found["champion"]) == (0, 0, 0)


def test_calls_of_the_web_pages_are_answered(client, api):
    """What MLflow's own pages ask under /ajax-api is the same."""
    name = client.create_registered_model(f"ajax-{uuid.uuid4().hex[:8]}").name

    status, body = api("GET", f"/ajax-api/2.0/mlflow/registered-models/get?name={name}")

    assert (status, body["registered_model"]["name"]) == (200, name)
