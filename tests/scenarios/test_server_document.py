"""The OpenAPI document and the routes are one."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from paddock.app import App, open_app
from paddock.kernel.settings import resolve_settings
from paddock.server import default_faces, describe_api
from paddock.server.openapi import API_PREFIX, format_path
from paddock.wire import BodyKind, RouteSpec


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    opened = open_app(resolve_settings({"store": str(tmp_path / "store")}, {}, {}))
    yield opened
    opened.close()


@pytest.fixture
def specs(app: App) -> list[RouteSpec]:
    return [spec for face in default_faces() for spec in face(app) if spec.path.startswith(API_PREFIX)]


def test_document_has_every_route_and_no_other(specs: list[RouteSpec]):
    """What is served is described, with its permission."""
    document = describe_api(specs)

    described = {
        (method.upper(), path, operation["x-paddock-permission"])
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }

    assert described == {(spec.method, format_path(spec.path), spec.permission.value) for spec in specs}
    assert len(specs) >= 25


def test_document_is_whole(specs: list[RouteSpec]):
    """References lead somewhere, operations have names of their own, path parameters are declared."""
    document = json.loads(json.dumps(describe_api(specs)))
    schemas = document["components"]["schemas"]
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]

    assert document["openapi"] == "3.1.0"
    assert set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document))) <= set(schemas)
    assert len(names) == len(set(names))
    for path, item in document["paths"].items():
        for operation in item.values():
            declared = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            assert declared == set(re.findall(r"\{(\w+)\}", path))
            assert operation["summary"]
            assert "default" in operation["responses"]


def test_requests_refuse_unknown_fields_by_their_schema(specs: list[RouteSpec]):
    """The document says what the server does: no field more than declared."""
    schemas = describe_api(specs)["components"]["schemas"]

    requests = {spec.request.__name__ for spec in specs if spec.request is not None}

    assert requests
    for name in requests:
        assert schemas[name]["additionalProperties"] is False


def test_every_changing_route_takes_its_body_in_one_way(specs: list[RouteSpec]):
    """A POST has a struct or a file; routes that read or remove have none."""
    for spec in specs:
        if spec.method in ("GET", "DELETE"):
            assert spec.body is BodyKind.NONE
        else:
            assert (spec.request is not None) != (spec.body is BodyKind.FILE), spec.path


def test_every_path_parameter_of_a_list_is_bounded(specs: list[RouteSpec]):
    """Whatever answers a page takes a limit."""
    for spec in specs:
        if spec.response is not None and spec.response.__name__.endswith("Page"):
            assert "limit" in spec.query, spec.path
