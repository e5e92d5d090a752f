"""Registered models, their tags and aliases. Prompts are models with a tag."""

import msgspec

from paddock.app import App
from paddock.kernel.errors import Conflict, PromotionRefused
from paddock.kernel.refs import parse_ref
from paddock.mlflow_api.answers import EMPTY, answer_as, answer_page
from paddock.mlflow_api.binding import READ, Face
from paddock.mlflow_api.bodies import Int64, Message, require
from paddock.mlflow_api.registry_answers import read_tags, registered_model, version_info
from paddock.mlflow_api.runs import Pair
from paddock.registry import Search, parse_number
from paddock.wire import Answer, Call, Permission, RouteSpec

REGISTER, PROMOTE = Permission.REGISTER, Permission.PROMOTE


class CreateModel(Message, frozen=True):
    name: str = ""
    tags: tuple[Pair, ...] = ()
    description: str = ""


class OneModel(Message, frozen=True):
    name: str = ""


class RenameModel(Message, frozen=True):
    name: str = ""
    new_name: str = ""


class UpdateModel(Message, frozen=True):
    name: str = ""
    description: str | None = None


class SearchModels(Message, frozen=True):
    filter: str = ""
    max_results: Int64 = 100
    order_by: tuple[str, ...] = ()
    page_token: str = ""


class LatestVersions(Message, frozen=True):
    name: str = ""
    stages: tuple[str, ...] = ()


class ModelTag(Message, frozen=True):
    name: str = ""
    key: str = ""
    value: str = ""


class ModelAlias(Message, frozen=True):
    name: str = ""
    alias: str = ""
    version: str = ""


def routes(face: Face) -> tuple[RouteSpec, ...]:
    """Return the routes of registered models."""
    at = "/mlflow/registered-models"
    latest, alias = f"{at}/get-latest-versions", f"{at}/alias"
    return (
        *face.routes("POST", f"{at}/create", REGISTER, create, "Create a model", CreateModel),
        *face.routes("GET", f"{at}/get", READ, get, "Get a model", OneModel),
        *face.routes("GET", f"{at}/search", READ, search, "Find models", SearchModels),
        *face.routes("POST", f"{at}/rename", REGISTER, rename, "Rename a model", RenameModel),
        *face.routes("PATCH", f"{at}/update", REGISTER, update, "Describe a model", UpdateModel),
        *face.routes("DELETE", f"{at}/delete", REGISTER, delete, "Delete a model", OneModel),
        *face.routes("POST", latest, READ, latest_versions, "Get the newest of stages", LatestVersions),
        *face.routes("GET", latest, READ, latest_versions, "Get the newest of stages", LatestVersions),
        *face.routes("POST", f"{at}/set-tag", REGISTER, set_tag, "Set a tag", ModelTag),
        *face.routes("DELETE", f"{at}/delete-tag", REGISTER, delete_tag, "Delete a tag", ModelTag),
        *face.routes("POST", alias, PROMOTE, set_alias, "Point an alias at a version", ModelAlias),
        *face.routes("DELETE", alias, PROMOTE, delete_alias, "Delete an alias", ModelAlias),
        *face.routes("GET", alias, READ, get_by_alias, "Get the version of an alias", ModelAlias),
    )


def create(app: App, call: Call) -> Answer:
    wanted = call.read(CreateModel)
    require(wanted, "name")
    made = app.registry.models.create(
        wanted.name, description=wanted.description, tags=read_tags(wanted.tags)
    )
    return answer_as("registered_model", registered_model(made))


def get(app: App, call: Call) -> Answer:
    wanted = call.read(OneModel)
    require(wanted, "name")
    return answer_as("registered_model", registered_model(app.registry.models.get(wanted.name)))


def search(app: App, call: Call) -> Answer:
    asked = call.read(SearchModels)
    page = app.registry.models.search(
        Search(filter=asked.filter, order=asked.order_by, limit=asked.max_results, cursor=asked.page_token)
    )
    rows = (msgspec.json.encode(registered_model(each)) for each in page.models)
    return answer_page("registered_models", rows, page.next_cursor)


def rename(app: App, call: Call) -> Answer:
    wanted = call.read(RenameModel)
    require(wanted, "name", "new_name")
    _refuse_declared(app, wanted.name, "renamed")
    renamed = app.registry.models.rename(wanted.name, wanted.new_name)
    return answer_as("registered_model", registered_model(renamed))


def update(app: App, call: Call) -> Answer:
    wanted = call.read(UpdateModel)
    require(wanted, "name")
    if wanted.description is None:
        model = app.registry.models.get(wanted.name)
    else:
        model = app.registry.models.describe(wanted.name, wanted.description)
    return answer_as("registered_model", registered_model(model))


def delete(app: App, call: Call) -> Answer:
    wanted = call.read(OneModel)
    require(wanted, "name")
    _refuse_declared(app, wanted.name, "deleted")
    app.registry.models.delete(wanted.name)
    return EMPTY


def latest_versions(app: App, call: Call) -> Answer:
    wanted = call.read(LatestVersions)
    require(wanted, "name")
    found = app.registry.models.latest_versions(wanted.name, wanted.stages)
    return answer_as("model_versions", [version_info(each) for each in found])


def set_tag(app: App, call: Call) -> Answer:
    wanted = call.read(ModelTag)
    require(wanted, "name", "key")
    app.registry.models.set_tag(wanted.name, wanted.key, wanted.value)
    return EMPTY


def delete_tag(app: App, call: Call) -> Answer:
    wanted = call.read(ModelTag)
    require(wanted, "name", "key")
    app.registry.models.delete_tag(wanted.name, wanted.key)
    return EMPTY


def set_alias(app: App, call: Call) -> Answer:
    wanted = call.read(ModelAlias)
    require(wanted, "name", "alias", "version")
    try:
        app.registry.set_alias(wanted.name, wanted.alias, parse_number(wanted.version))
    except PromotionRefused as error:
        raise _with_hint(error) from error
    return EMPTY


def delete_alias(app: App, call: Call) -> Answer:
    wanted = call.read(ModelAlias)
    require(wanted, "name", "alias")
    try:
        app.registry.delete_alias(wanted.name, wanted.alias)
    except PromotionRefused as error:
        raise _with_hint(error) from error
    return EMPTY


def get_by_alias(app: App, call: Call) -> Answer:
    wanted = call.read(ModelAlias)
    require(wanted, "name", "alias")
    return answer_as(
        "model_version", version_info(app.registry.versions.get_by_alias(wanted.name, wanted.alias))
    )


def _with_hint(error: PromotionRefused) -> PromotionRefused:
    """Return the error with its command in the message, which is all that MLflow's clients show."""
    return PromotionRefused(f"{error.message}; next: {error.hint}" if error.hint else error.message)


def _refuse_declared(app: App, name: str, what: str) -> None:
    """Raise Conflict when an endpoint is declared for a model, which it names in paddock.toml."""
    for endpoint in app.endpoints.list_endpoints():
        if parse_ref("model", endpoint.spec.model)[0] == name:
            raise Conflict(
                f"model `{name}` cannot be {what}: endpoint `{endpoint.name}` is declared for"
                f" `{endpoint.spec.model}`"
            )
