"""Runs, as MLflow's clients start, end, rename, delete and restore them."""

import pytest

pytestmark = pytest.mark.mlflow


def test_run_that_leaves_its_block_is_finished(mlflow):
    """A run is RUNNING inside of its block and FINISHED, with an end, behind it."""
    with mlflow.start_run() as run:
        assert mlflow.get_run(run.info.run_id).info.status == "RUNNING"

    ended = mlflow.get_run(run.info.run_id)
    assert ended.info.status == "FINISHED"
    assert ended.info.end_time >= ended.info.start_time


def test_run_whose_block_raises_is_failed(mlflow):
    """An exception that leaves the block of a run makes it FAILED."""
    with pytest.raises(ZeroDivisionError), mlflow.start_run() as run:
        1 / 0  # noqa: B018 - it is to raise

    assert mlflow.get_run(run.info.run_id).info.status == "FAILED"


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_run_is_ended_with_a_status(mlflow, status):
    """`end_run` gives the active run the status it is told."""
    run = mlflow.start_run()
    mlflow.end_run(status)

    assert mlflow.get_run(run.info.run_id).info.status == status


def test_active_run_is_that_of_the_block(mlflow):
    """Inside of a block its run is the active one, outside there is none."""
    with mlflow.start_run() as run:
        assert mlflow.active_run().info.run_id == run.info.run_id

    assert mlflow.active_run() is None


def test_last_active_run_has_what_was_logged(mlflow):
    """The last active run can be read after it has ended."""
    with mlflow.start_run() as run:
        mlflow.log_param("depth", 6)

    last = mlflow.last_active_run()
    assert (last.info.run_id, last.data.params) == (run.info.run_id, {"depth": "6"})


def test_nested_run_knows_its_parent(mlflow):
    """A nested run carries the tag of its parent, and the client finds the parent by it."""
    with mlflow.start_run() as parent, mlflow.start_run(nested=True) as child:
        pass

    assert mlflow.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert mlflow.get_parent_run(child.info.run_id).info.run_id == parent.info.run_id


def test_child_is_below_its_parent_for_paddock(mlflow, api):
    """What MLflow says by a tag, Paddock's own API says by `parent_id`."""
    with mlflow.start_run() as parent, mlflow.start_run(nested=True) as child:
        pass

    status, page = api("GET", f"/api/v1/runs?parent_id={parent.info.run_id}")
    assert (status, [run["run_id"] for run in page["runs"]]) == (200, [child.info.run_id])


def test_named_run_has_its_name_as_tag(mlflow):
    """The name of a run stands in its info and in the tag `mlflow.runName`."""
    with mlflow.start_run(run_name="depth 6, all carriers") as run:
        pass

    stored = mlflow.get_run(run.info.run_id)
    assert stored.info.run_name == "depth 6, all carriers"
    assert stored.data.tags["mlflow.runName"] == "depth 6, all carriers"


def test_run_without_a_name_gets_one(mlflow):
    """A run that is given no name has one all the same, in its info and as a tag."""
    with mlflow.start_run() as run:
        pass

    assert run.info.run_name
    assert run.data.tags["mlflow.runName"] == run.info.run_name


def test_run_with_two_names_is_refused(mlflow, client, experiment_id):
    """A name and another name as tag contradict each other, and both are told."""
    with pytest.raises(mlflow.MlflowException, match=r"run_name='a', mlflow\.runName='b'") as caught:
        client.create_run(experiment_id, run_name="a", tags={"mlflow.runName": "b"})

    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_run_is_resumed_by_its_id(mlflow):
    """A run that has ended goes on under the same id, with what it had, and ends again."""
    with mlflow.start_run() as run:
        mlflow.log_metric("loss", 0.5, step=1)
    with mlflow.start_run(run_id=run.info.run_id) as resumed:
        assert mlflow.get_run(run.info.run_id).info.status == "RUNNING"
        mlflow.log_metric("loss", 0.4, step=2)

    stored = mlflow.get_run(run.info.run_id)
    assert resumed.info.run_id == run.info.run_id
    assert (stored.info.status, stored.data.metrics) == ("FINISHED", {"loss": 0.4})


def test_run_starts_with_tags_and_a_description(mlflow):
    """Tags of the start are there, and the description is the tag that MLflow's pages show."""
    with mlflow.start_run(tags={"team": "delays"}, description="first try") as run:
        pass

    tags = mlflow.get_run(run.info.run_id).data.tags
    assert (tags["team"], tags["mlflow.note.content"]) == ("delays", "first try")


def test_client_says_who_and_from_where(mlflow):
    """The user and the source that the client sends are kept as it sent them."""
    with mlflow.start_run() as run:
        pass

    stored = mlflow.get_run(run.info.run_id)
    assert stored.info.user_id == stored.data.tags["mlflow.user"] != ""
    assert stored.data.tags["mlflow.source.type"] == "LOCAL"


def test_start_time_is_the_client_s(client, experiment_id):
    """A start in the past is kept to the millisecond."""
    run = client.create_run(experiment_id, start_time=1_234_567_890_123)

    assert client.get_run(run.info.run_id).info.start_time == 1_234_567_890_123


def test_end_time_is_the_client_s(client, experiment_id):
    """A run that is terminated late has the end it is told."""
    run = client.create_run(experiment_id, start_time=1_000)
    client.set_terminated(run.info.run_id, "KILLED", end_time=5_000)

    ended = client.get_run(run.info.run_id).info
    assert (ended.status, ended.end_time) == ("KILLED", 5_000)


def test_started_run_is_open(client, experiment_id):
    """A run that a client has made is RUNNING, active, without an end and without anything logged."""
    run = client.create_run(experiment_id)

    stored = client.get_run(run.info.run_id)
    assert (stored.info.status, stored.info.lifecycle_stage, stored.info.end_time) == (
        "RUNNING",
        "active",
        None,
    )
    assert (stored.data.metrics, stored.data.params) == ({}, {})
    assert stored.info == run.info


@pytest.mark.parametrize("status", ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"])
def test_status_is_set_as_it_is_told(client, experiment_id, status):
    """Each of MLflow's statuses can be set, and comes back as such."""
    run = client.create_run(experiment_id)
    client.update_run(run.info.run_id, status=status)

    assert client.get_run(run.info.run_id).info.status == status


def test_renamed_run_has_the_name_everywhere(client, experiment_id):
    """A new name stands in the info and in the tag, and leaves the status alone."""
    run = client.create_run(experiment_id, run_name="before")
    client.update_run(run.info.run_id, name="after")

    stored = client.get_run(run.info.run_id)
    assert (stored.info.run_name, stored.data.tags["mlflow.runName"]) == ("after", "after")
    assert stored.info.status == "RUNNING"


def test_name_tag_renames_the_run(mlflow):
    """Who sets the tag `mlflow.runName` renames the run."""
    with mlflow.start_run(run_name="before") as run:
        mlflow.set_tag("mlflow.runName", "after")

    assert mlflow.get_run(run.info.run_id).info.run_name == "after"


def test_deleted_run_is_still_there(client, experiment_id):
    """A deleted run can be read and says that it is deleted; deleting it twice is fine."""
    run = client.create_run(experiment_id)
    client.log_param(run.info.run_id, "depth", "6")
    client.delete_run(run.info.run_id)
    client.delete_run(run.info.run_id)

    stored = client.get_run(run.info.run_id)
    assert (stored.info.lifecycle_stage, stored.data.params) == ("deleted", {"depth": "6"})


def test_restored_run_takes_values_again(client, experiment_id):
    """A run that was restored is active and can be logged to."""
    run = client.create_run(experiment_id)
    client.delete_run(run.info.run_id)
    client.restore_run(run.info.run_id)
    client.log_metric(run.info.run_id, "loss", 0.5)

    stored = client.get_run(run.info.run_id)
    assert (stored.info.lifecycle_stage, stored.data.metrics) == ("active", {"loss": 0.5})


@pytest.mark.parametrize(
    "change", ["log_metric", "log_param", "set_tag", "update_run", "delete_tag", "log_batch"]
)
def test_deleted_run_takes_nothing(mlflow, client, experiment_id, change):
    """Nothing can be logged to a deleted run, and the message says why."""
    run_id = client.create_run(experiment_id, tags={"team": "delays"}).info.run_id
    client.delete_run(run_id)
    changes = {
        "log_metric": lambda: client.log_metric(run_id, "loss", 0.5),
        "log_param": lambda: client.log_param(run_id, "depth", "6"),
        "set_tag": lambda: client.set_tag(run_id, "team", "other"),
        "delete_tag": lambda: client.delete_tag(run_id, "team"),
        "update_run": lambda: client.update_run(run_id, status="FINISHED"),
        "log_batch": lambda: client.log_batch(run_id, params=[mlflow.entities.Param("a", "b")]),
    }

    with pytest.raises(mlflow.MlflowException, match="must be in the 'active' state") as caught:
        changes[change]()

    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert client.get_run(run_id).data.tags["team"] == "delays"


@pytest.mark.parametrize("call", ["get_run", "delete_run", "restore_run", "set_terminated"])
def test_unknown_run_is_not_found(mlflow, client, call):
    """A call about a run that nobody has made is RESOURCE_DOES_NOT_EXIST and names the run."""
    with pytest.raises(mlflow.MlflowException, match="Run with id=0123456789abcdef not found") as caught:
        getattr(client, call)("0123456789abcdef")

    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_run_of_an_unknown_experiment_is_refused(mlflow, client):
    """A run needs an experiment that is there."""
    with pytest.raises(mlflow.MlflowException, match="No Experiment with id=987654 exists") as caught:
        client.create_run("987654")

    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_run_of_a_deleted_experiment_is_refused(mlflow, client, experiment_id):
    """No run starts in a deleted experiment."""
    client.delete_experiment(experiment_id)

    with pytest.raises(mlflow.MlflowException, match="must be in the 'active' state"):
        client.create_run(experiment_id)


def test_files_of_a_run_are_kept_by_the_server(mlflow, experiment_id):
    """A run's files stand below the server's proxy, in a place of its own."""
    with mlflow.start_run() as run:
        root = mlflow.get_artifact_uri()

    assert root == run.info.artifact_uri
    assert root == f"mlflow-artifacts:/{experiment_id}/{run.info.run_id}/artifacts"


def test_files_of_a_run_stand_where_its_experiment_says(mlflow, client):
    """An experiment with a location of its own keeps the files of its runs there."""
    experiment_id = client.create_experiment("elsewhere", artifact_location="s3://bucket/runs/")
    run = client.create_run(experiment_id)

    assert run.info.artifact_uri == f"s3://bucket/runs/{run.info.run_id}/artifacts"
    assert client.get_run(run.info.run_id).info == run.info


def test_both_faces_see_the_run(mlflow, api):
    """What a client of MLflow logs is there for Paddock's own API."""
    with mlflow.start_run(run_name="shared") as run:
        mlflow.log_param("depth", 6)
        mlflow.log_metric("loss", 0.5)

    status, seen = api("GET", f"/api/v1/runs/{run.info.run_id}")
    assert (status, seen["name"], seen["status"]) == (200, "shared", "finished")
    assert (seen["params"], seen["metrics"]) == ({"depth": "6"}, {"loss": 0.5})


def test_run_of_paddock_is_read_by_the_client(mlflow, client, api):
    """A run that was started and logged to by Paddock's own API is one of MLflow's."""
    started = {"experiment": "native", "name": "first", "params": {"depth": "6"}, "tags": {"team": "delays"}}
    _, made = api("POST", "/api/v1/runs", started)
    api("POST", f"/api/v1/runs/{made['run_id']}/log", {"metrics": [{"key": "loss", "value": 0.5, "step": 3}]})

    run = client.get_run(made["run_id"])
    assert (run.info.run_name, run.info.status, run.data.params) == ("first", "RUNNING", {"depth": "6"})
    assert (run.data.metrics, run.data.tags["team"]) == ({"loss": 0.5}, "delays")
    assert client.get_experiment(run.info.experiment_id).name == "native"
