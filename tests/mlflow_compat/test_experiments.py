"""Experiments, as MLflow's clients make, rename, tag, delete and restore them."""

import pytest

pytestmark = pytest.mark.mlflow


def unique(name):
    import uuid

    return f"{name} {uuid.uuid4().hex}"


def test_fresh_server_has_the_default_experiment(client):
    """Experiment 0 is called Default and is there before anybody has made one."""
    default = client.get_experiment("0")

    assert (default.name, default.lifecycle_stage) == ("Default", "active")
    assert default.artifact_location == "mlflow-artifacts:/0"
    assert client.get_experiment_by_name("Default").experiment_id == "0"


def test_run_without_an_experiment_goes_to_the_default(client, api):
    """Who names no experiment means experiment 0."""
    _, answer = api("POST", "runs/create", {})

    assert client.get_run(answer["run"]["info"]["run_id"]).info.experiment_id == "0"


def test_experiment_is_made_once_by_its_name(mlflow):
    """`set_experiment` makes an experiment, and takes the one of that name the next time."""
    name = unique("delays")
    first = mlflow.set_experiment(name)
    second = mlflow.set_experiment(name)
    with mlflow.start_run() as run:
        pass

    assert first.experiment_id == second.experiment_id == run.info.experiment_id
    assert mlflow.get_experiment_by_name(name).experiment_id == first.experiment_id


def test_experiment_is_chosen_by_its_id(mlflow, client):
    """`set_experiment` takes an id as well."""
    experiment_id = client.create_experiment(unique("chosen"))

    assert mlflow.set_experiment(experiment_id=experiment_id).experiment_id == experiment_id


def test_experiment_is_made_with_tags_and_a_place(client):
    """Name, tags and the place of its files come back, with the times of its making."""
    name = unique("made")
    experiment_id = client.create_experiment(name, artifact_location="s3://bucket/a", tags={"team": "delays"})

    made = client.get_experiment(experiment_id)
    assert (made.name, made.artifact_location, made.tags) == (name, "s3://bucket/a", {"team": "delays"})
    assert made.creation_time == made.last_update_time > 1_600_000_000_000


def test_files_of_an_experiment_are_kept_by_the_server(client, experiment_id):
    """An experiment without a place of its own keeps its files below the server's proxy."""
    assert client.get_experiment(experiment_id).artifact_location == f"mlflow-artifacts:/{experiment_id}"


def test_relative_place_is_made_absolute(client):
    """A relative path means a folder below the server's own, for every client the same."""
    experiment_id = client.create_experiment(unique("relative"), artifact_location="my_location")

    location = client.get_experiment(experiment_id).artifact_location
    assert location.startswith("/")
    assert location.endswith("/my_location")


@pytest.mark.parametrize("location", ["runs:/abc", "s3://bucket/a#part", "s3://bucket/a;x=1"])
def test_place_that_is_none_is_refused(mlflow, client, location):
    """A place is a plain URI or a path."""
    with pytest.raises(mlflow.MlflowException) as caught:
        client.create_experiment(unique("nowhere"), artifact_location=location)

    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_names_may_be_any_line_of_text(client):
    """Slashes, quotes and any script make a name, and it is found by it."""
    name = unique("/Users/ann@example.com/größe 'x' \"y\" & 機械=学習?")

    assert client.get_experiment_by_name(name) is None
    experiment_id = client.create_experiment(name)
    assert client.get_experiment_by_name(name).experiment_id == experiment_id


def test_name_is_taken_once(mlflow, client):
    """A second experiment of one name is RESOURCE_ALREADY_EXISTS."""
    name = unique("taken")
    client.create_experiment(name)

    with pytest.raises(mlflow.MlflowException, match="already exists") as caught:
        client.create_experiment(name)
    assert caught.value.error_code == "RESOURCE_ALREADY_EXISTS"


def test_name_of_a_deleted_experiment_stays_taken(mlflow, client):
    """The message of a name that a deleted experiment has says so."""
    name = unique("gone")
    client.delete_experiment(client.create_experiment(name))

    with pytest.raises(mlflow.MlflowException, match="deleted state") as caught:
        client.create_experiment(name)
    assert caught.value.error_code == "RESOURCE_ALREADY_EXISTS"


@pytest.mark.parametrize("name", ["", "x" * 501, "a\x00b", "two\nlines"])
def test_name_that_is_none_is_refused(api, name):
    """A name is one line of 1 to 500 characters."""
    status, refusal = api("POST", "experiments/create", {"name": name})

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_experiment_is_renamed(client):
    """A renamed experiment keeps its id, is found by its new name and not by its old one."""
    before, after = unique("before"), unique("after")
    experiment_id = client.create_experiment(before)
    client.rename_experiment(experiment_id, after)

    assert client.get_experiment(experiment_id).name == after
    assert client.get_experiment_by_name(before) is None
    assert client.get_experiment_by_name(after).experiment_id == experiment_id


def test_experiment_is_not_renamed_to_a_taken_name(mlflow, client):
    """A name that another experiment has is refused, and the old name stays."""
    taken, name = unique("taken"), unique("mine")
    client.create_experiment(taken)
    experiment_id = client.create_experiment(name)

    with pytest.raises(mlflow.MlflowException) as caught:
        client.rename_experiment(experiment_id, taken)
    assert caught.value.error_code == "RESOURCE_ALREADY_EXISTS"
    assert client.get_experiment(experiment_id).name == name


def test_deleted_experiment_is_still_there(client):
    """A deleted experiment can be read by id and by name, and says that it is deleted."""
    name = unique("deleted")
    experiment_id = client.create_experiment(name)
    client.delete_experiment(experiment_id)

    assert client.get_experiment(experiment_id).lifecycle_stage == "deleted"
    assert client.get_experiment_by_name(name).lifecycle_stage == "deleted"


def test_deleted_experiment_cannot_be_set(mlflow, client):
    """The client refuses to work in a deleted experiment."""
    name = unique("deleted")
    client.delete_experiment(client.create_experiment(name))

    with pytest.raises(mlflow.MlflowException, match="deleted experiment"):
        mlflow.set_experiment(name)


def test_runs_go_and_come_with_their_experiment(client):
    """Deleting an experiment deletes its runs, restoring it brings those back that were deleted with it."""
    experiment_id = client.create_experiment(unique("whole"))
    gone, kept = (client.create_run(experiment_id).info.run_id for _ in range(2))
    client.delete_run(gone)

    client.delete_experiment(experiment_id)
    assert client.get_run(kept).info.lifecycle_stage == "deleted"

    client.restore_experiment(experiment_id)
    assert client.get_experiment(experiment_id).lifecycle_stage == "active"
    assert client.get_run(kept).info.lifecycle_stage == "active"
    assert client.get_run(gone).info.lifecycle_stage == "deleted"


@pytest.mark.parametrize("call", ["delete_experiment", "restore_experiment"])
def test_experiment_is_deleted_and_restored_once(mlflow, client, call):
    """What is deleted cannot be deleted again, what is not deleted cannot be restored."""
    experiment_id = client.create_experiment(unique("once"))
    if call == "delete_experiment":
        client.delete_experiment(experiment_id)

    with pytest.raises(
        mlflow.MlflowException, match=f"No Experiment with id={experiment_id} exists"
    ) as caught:
        getattr(client, call)(experiment_id)
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_deleted_experiment_does_not_change(mlflow, client):
    """A deleted experiment takes no tags and no name."""
    experiment_id = client.create_experiment(unique("gone"), tags={"team": "delays"})
    client.delete_experiment(experiment_id)

    with pytest.raises(mlflow.MlflowException, match="must be in the 'active' state"):
        client.set_experiment_tag(experiment_id, "team", "other")
    with pytest.raises(mlflow.MlflowException, match="must be in the 'active' state"):
        client.delete_experiment_tag(experiment_id, "team")
    with pytest.raises(mlflow.MlflowException, match="Cannot rename a non-active experiment") as caught:
        client.rename_experiment(experiment_id, unique("other"))

    assert caught.value.error_code == "INVALID_STATE"
    assert client.get_experiment(experiment_id).tags == {"team": "delays"}


def test_tags_of_an_experiment_are_set_and_deleted(mlflow, client):
    """Tags are overwritten and deleted, and move the time of the last change."""
    experiment = mlflow.set_experiment(unique("tagged"))
    mlflow.set_experiment_tags({"team": "delays", "stage": "draft"})
    mlflow.set_experiment_tag("stage", "final")
    client.delete_experiment_tag(experiment.experiment_id, "team")

    changed = client.get_experiment(experiment.experiment_id)
    assert changed.tags == {"stage": "final"}
    assert changed.last_update_time >= experiment.last_update_time


def test_note_of_an_experiment_may_be_long(client):
    """A tag of an experiment holds 20,000 characters, and not one more."""
    experiment_id = client.create_experiment(unique("noted"))
    client.set_experiment_tag(experiment_id, "mlflow.note.content", "ß" * 20_000)

    assert client.get_experiment(experiment_id).tags["mlflow.note.content"] == "ß" * 20_000


def test_note_that_is_too_long_is_refused(mlflow, client):
    """What is too long for a tag of an experiment is refused, not cut."""
    experiment_id = client.create_experiment(unique("noted"))

    with pytest.raises(mlflow.MlflowException, match="exceeds the maximum length of 20000") as caught:
        client.set_experiment_tag(experiment_id, "mlflow.note.content", "x" * 20_001)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_tag_that_is_not_there_cannot_be_deleted(mlflow, client, experiment_id):
    """The message names the tag and the experiment."""
    with pytest.raises(mlflow.MlflowException, match="No tag with name: nope in experiment") as caught:
        client.delete_experiment_tag(experiment_id, "nope")

    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize("call", ["get_experiment", "delete_experiment", "restore_experiment"])
def test_unknown_experiment_is_not_found(mlflow, client, call):
    """An id that nobody has is RESOURCE_DOES_NOT_EXIST and is named."""
    with pytest.raises(mlflow.MlflowException, match="No Experiment with id=987654 exists") as caught:
        getattr(client, call)("987654")

    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize("number", ["abc", "1.5", "0x1", " ", "一"])
def test_id_is_a_whole_number(api, number):
    """An id that is no number is INVALID_PARAMETER_VALUE, not a search for it."""
    status, refusal = api("POST", "experiments/delete", {"experiment_id": number})

    assert (status, refusal["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "must be a valid integer" in refusal["message"]
