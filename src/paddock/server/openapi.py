"""The OpenAPI 3.1 document, made from the declared routes and their structs."""

import re
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from paddock.wire import BodyKind, RouteSpec
from paddock.wire.structs import Problem
from paddock.wire.version import paddock_version

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

API_PREFIX = "/api/v1/"
_PARAMETER = re.compile(r"\{([a-z_]+)(:path)?\}")


def describe_api(specs: Sequence[RouteSpec]) -> dict[str, Json]:
    """Return the document of every route under `/api/v1`."""
    served = [spec for spec in specs if spec.path.startswith(API_PREFIX)]
    kinds = {kind for spec in served for kind in (spec.request, spec.response) if kind is not None}
    ordered = sorted({*kinds, Problem}, key=lambda kind: kind.__name__)
    _, schemas = msgspec.json.schema_components(
        ordered, schema_hook=_any_value, ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, Json] = {}
    for spec in sorted(served, key=lambda spec: (spec.path, spec.method)):
        item = paths.setdefault(format_path(spec.path), {})
        assert isinstance(item, dict)
        item[spec.method.lower()] = _describe_route(spec)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Paddock", "version": paddock_version(), "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def format_path(path: str) -> str:
    """Return a route's path in OpenAPI's form.

    >>> format_path("/runs/{run_id}/artifacts/{path:path}")
    '/runs/{run_id}/artifacts/{path}'
    """
    return _PARAMETER.sub(r"{\1}", path)


def operation_id(spec: RouteSpec) -> str:
    """Return the name of the operation: that of its handler, or what the route spells without one."""
    words = re.findall("[a-z0-9]+", f"{spec.method} {spec.path.removeprefix(API_PREFIX)}".lower())
    return getattr(spec.handler, "__name__", "_".join(words))


def _describe_route(spec: RouteSpec) -> dict[str, Json]:
    operation: dict[str, Json] = {
        "operationId": operation_id(spec),
        "summary": spec.summary,
        "x-paddock-permission": spec.permission.value,
        "parameters": _parameters(spec),
        "responses": {
            str(spec.status): _answer(spec),
            "default": {
                "description": "Problem",
                "content": {"application/problem+json": {"schema": _ref(Problem)}},
            },
        },
    }
    if spec.request is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(spec.request)}},
        }
    elif spec.body is BodyKind.FILE:
        binary: Json = {"type": "string", "format": "binary"}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/octet-stream": {"schema": binary}},
        }
    return operation


def _answer(spec: RouteSpec) -> Json:
    if spec.response is not None:
        return {"description": "OK", "content": {"application/json": {"schema": _ref(spec.response)}}}
    return {"description": "OK", "content": {spec.media_type: {}}}


def _parameters(spec: RouteSpec) -> list[Json]:
    text: Json = {"type": "string"}
    found: list[Json] = [
        {"name": match[1], "in": "path", "required": True, "schema": text}
        for match in _PARAMETER.finditer(spec.path)
    ]
    found += [
        {"name": name, "in": "query", "required": False, "description": help_, "schema": text}
        for name, help_ in spec.query.items()
    ]
    if spec.method == "POST":
        words = "the same key with the same request is done once; with another request it is refused"
        found.append({"name": "Idempotency-Key", "in": "header", "description": words, "schema": text})
    return found


def _ref(kind: type[msgspec.Struct]) -> Json:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _any_value(kind: type) -> dict[str, Json]:
    """Return the schema of what may be any JSON value, such as the data of an event.

    Raises NotImplementedError for other types, which msgspec asks of this hook: a struct without a schema
    then fails where the document is made.
    """
    if kind is object:
        return {"description": "Any JSON value"}
    raise NotImplementedError(f"{kind} has no JSON schema")
