"""Versions of registered models."""

import msgspec

from paddock.app import App
from paddock.mlflow_api.answers import EMPTY, answer_as, answer_page
from paddock.mlflow_api.binding import READ, Face
from paddock.mlflow_api.bodies import Int64, Message, require
from paddock.mlflow_api.registry_answers import read_tags, version_info
from paddock.mlflow_api.runs import Pair
from paddock.registry import NewVersion, Search, parse_number
from paddock.wire import Answer, Call, Permission, RouteSpec

REGISTER, PROMOTE = Permission.REGISTER, Permission.PROMOTE


class CreateVersion(Message, frozen=True):
    name: str = ""
    source: str = ""
    run_id: str = ""
    tags: tuple[Pair, ...] = ()
    run_link: str = ""
    description: str = ""
    model_id: str = ""


class OneVersion(Message, frozen=True):
    name: str = ""
    version: str = ""


class UpdateVersion(Message, frozen=True):
    name: str = ""
    version: str = ""
    description: str | None = None


class MoveToStage(Message, frozen=True):
    name: str = ""
    version: str = ""
    stage: str = ""
    archive_existing_versions: bool = False


class SearchVersions(Message, frozen=True):
    filter: str = ""
    max_results: Int64 = 10_000
    order_by: tuple[str, ...] = ()
    page_token: str = ""


class VersionTag(Message, frozen=True):
    name: str = ""
    version: str = ""
    key: str = ""
    value: str = ""


def routes(face: Face) -> tuple[RouteSpec, ...]:
    """Return the routes of versions."""
    at = "/mlflow/model-versions"
    stage = f"{at}/transition-stage"
    download = f"{at}/get-download-uri"
    return (
        *face.routes("POST", f"{at}/create", REGISTER, create, "Register a version", CreateVersion),
        *face.routes("GET", f"{at}/get", READ, get, "Get a version", OneVersion),
        *face.routes("GET", f"{at}/search", READ, search, "Find versions", SearchVersions),
        *face.routes("PATCH", f"{at}/update", REGISTER, update, "Describe a version", UpdateVersion),
        *face.routes("DELETE", f"{at}/delete", REGISTER, delete, "Delete a version", OneVersion),
        *face.routes("POST", stage, PROMOTE, move_to_stage, "Call a version by a stage", MoveToStage),
        *face.routes("GET", download, READ, get_download_uri, "Get where its files are", OneVersion),
        *face.routes("POST", f"{at}/set-tag", REGISTER, set_tag, "Set a tag", VersionTag),
        *face.routes("DELETE", f"{at}/delete-tag", REGISTER, delete_tag, "Delete a tag", VersionTag),
    )


def create(app: App, call: Call) -> Answer:
    wanted = call.read(CreateVersion)
    require(wanted, "name", "source")
    made = app.registry.versions.register(
        wanted.name,
        NewVersion(
            source=wanted.source,
            run_id=wanted.run_id,
            model_id=wanted.model_id,
            run_link=wanted.run_link,
            description=wanted.description,
            tags=read_tags(wanted.tags),
        ),
    )
    return answer_as("model_version", version_info(made))


def get(app: App, call: Call) -> Answer:
    name, number = _place(call.read(OneVersion))
    return answer_as("model_version", version_info(app.registry.versions.get(name, number)))


def search(app: App, call: Call) -> Answer:
    asked = call.read(SearchVersions)
    page = app.registry.versions.search(
        Search(filter=asked.filter, order=asked.order_by, limit=asked.max_results, cursor=asked.page_token)
    )
    rows = (msgspec.json.encode(version_info(each)) for each in page.versions)
    return answer_page("model_versions", rows, page.next_cursor)


def update(app: App, call: Call) -> Answer:
    wanted = call.read(UpdateVersion)
    name, number = _place(wanted)
    if wanted.description is None:
        version = app.registry.versions.get(name, number)
    else:
        version = app.registry.versions.describe(name, number, wanted.description)
    return answer_as("model_version", version_info(version))


def delete(app: App, call: Call) -> Answer:
    app.registry.versions.delete(*_place(call.read(OneVersion)))
    return EMPTY


def move_to_stage(app: App, call: Call) -> Answer:
    wanted = call.read(MoveToStage)
    name, number = _place(wanted)
    require(wanted, "stage")
    version = app.registry.versions.set_stage(
        name, number, wanted.stage, archive_others=wanted.archive_existing_versions
    )
    return answer_as("model_version", version_info(version))


def get_download_uri(app: App, call: Call) -> Answer:
    return answer_as("artifact_uri", app.registry.versions.find_download_uri(*_place(call.read(OneVersion))))


def set_tag(app: App, call: Call) -> Answer:
    wanted = call.read(VersionTag)
    name, number = _place(wanted)
    require(wanted, "key")
    app.registry.versions.set_tag(name, number, wanted.key, wanted.value)
    return EMPTY


def delete_tag(app: App, call: Call) -> Answer:
    wanted = call.read(VersionTag)
    name, number = _place(wanted)
    require(wanted, "key")
    app.registry.versions.delete_tag(name, number, wanted.key)
    return EMPTY


def _place(wanted: OneVersion | UpdateVersion | MoveToStage | VersionTag) -> tuple[str, int]:
    """Return name and number of the version that a message is about."""
    require(wanted, "name", "version")
    return wanted.name, parse_number(wanted.version)
