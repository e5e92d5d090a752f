"""Datasets: list, look at, upload and download their versions."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from paddock.api.binding import PAGE, bind, take_page
from paddock.api.views import view_dataset, view_dataset_version
from paddock.app import App
from paddock.kernel.names import check_name
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


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return the routes of datasets."""
    versions = "/api/v1/datasets/{name}/versions"
    read = Permission.READ
    file_name = {"file_name": "its name, by whose ending the format is known (.parquet, .csv, .arrow)"}
    return (
        RouteSpec(
            "GET",
            "/api/v1/datasets",
            read,
            bind(app, list_datasets),
            "List datasets by name",
            response=structs.DatasetPage,
            query=PAGE,
        ),
        RouteSpec(
            "GET",
            versions,
            read,
            bind(app, list_dataset_versions),
            "List the versions of a dataset, newest first",
            response=structs.DatasetVersionPage,
            query=PAGE,
        ),
        RouteSpec(
            "POST",
            versions,
            Permission.ADD_DATA,
            bind(app, add_dataset_version),
            "Upload a file as the next version; bytes that are stored already are that version",
            response=structs.DatasetVersion,
            body=BodyKind.FILE,
            query=file_name,
            status=201,
        ),
        RouteSpec(
            "GET",
            f"{versions}/{{version}}",
            read,
            bind(app, get_dataset_version),
            "Get a version of a dataset",
            response=structs.DatasetVersion,
        ),
        RouteSpec(
            "GET",
            f"{versions}/{{version}}/content",
            read,
            bind(app, get_dataset_content),
            "Download the bytes of a version",
            media_type="application/octet-stream",
        ),
    )


def list_datasets(app: App, call: Call) -> Answer:
    rows, cursor = take_page(app.datasets.list_datasets(), call, lambda each: each.name)
    return answer_json(
        structs.DatasetPage(datasets=tuple(view_dataset(each) for each in rows), next_cursor=cursor)
    )


def list_dataset_versions(app: App, call: Call) -> Answer:
    found = app.datasets.list_versions(call.path["name"])
    rows, cursor = take_page(found, call, lambda each: str(each.version))
    versions = tuple(view_dataset_version(each) for each in rows)
    return answer_json(structs.DatasetVersionPage(versions=versions, next_cursor=cursor))


def add_dataset_version(app: App, call: Call) -> Answer:
    name = check_name("dataset", call.path["name"])
    file_name = check_name("file", call.text("file_name") or f"{name}.parquet")
    folder = Path(tempfile.mkdtemp(prefix="paddock-dataset-"))
    try:
        version = app.datasets.add_file(name, call.file().rename(folder / file_name), key=call.key)
    finally:
        shutil.rmtree(folder)
    return answer_json(view_dataset_version(version), status=201)


def get_dataset_version(app: App, call: Call) -> Answer:
    return answer_json(view_dataset_version(app.datasets.get(_ref(call.path))))


def get_dataset_content(app: App, call: Call) -> AnyAnswer:
    version = app.datasets.get(_ref(call.path))
    file_name = f"{version.name}-{version.version}.{version.format}"
    return answer_object(app.objects, version.digest, version.size_bytes, file_name, call.headers)


def _ref(path: Mapping[str, str]) -> str:
    return f"{path['name']}@{path['version']}"
