"""Workspaces, which are Paddock's projects, and what a client asks before anything else."""

import pytest

pytestmark = pytest.mark.mlflow


def unique(name):
    import uuid

    return f"{name}-{uuid.uuid4().hex[:12]}"


def test_server_says_what_it_can(api):
    """Clients learn the kind of store and that there are workspaces, on both addresses."""
    status, info = api("GET", "/api/3.0/mlflow/server-info")

    assert (status, info["store_type"], info["workspaces_enabled"]) == (200, "SqlStore", True)
    assert api("GET", "/ajax-api/3.0/mlflow/server-info") == (status, info)


def test_server_says_which_release_it_speaks(mlflow, api):
    """The version is that of a release of MLflow, this client's own."""
    assert api("GET", "/version") == (200, {"text": mlflow.__version__})
    assert api("GET", "/health") == (200, {"text": "OK"})


def test_default_workspace_is_there(mlflow):
    """There is a workspace called `default` from the start."""
    assert mlflow.get_workspace("default").name == "default"
    assert "default" in [workspace.name for workspace in mlflow.list_workspaces()]


def test_workspace_is_made_and_described(mlflow):
    """A workspace has the name and the description that it was made with, and can be described anew."""
    name = unique("team")
    assert mlflow.create_workspace(name, description="delays").description == "delays"
    mlflow.update_workspace(name, description="all delays")

    found = mlflow.get_workspace(name)
    assert (found.name, found.description) == (name, "all delays")
    assert name in [workspace.name for workspace in mlflow.list_workspaces()]


def test_workspaces_keep_their_experiments_apart(mlflow, client):
    """An experiment of one workspace is not there in another one, and may have the same name."""
    first, second = unique("team"), unique("team")
    for name in (first, second):
        mlflow.create_workspace(name)
    mlflow.set_workspace(first)
    experiment_id = client.create_experiment("delays")
    run_id = client.create_run(experiment_id).info.run_id

    mlflow.set_workspace(second)
    assert client.get_experiment_by_name("delays") is None
    with pytest.raises(mlflow.MlflowException, match=f"Run with id={run_id} not found"):
        client.get_run(run_id)
    client.create_experiment("delays")

    mlflow.set_workspace(first)
    assert client.get_experiment_by_name("delays").experiment_id == experiment_id
    assert client.get_run(run_id).info.run_id == run_id


def test_workspace_has_a_default_experiment(mlflow, client):
    """Every workspace begins with its own experiment 0."""
    name = unique("team")
    mlflow.create_workspace(name)
    mlflow.set_workspace(name)

    assert [experiment.name for experiment in client.search_experiments()] == ["Default"]
    assert client.get_experiment("0").workspace == name


def test_workspace_is_a_project(mlflow, client, api):
    """What is logged in a workspace is in Paddock's project of that name."""
    name = unique("team")
    mlflow.create_workspace(name)
    mlflow.set_workspace(name)
    run_id = client.create_run("0", run_name="here").info.run_id

    status, seen = api("GET", f"/api/v1/runs/{run_id}", headers={"Paddock-Project": name})
    assert (status, seen["name"]) == (200, "here")
    assert api("GET", f"/api/v1/runs/{run_id}")[0] == 404


def test_project_is_a_workspace(mlflow, api):
    """A project that Paddock's own API has begun is among the workspaces."""
    name = unique("native")
    api("POST", "/api/v1/runs", {"experiment": "delays"}, headers={"Paddock-Project": name})

    assert mlflow.get_workspace(name).name == name


def test_unknown_workspace_is_not_found(mlflow, client, api):
    """A mistyped workspace is an error, and does not come into being by it."""
    name = unique("typo")
    with pytest.raises(mlflow.MlflowException, match=f"Workspace '{name}' not found") as caught:
        mlflow.get_workspace(name)
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"

    mlflow.set_workspace(name)
    with pytest.raises(mlflow.MlflowException, match=f"Workspace '{name}' not found"):
        client.search_experiments()
    assert api("GET", "/api/3.0/mlflow/server-info", headers={"X-MLFLOW-WORKSPACE": name})[0] == 200
    assert name not in [workspace.name for workspace in mlflow.list_workspaces()]


def test_workspace_is_made_once(mlflow):
    """A second workspace of one name is RESOURCE_ALREADY_EXISTS."""
    name = unique("team")
    mlflow.create_workspace(name)

    with pytest.raises(mlflow.MlflowException, match="already exists") as caught:
        mlflow.create_workspace(name)
    assert caught.value.error_code == "RESOURCE_ALREADY_EXISTS"


@pytest.mark.parametrize(
    "name", ["", "a", "Team", "team_1", "-team", "team-", "../x", "a" * 64, "api", "default"]
)
def test_name_that_is_none_is_refused(api, name):
    """A workspace is named by 2 to 63 lowercase letters, digits and hyphens."""
    status, refusal = api("POST", "/api/3.0/mlflow/workspaces", {"name": name})

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_workspace_has_no_place_of_its_own(api):
    """The server keeps the files of all workspaces, and says so."""
    wanted = {"name": unique("team"), "default_artifact_root": "s3://bucket"}
    status, refusal = api("POST", "/api/3.0/mlflow/workspaces", wanted)

    assert (status, "default_artifact_root" in refusal["message"]) == (400, True)


def test_workspace_is_not_deleted(mlflow):
    """A project stays; the client is told so."""
    name = unique("team")
    mlflow.create_workspace(name)

    with pytest.raises(mlflow.MlflowException, match="not deleted here") as caught:
        mlflow.delete_workspace(name)
    assert caught.value.error_code == "PERMISSION_DENIED"
    assert mlflow.get_workspace(name).name == name
