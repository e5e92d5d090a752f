"""Files in parts, and addresses a client may use without any header of its own.

A store in the cloud hands out such addresses for itself; here they are addresses of this server.
"""

import msgspec

from paddock.app import App
from paddock.kernel.errors import InvalidInput
from paddock.mlflow_api.answers import EMPTY
from paddock.mlflow_api.binding import LOG, READ, Face
from paddock.mlflow_api.bodies import Int64, Message, Part, require
from paddock.mlflow_api.errors import invalid_value
from paddock.mlflow_api.places import (
    PROXY,
    Place,
    check_name,
    find_place,
    headers_for,
    path_of,
    run_root,
    url_of,
)
from paddock.tracking import PartRef, owner_of_run
from paddock.wire import Answer, Call, RouteSpec

_LONGEST_S = 604_800
_TYPE = {"Content-Type": "application/octet-stream"}


class BeginUpload(Message, frozen=True):
    path: str = ""
    num_parts: Int64 = 1


class SentPart(Part, frozen=True):
    part_number: Int64 = 0
    etag: str = ""


class EndUpload(Message, frozen=True):
    path: str = ""
    upload_id: str = ""
    parts: tuple[SentPart, ...] = ()


class WantedUrl(Message, frozen=True):
    """expiration: seconds; the addresses of this server do not end, so it is only checked."""

    run_id: str = ""
    model_id: str = ""
    path: str = ""
    expiration: Int64 = 900


class Credential(msgspec.Struct, frozen=True):
    """Where one part goes, and with which headers."""

    url: str
    part_number: int
    headers: dict[str, str]


class UploadBegun(msgspec.Struct, frozen=True):
    upload_id: str
    credentials: list[Credential]


class DownloadUrl(msgspec.Struct, frozen=True):
    """file_size: bytes, by which a client divides the download."""

    url: str
    headers: dict[str, str]
    file_size: int


class PresignedUrl(msgspec.Struct, frozen=True, omit_defaults=True):
    presigned_url: str
    headers: dict[str, str]
    file_size: int | None = None


def routes(face: Face) -> tuple[RouteSpec, ...]:
    """Return the routes of uploads in parts and of addresses handed out."""
    at = "/mlflow-artifacts"
    tail = "{path:path}"
    urls = "/mlflow/artifacts/presigned"
    begin_path, end_path, abort_path = (f"{at}/mpu/{verb}/{tail}" for verb in ("create", "complete", "abort"))
    return (
        *face.routes("POST", begin_path, LOG, begin, "Begin to upload a file in parts", BeginUpload),
        *face.routes("POST", end_path, LOG, complete, "Make the file of its parts", EndUpload),
        *face.routes("POST", abort_path, LOG, abort, "Drop an upload and its parts", EndUpload),
        *face.routes("GET", f"{at}/presigned/{tail}", READ, get_url, "Get where to download a file"),
        *face.routes("POST", f"{urls}-upload-url", LOG, upload_url, "Get where to put a file", WantedUrl),
        *face.routes("POST", f"{urls}-download-url", READ, download_url, "Get where a file is", WantedUrl),
    )


def begin(app: App, call: Call) -> Answer:
    wanted = call.read(BeginUpload)
    require(wanted, "path")
    if wanted.num_parts < 1:
        raise invalid_value("num_parts", wanted.num_parts, "An upload has at least one part.")
    place = _place_of_upload(app, call, wanted.path)
    upload = app.uploads.create(place.owner, place.path, part_count=wanted.num_parts, key=call.key)
    headers = {**_TYPE, **headers_for(app)}
    credentials = [
        Credential(url_of(call, f"/api/v1/uploads/{upload.upload_id}/parts/{number}"), number, headers)
        for number in range(1, wanted.num_parts + 1)
    ]
    return Answer(msgspec.json.encode(UploadBegun(upload.upload_id, credentials)))


def complete(app: App, call: Call) -> Answer:
    wanted = call.read(EndUpload)
    require(wanted, "path", "upload_id", "parts")
    _check_upload(app, call, wanted)
    parts = tuple(PartRef(part.part_number, part.etag.strip('"')) for part in wanted.parts)
    app.uploads.complete(wanted.upload_id, parts)
    return EMPTY


def abort(app: App, call: Call) -> Answer:
    wanted = call.read(EndUpload)
    require(wanted, "path", "upload_id")
    _check_upload(app, call, wanted)
    app.uploads.abort(wanted.upload_id)
    return EMPTY


def get_url(app: App, call: Call) -> Answer:
    place = find_place(app, call.path["path"])
    file = app.artifacts.get(place.owner, place.path)
    url = url_of(call, f"{PROXY}/{call.path['path']}")
    return Answer(msgspec.json.encode(DownloadUrl(url, headers_for(app), file.size_bytes)))


def upload_url(app: App, call: Call) -> Answer:
    wanted = call.read(WantedUrl)
    require(wanted, "path")
    if bool(wanted.run_id) == bool(wanted.model_id):
        raise InvalidInput("Exactly one of run_id and model_id must be provided.")
    if wanted.model_id:
        root = app.logged_models.get(wanted.model_id).artifact_uri
    else:
        root = run_root(app, wanted.run_id).uri
    url = _address(call, root, wanted)
    return Answer(msgspec.json.encode(PresignedUrl(url, {**_TYPE, **headers_for(app)})))


def download_url(app: App, call: Call) -> Answer:
    wanted = call.read(WantedUrl)
    require(wanted, "run_id", "path")
    url = _address(call, run_root(app, wanted.run_id).uri, wanted)
    file = app.artifacts.get(owner_of_run(wanted.run_id), wanted.path)
    return Answer(msgspec.json.encode(PresignedUrl(url, headers_for(app), file.size_bytes)))


def _address(call: Call, root_uri: str, wanted: WantedUrl) -> str:
    """Return where a file of a run or a logged model lies below the proxy."""
    if not 1 <= wanted.expiration <= _LONGEST_S:
        raise InvalidInput(
            f"expiration must be between 1 and {_LONGEST_S} seconds (got {wanted.expiration})."
        )
    root = path_of(root_uri)
    if not root:
        raise InvalidInput(f"the files at '{root_uri[:200]}' are not kept by this server")
    return url_of(call, f"{PROXY}/{root}/{check_name(wanted.path)}")


def _check_upload(app: App, call: Call, wanted: EndUpload) -> None:
    """Raise InvalidInput unless the upload is one of the file that the call names."""
    upload, place = app.uploads.get(wanted.upload_id), _place_of_upload(app, call, wanted.path)
    if (upload.owner, upload.path) != (place.owner, place.path):
        raise invalid_value("upload_id", wanted.upload_id, "It is the upload of another file.")


def _place_of_upload(app: App, call: Call, local_path: str) -> Place:
    """Return the file of an upload: a client names its folder, and where the file is on its own disk."""
    name = local_path.rpartition("/" if "/" in local_path else "\\")[2]
    return find_place(app, f"{call.path['path'].removesuffix('/')}/{name}")
