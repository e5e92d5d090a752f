"""Files of runs: list, download, upload whole or in parts, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.api.binding import PAGE, bind
from paddock.api.views import view
from paddock.app import App
from paddock.kernel.errors import InvalidInput
from paddock.wire import (
    Answer,
    AnyAnswer,
    BodyKind,
    Call,
    Permission,
    RouteSpec,
    answer_json,
    answer_object,
    structs,
)

if TYPE_CHECKING:
    from paddock.tracking import Owner, Upload, UploadPart

READ, LOG = Permission.READ, Permission.LOG_RUNS
_LISTING = {
    "path": "only what lies in this folder",
    "depth": "`folder` shows folders as such, the default; `all` shows every file below",
    **PAGE,
}
_DIGEST = {"digest": "BLAKE3 digest that the bytes must have; otherwise nothing is stored (422)"}


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return the routes of artifacts and uploads."""
    return (*_file_routes(app), *_upload_routes(app))


def _file_routes(app: App) -> tuple[RouteSpec, ...]:
    listing = "/api/v1/runs/{run_id}/artifacts"
    file = f"{listing}/{{path:path}}"
    return (
        RouteSpec(
            "GET",
            listing,
            READ,
            bind(app, list_artifacts),
            "List the artifacts of a run, a folder at a time or all of them",
            response=structs.ArtifactPage,
            query=_LISTING,
        ),
        RouteSpec(
            "GET",
            file,
            READ,
            bind(app, get_artifact),
            "Download an artifact, or a part of it (`Range`, `If-None-Match`)",
            media_type="application/octet-stream",
        ),
        RouteSpec(
            "PUT",
            file,
            LOG,
            bind(app, log_artifact),
            "Upload an artifact",
            response=structs.Artifact,
            body=BodyKind.FILE,
            query=_DIGEST,
            status=201,
        ),
        RouteSpec(
            "DELETE",
            file,
            LOG,
            bind(app, delete_artifact),
            "Delete an artifact, or a folder with everything in it",
            response=structs.ArtifactTotal,
        ),
    )


def _upload_routes(app: App) -> tuple[RouteSpec, ...]:
    upload = "/api/v1/uploads/{upload_id}"
    return (
        RouteSpec(
            "POST",
            "/api/v1/runs/{run_id}/uploads",
            LOG,
            bind(app, create_upload),
            "Begin to upload an artifact in parts",
            request=structs.CreateUpload,
            response=structs.Upload,
            status=201,
        ),
        RouteSpec(
            "GET",
            upload,
            LOG,
            bind(app, get_upload),
            "Get an upload and the parts that have arrived",
            response=structs.Upload,
        ),
        RouteSpec(
            "PUT",
            f"{upload}/parts/{{number}}",
            LOG,
            bind(app, put_part),
            "Upload a part; sent again it takes the place of the first one",
            response=structs.UploadPart,
            body=BodyKind.FILE,
            query=_DIGEST,
            status=201,
        ),
        RouteSpec(
            "POST",
            f"{upload}/complete",
            LOG,
            bind(app, complete_upload),
            "Make the artifact of its parts",
            request=structs.CompleteUpload,
            response=structs.Artifact,
            is_slow=True,
        ),
        RouteSpec(
            "DELETE",
            upload,
            LOG,
            bind(app, abort_upload),
            "Drop an upload and its parts; the answer is what it was",
            response=structs.Upload,
        ),
    )


def list_artifacts(app: App, call: Call) -> Answer:
    depth = call.text("depth", "folder")
    if depth not in ("folder", "all"):
        raise InvalidInput(f"`depth` is `{depth[:40]}`, but must be `folder` or `all`")
    ask = app.artifacts.list_files if depth == "all" else app.artifacts.list_folder
    page = ask(_owner(app, call), call.text("path"), limit=call.limit(), cursor=call.text("cursor"))
    return answer_json(view(page, structs.ArtifactPage))


def get_artifact(app: App, call: Call) -> AnyAnswer:
    file = app.artifacts.get(_owner(app, call), call.path["path"])
    return answer_object(app.objects, file.digest, file.size_bytes, file.name, call.headers)


def log_artifact(app: App, call: Call) -> Answer:
    from paddock.tracking import owner_of_run

    file = app.artifacts.put_file(
        owner_of_run(call.path["run_id"]),
        call.path["path"],
        call.file(),
        digest=call.text("digest"),
        key=call.key,
    )
    return answer_json(view(file, structs.Artifact), status=201)


def delete_artifact(app: App, call: Call) -> Answer:
    gone = app.artifacts.delete(_owner(app, call), call.path["path"])
    return answer_json(view(gone, structs.ArtifactTotal))


def create_upload(app: App, call: Call) -> Answer:
    from paddock.tracking import owner_of_run

    wanted = call.read(structs.CreateUpload)
    upload = app.uploads.create(
        owner_of_run(call.path["run_id"]),
        wanted.path,
        size_bytes=wanted.size_bytes,
        part_count=wanted.part_count,
        key=call.key,
    )
    return answer_json(_view_upload(upload, ()), status=201)


def get_upload(app: App, call: Call) -> Answer:
    upload_id = call.path["upload_id"]
    return answer_json(_view_upload(app.uploads.get(upload_id), app.uploads.list_parts(upload_id)))


def put_part(app: App, call: Call) -> Answer:
    number = call.path["number"]
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise InvalidInput(f"`{number[:40]}` is not the number of a part")
    part = app.uploads.put_part_file(
        call.path["upload_id"], int(number), call.file(), digest=call.text("digest")
    )
    answer = answer_json(view(part, structs.UploadPart), status=201)
    return Answer(answer.body, answer.status, headers={"ETag": f'"{part.digest}"'})


def complete_upload(app: App, call: Call) -> Answer:
    from paddock.tracking import PartRef

    wanted = call.read(structs.CompleteUpload)
    parts = tuple(PartRef(part.number, part.digest) for part in wanted.parts)
    return answer_json(view(app.uploads.complete(call.path["upload_id"], parts), structs.Artifact))


def abort_upload(app: App, call: Call) -> Answer:
    upload = app.uploads.get(call.path["upload_id"])
    app.uploads.abort(upload.upload_id)
    return answer_json(_view_upload(upload, ()))


def _owner(app: App, call: Call) -> Owner:
    """Return the run as an owner of files, after looking whether it is there."""
    from paddock.tracking import owner_of_run

    app.tracking.get_status(call.path["run_id"])
    return owner_of_run(call.path["run_id"])


def _view_upload(upload: Upload, parts: tuple[UploadPart, ...]) -> structs.Upload:
    return structs.Upload(
        upload_id=upload.upload_id,
        owner=upload.owner,
        path=upload.path,
        size_bytes=upload.size_bytes,
        part_count=upload.part_count,
        state=upload.state,
        digest=upload.digest,
        created_at=upload.created_at,
        expires_at=upload.expires_at,
        parts=tuple(view(part, structs.UploadPart) for part in parts),
    )
