"""Experiments and their tags."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from paddock.app import App
from paddock.kernel.errors import AlreadyExists, Conflict, InvalidInput, NotFound, PaddockError
from paddock.mlflow_api.answers import EMPTY, answer_as, experiment_info
from paddock.mlflow_api.binding import LOG, READ, Face
from paddock.mlflow_api.bodies import Message, Part, require
from paddock.mlflow_api.errors import missing_value, not_active
from paddock.mlflow_api.rules import (
    MAX_EXPERIMENT_NAME_LETTERS,
    MAX_EXPERIMENT_TAG_LETTERS,
    check_experiment_id,
    check_key,
    check_length,
)
from paddock.tracking import Experiment
from paddock.wire import Answer, Call, RouteSpec


class Tag(Part, frozen=True):
    key: str = ""
    value: str = ""


class CreateExperiment(Message, frozen=True):
    name: str = ""
    artifact_location: str = ""
    tags: tuple[Tag, ...] = ()


class ExperimentById(Message, frozen=True):
    experiment_id: str = ""


class ExperimentByName(Message, frozen=True):
    experiment_name: str = ""


class UpdateExperiment(Message, frozen=True):
    experiment_id: str = ""
    new_name: str = ""


class SetExperimentTag(Message, frozen=True):
    experiment_id: str = ""
    key: str = ""
    value: str = ""


class DeleteExperimentTag(Message, frozen=True):
    experiment_id: str = ""
    key: str = ""


def routes(face: Face) -> tuple[RouteSpec, ...]:
    """Return the routes of experiments."""
    at = "/mlflow/experiments"
    by_id = ExperimentById
    return (
        *face.routes("POST", f"{at}/create", LOG, create, "Create an experiment", CreateExperiment),
        *face.routes("GET", f"{at}/get", READ, get, "Get an experiment", by_id),
        *face.routes("GET", f"{at}/get-by-name", READ, get_by_name, "Get it by name", ExperimentByName),
        *face.routes("POST", f"{at}/update", LOG, update, "Rename an experiment", UpdateExperiment),
        *face.routes("POST", f"{at}/delete", LOG, delete, "Delete an experiment and its runs", by_id),
        *face.routes("POST", f"{at}/restore", LOG, restore, "Restore an experiment", by_id),
        *face.routes("POST", f"{at}/set-experiment-tag", LOG, set_tag, "Set a tag", SetExperimentTag),
        *face.routes(
            "POST", f"{at}/delete-experiment-tag", LOG, delete_tag, "Delete a tag", DeleteExperimentTag
        ),
    )


def create(app: App, call: Call) -> Answer:
    wanted = call.read(CreateExperiment)
    require(wanted, "name")
    check_length(wanted.name, MAX_EXPERIMENT_NAME_LETTERS, "name")
    tags = {tag.key: _check_tag(tag, f"tags[{place}].") for place, tag in enumerate(wanted.tags)}
    location = _resolve_location(wanted.artifact_location)
    try:
        made = app.experiments.create(wanted.name, artifact_location=location, tags=tags)
    except AlreadyExists as error:
        words = f"Experiment(name={wanted.name}) already exists. Error: {error.message}"
        raise AlreadyExists(words, experiment=wanted.name) from error
    return answer_as("experiment_id", made.experiment_id)


def get(app: App, call: Call) -> Answer:
    found = find_experiment(app, call.read(ExperimentById).experiment_id)
    return answer_as("experiment", experiment_info(found, app.actor.project_id))


def get_by_name(app: App, call: Call) -> Answer:
    wanted = call.read(ExperimentByName)
    require(wanted, "experiment_name")
    found = app.experiments.find_by_name(wanted.experiment_name)
    if found is None:
        raise NotFound(f"Could not find experiment with name '{wanted.experiment_name}'")
    return answer_as("experiment", experiment_info(found, app.actor.project_id))


def update(app: App, call: Call) -> Answer:
    wanted = call.read(UpdateExperiment)
    require(wanted, "experiment_id", "new_name")
    check_length(wanted.new_name, MAX_EXPERIMENT_NAME_LETTERS, "name")
    is_gone = Conflict("Cannot rename a non-active experiment.")
    _change(
        wanted.experiment_id, is_gone, lambda: app.experiments.rename(wanted.experiment_id, wanted.new_name)
    )
    return EMPTY


def delete(app: App, call: Call) -> Answer:
    experiment_id = call.read(ExperimentById).experiment_id
    _change(experiment_id, _no_experiment(experiment_id), lambda: app.experiments.delete(experiment_id))
    return EMPTY


def restore(app: App, call: Call) -> Answer:
    experiment_id = call.read(ExperimentById).experiment_id
    _change(experiment_id, _no_experiment(experiment_id), lambda: app.experiments.restore(experiment_id))
    return EMPTY


def set_tag(app: App, call: Call) -> Answer:
    wanted = call.read(SetExperimentTag)
    require(wanted, "experiment_id", "key")
    tags = {wanted.key: _check_tag(wanted, "")}
    is_gone = not_active("experiment", wanted.experiment_id)
    _change(wanted.experiment_id, is_gone, lambda: app.experiments.set_tags(wanted.experiment_id, tags))
    return EMPTY


def delete_tag(app: App, call: Call) -> Answer:
    wanted = call.read(DeleteExperimentTag)
    require(wanted, "experiment_id", "key")
    if wanted.key not in find_experiment(app, wanted.experiment_id).tags:
        raise NotFound(f"No tag with name: {wanted.key} in experiment with id {wanted.experiment_id}")
    is_gone = not_active("experiment", wanted.experiment_id)
    _change(
        wanted.experiment_id, is_gone, lambda: app.experiments.delete_tag(wanted.experiment_id, wanted.key)
    )
    return EMPTY


def find_experiment(app: App, experiment_id: str) -> Experiment:
    """Return an experiment, deleted or not; NotFound in MLflow's words."""
    if not experiment_id:
        raise missing_value("experiment_id")
    try:
        return app.experiments.get(check_experiment_id(experiment_id))
    except NotFound as error:
        raise _no_experiment(experiment_id) from error


def _change(experiment_id: str, is_gone: PaddockError, act: Callable[[], object]) -> None:
    """Change an experiment. is_gone: what is raised when it is deleted, or is not where it must be."""
    if not experiment_id:
        raise missing_value("experiment_id")
    check_experiment_id(experiment_id)
    try:
        act()
    except NotFound as error:
        raise _no_experiment(experiment_id) from error
    except AlreadyExists:
        raise
    except Conflict as error:
        raise is_gone from error


def _no_experiment(experiment_id: str) -> NotFound:
    return NotFound(f"No Experiment with id={experiment_id[:64]} exists")


def _check_tag(tag: Tag | SetExperimentTag, path: str) -> str:
    if not tag.key:
        raise missing_value(f"{path}key")
    check_key(tag.key, f"{path}key", "key")
    return check_length(tag.value, MAX_EXPERIMENT_TAG_LETTERS, "value")


def _resolve_location(location: str) -> str:
    """Return where an experiment keeps its files; a relative path is one below the server's own folder."""
    parts = urlsplit(location)
    if parts.fragment or ";" in parts.path:
        raise InvalidInput("'artifact_location' URL can't include fragments or params.")
    if ".." in parts.query:
        raise InvalidInput("'artifact_location' URL can't have `..` in its query.")
    if parts.scheme == "runs":
        raise InvalidInput(f"Artifact location cannot be a runs:/ URI. Given: '{location[:200]}'")
    if not location or parts.scheme or location.startswith("/"):
        return location
    return str(Path.cwd() / location)
