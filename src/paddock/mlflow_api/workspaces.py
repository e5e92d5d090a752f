"""Workspaces: MLflow's word for projects. One is there as soon as it has an experiment.

What is said of a workspace is kept as the note of its first experiment, which its pages show.
"""

import re

import msgspec

from paddock.app import App
from paddock.kernel.errors import AlreadyExists, Forbidden, InvalidInput, NotFound
from paddock.kernel.refs import DEFAULT_PROJECT, Actor, ProjectId
from paddock.mlflow_api.answers import answer_as
from paddock.mlflow_api.binding import READ, Face
from paddock.mlflow_api.bodies import Message, require
from paddock.wire import Answer, Call, Permission, RouteSpec

NOTE_TAG = "mlflow.note.content"

_FIRST_EXPERIMENT = "0"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])")
_RESERVED = frozenset({"workspaces", "api", "ajax-api", "static-files"})


class CreateWorkspace(Message, frozen=True):
    name: str = ""
    description: str = ""
    default_artifact_root: str = ""


class UpdateWorkspace(Message, frozen=True):
    description: str | None = None
    default_artifact_root: str = ""


class Workspace(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    description: str = ""


def routes(face: Face) -> tuple[RouteSpec, ...]:
    """Return the routes of workspaces; they answer whichever workspace the client is in."""
    at, admin = "/mlflow/workspaces", Permission.ADMIN
    one = f"{at}/{{workspace_name}}"
    table = (
        ("GET", at, READ, list_all, "List workspaces", Message),
        ("POST", at, admin, create, "Make a workspace", CreateWorkspace),
        ("GET", one, READ, get, "Get a workspace", Message),
        ("PATCH", one, admin, update, "Describe a workspace", UpdateWorkspace),
        ("DELETE", one, admin, delete, "Refuse to delete a workspace", Message),
    )
    return tuple(
        spec
        for method, path, permission, act, summary, message in table
        for spec in face.routes(
            method, path, permission, act, summary, message, version=3, needs_project=False
        )
    )


def list_all(app: App, _: Call) -> Answer:
    names = sorted({*app.experiments.list_projects(), app.actor.project_id, DEFAULT_PROJECT})
    return answer_as("workspaces", [_describe(app, name) for name in names])


def create(app: App, call: Call) -> Answer:
    wanted = call.read(CreateWorkspace)
    require(wanted, "name")
    if wanted.name == DEFAULT_PROJECT:
        raise InvalidInput(f"The '{DEFAULT_PROJECT}' workspace is reserved and cannot be created")
    if wanted.name in _RESERVED or not _NAME.fullmatch(wanted.name):
        raise InvalidInput(
            f"Workspace name '{wanted.name[:80]}' must have 2 to 63 lowercase letters, digits and internal "
            f"hyphens, and none of these: {', '.join(sorted(_RESERVED))}"
        )
    if wanted.name in app.experiments.list_projects():
        raise AlreadyExists(f"Workspace '{wanted.name}' already exists.")
    _check_artifact_root(wanted.default_artifact_root)
    inside = _enter(app, wanted.name)
    inside.experiments.ensure_default()
    if wanted.description:
        inside.experiments.set_tags(_FIRST_EXPERIMENT, {NOTE_TAG: wanted.description})
    body = answer_as("workspace", Workspace(wanted.name, wanted.description)).body
    return Answer(body, status=201)


def get(app: App, call: Call) -> Answer:
    return answer_as("workspace", _describe(app, _find(app, call)))


def update(app: App, call: Call) -> Answer:
    wanted, name = call.read(UpdateWorkspace), _find(app, call)
    _check_artifact_root(wanted.default_artifact_root)
    if wanted.description is None:
        raise InvalidInput("Workspace update must have at least one key")
    inside = _enter(app, name)
    inside.experiments.ensure_default()
    inside.experiments.set_tags(_FIRST_EXPERIMENT, {NOTE_TAG: wanted.description})
    return answer_as("workspace", Workspace(name, wanted.description))


def delete(app: App, call: Call) -> Answer:
    raise Forbidden(f"Workspace '{_find(app, call)}' is a project, and projects are not deleted here")


def _find(app: App, call: Call) -> str:
    name = call.path["workspace_name"]
    if name not in (*app.experiments.list_projects(), app.actor.project_id, DEFAULT_PROJECT):
        raise NotFound(f"Workspace '{name[:80]}' not found")
    return name


def _describe(app: App, name: str) -> Workspace:
    try:
        first = _enter(app, name).experiments.get(_FIRST_EXPERIMENT)
    except NotFound:  # a project without experiments has nothing to tell
        return Workspace(name)
    return Workspace(name, first.tags.get(NOTE_TAG, ""))


def _enter(app: App, name: str) -> App:
    return app.acting_as(Actor(ProjectId(name), app.actor.principal))


def _check_artifact_root(root: str) -> None:
    if root:
        raise InvalidInput(
            "'default_artifact_root' cannot be set: the server keeps the files of all workspaces"
        )
