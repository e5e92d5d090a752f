"""Files of runs and logged models, through the proxy by which MLflow's clients reach them."""

from collections.abc import Iterator

import msgspec

from paddock.app import App
from paddock.kernel.errors import InvalidInput, NotFound
from paddock.kernel.refusals import BodyTooLarge
from paddock.mlflow_api.answers import EMPTY
from paddock.mlflow_api.binding import LOG, READ, Act, Face
from paddock.mlflow_api.bodies import Message, OfRun, read_query, require, run_id_of
from paddock.mlflow_api.places import Place, check_name, find_place, find_place_of_uri, run_root
from paddock.tracking import ArtifactEntry, owner_of_model, owner_of_run
from paddock.wire import Answer, AnyAnswer, BodyKind, Call, RouteSpec, answer_object

MAX_POSTED_BYTES = 10 * 1024 * 1024

_PAGE = 1_000
_PREFIXES = ("/api", "/ajax-api")


class ListOfRun(OfRun, frozen=True):
    path: str = ""


class ListBelow(Message, frozen=True):
    path: str = ""


class ListOfModel(Message, frozen=True):
    artifact_directory_path: str = ""


class FileOfModel(Message, frozen=True):
    artifact_file_path: str = ""


class FileOfVersion(Message, frozen=True):
    name: str = ""
    version: str = ""
    path: str = ""


class FileInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file or a folder. file_size: bytes, of files only."""

    path: str
    is_dir: bool
    file_size: int | None = None


class Listing(msgspec.Struct, frozen=True, omit_defaults=True):
    """root_uri: below which the paths lie."""

    files: list[FileInfo]
    root_uri: str = ""


def routes(face: Face) -> tuple[RouteSpec, ...]:
    """Return the routes of files."""
    proxy = "/mlflow-artifacts/artifacts"
    file = f"{proxy}/{{path:path}}"
    model = "/mlflow/logged-models/{model_id}/artifacts"
    of_model = f"{model}/directories"
    return (
        *face.routes("GET", "/mlflow/artifacts/list", READ, list_of_run, "List a run's files", ListOfRun),
        *face.routes("GET", of_model, READ, list_of_model, "List a logged model's files", ListOfModel),
        *face.routes("GET", proxy, READ, list_below, "List what lies in a folder", ListBelow),
        *face.routes("GET", file, READ, download, "Download a file, or a part of it"),
        *(_put_route(face, f"{prefix}/2.0{file}") for prefix in _PREFIXES),
        *face.routes("DELETE", file, LOG, delete, "Delete a file or a folder"),
        *_page_routes(face, f"/ajax-api/2.0{model}/files"),
    )


def _put_route(face: Face, path: str) -> RouteSpec:
    summary = "Upload a file of any type"
    return RouteSpec("PUT", path, LOG, face.bind(upload), summary, body=BodyKind.FILE, takes_any_type=True)


def _page_routes(face: Face, of_model: str) -> tuple[RouteSpec, ...]:
    """Return what pages written for MLflow ask for; most of it has one address only."""
    of_run = "Download a file of a run"
    of_version = "Download a file of a version"
    query = {"run_uuid": "the run", "path": "the file's name"}
    return (
        _get_route(face, "/get-artifact", get_of_run, of_run, ListOfRun),
        _get_route(face, "/model-versions/get-artifact", get_of_version, of_version, FileOfVersion),
        _get_route(face, of_model, get_of_model, "Download a file of a logged model", FileOfModel),
        RouteSpec(
            "POST",
            "/ajax-api/2.0/mlflow/upload-artifact",
            LOG,
            face.bind(upload_to_run),
            "Upload a file of at most 10 MB to a run",
            body=BodyKind.FILE,
            query=query,
        ),
    )


def _get_route(face: Face, path: str, act: Act, summary: str, message: type[Message]) -> RouteSpec:
    return RouteSpec("GET", path, READ, face.bind(act), summary, decode=read_query(message))


def list_of_run(app: App, call: Call) -> Answer:
    asked = call.read(ListOfRun)
    run_id = run_id_of(asked)
    root = run_root(app, run_id)
    return _answer_listing(app, Place(owner_of_run(run_id), check_name(asked.path)), root.uri)


def list_of_model(app: App, call: Call) -> Answer:
    model = app.logged_models.get(call.path["model_id"])
    folder = check_name(call.read(ListOfModel).artifact_directory_path)
    return _answer_listing(app, Place(owner_of_model(model.model_id), folder), model.artifact_uri)


def list_below(app: App, call: Call) -> Answer:
    place = find_place(app, call.read(ListBelow).path)
    return _answer([_info(entry, entry.path.rpartition("/")[2]) for entry in _list(app, place)])


def download(app: App, call: Call) -> AnyAnswer:
    return _answer_file(app, call, find_place(app, call.path["path"]))


def upload(app: App, call: Call) -> Answer:
    place = find_place(app, call.path["path"])
    app.artifacts.put_file(place.owner, place.path, call.file(), key=call.key)
    return EMPTY


def delete(app: App, call: Call) -> Answer:
    """Delete what is there; nothing is no error, since clients delete again what they have deleted."""
    place = find_place(app, call.path["path"])
    if place.owner and not place.path:
        app.artifacts.delete_owner(place.owner)
        return EMPTY
    try:
        app.artifacts.delete(place.owner, place.path)
    except NotFound:
        return EMPTY
    return EMPTY


def get_of_run(app: App, call: Call) -> AnyAnswer:
    asked = call.read(ListOfRun)
    run_id = run_id_of(asked)
    require(asked, "path")
    run_root(app, run_id)
    return _answer_file(app, call, Place(owner_of_run(run_id), asked.path))


def get_of_model(app: App, call: Call) -> AnyAnswer:
    asked = call.read(FileOfModel)
    require(asked, "artifact_file_path")
    model = app.logged_models.get(call.path["model_id"])
    return _answer_file(app, call, Place(owner_of_model(model.model_id), asked.artifact_file_path))


def get_of_version(app: App, call: Call) -> AnyAnswer:
    from paddock.registry import parse_number

    asked = call.read(FileOfVersion)
    require(asked, "name", "version", "path")
    uri = app.registry.versions.find_download_uri(asked.name, parse_number(asked.version))
    place = find_place_of_uri(app, uri)
    path = f"{place.path}/{asked.path}" if place.path else asked.path
    return _answer_file(app, call, Place(place.owner, path))


def upload_to_run(app: App, call: Call) -> Answer:
    for name in ("run_uuid", "path"):
        if not call.text(name):
            raise InvalidInput(f"Request must specify {name}.")
    size = call.file().stat().st_size
    if not size:
        raise InvalidInput("Request must specify data.")
    if size > MAX_POSTED_BYTES:
        raise BodyTooLarge("Artifact size is too large. Max size is 10MB.")
    owner = owner_of_run(call.text("run_uuid"))
    app.artifacts.put_file(owner, check_name(call.text("path")), call.file(), key=call.key)
    return EMPTY


def _answer_file(app: App, call: Call, place: Place) -> AnyAnswer:
    if not place.path:
        raise InvalidInput("Artifact path refers to a directory, not a file")
    file = app.artifacts.get(place.owner, check_name(place.path))
    return answer_object(app.objects, file.digest, file.size_bytes, file.name, call.headers)


def _answer_listing(app: App, place: Place, root_uri: str) -> Answer:
    return _answer([_info(entry, entry.path) for entry in _list(app, place)], root_uri)


def _answer(files: list[FileInfo], root_uri: str = "") -> Answer:
    return Answer(msgspec.json.encode(Listing(files, root_uri)))


def _list(app: App, place: Place) -> Iterator[ArtifactEntry]:
    """Yield everything in a folder: the clients ask once, for all of it."""
    cursor = ""
    while True:
        page = app.artifacts.list_folder(place.owner, place.path, limit=_PAGE, cursor=cursor)
        yield from page.entries
        cursor = page.next_cursor
        if not cursor:
            return


def _info(entry: ArtifactEntry, path: str) -> FileInfo:
    return FileInfo(path, entry.is_folder, None if entry.is_folder else entry.size_bytes)
