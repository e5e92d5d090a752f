"""What a client learns of the server before it asks for anything else."""

import msgspec

from paddock.app import App
from paddock.mlflow_api.binding import Face
from paddock.wire import Answer, Call, Permission, RouteSpec

# the release of MLflow whose protocol this face speaks; clients choose their calls by it
MLFLOW_VERSION = "3.17.2"


class Features(msgspec.Struct, frozen=True):
    gateway: bool = False


class ServerInfo(msgspec.Struct, frozen=True):
    """What the server can do. store_type: MLflow knows files and tables."""

    store_type: str = "SqlStore"
    workspaces_enabled: bool = True
    trace_archival_enabled: bool = False
    multipart_uploads_enabled: bool = False
    multipart_downloads_enabled: bool = False
    presigned_upload_run_id_supported: bool = False
    presigned_upload_model_id_supported: bool = False
    features_enabled: Features = Features()


_SERVER_INFO = Answer(msgspec.json.encode(ServerInfo()))
_VERSION = Answer(MLFLOW_VERSION.encode(), media_type="text/plain; charset=utf-8")


def routes(face: Face) -> tuple[RouteSpec, ...]:
    """Return the routes that tell of the server; `/health` is its own."""
    anyone = Permission.ANYONE
    info = face.routes(
        "GET",
        "/mlflow/server-info",
        anyone,
        get_server_info,
        "What it can do",
        version=3,
        needs_project=False,
    )
    version = RouteSpec(
        "GET",
        "/version",
        anyone,
        face.bind_anywhere(get_version),
        "The release of MLflow it speaks with",
        media_type="text/plain",
    )
    return (*info, version)


def get_server_info(_: App, __: Call) -> Answer:
    return _SERVER_INFO


def get_version(_: App, __: Call) -> Answer:
    return _VERSION
