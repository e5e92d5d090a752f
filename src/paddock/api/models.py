"""Registered models, their versions, aliases and gate reports; and the files of a package on their way in."""

from paddock.api.binding import PAGE, bind, take_page
from paddock.api.views import view, view_gate_report
from paddock.app import App
from paddock.kernel.digest import digest_chunks, parse_digest
from paddock.kernel.errors import InvalidInput
from paddock.kernel.refs import DatasetRef, ModelVersionRef, parse_ref, parse_version
from paddock.wire import Answer, BodyKind, Call, Permission, RouteSpec, answer_json, structs

_CHUNK_BYTES = 1_048_576
READ = Permission.READ


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return the routes of models."""
    return (*_reading_routes(app), *_writing_routes(app))


def _reading_routes(app: App) -> tuple[RouteSpec, ...]:
    model = "/api/v1/models/{name}"
    return (
        RouteSpec(
            "GET",
            "/api/v1/models",
            READ,
            bind(app, list_models),
            "List models by name",
            response=structs.ModelPage,
            query=PAGE,
        ),
        RouteSpec(
            "GET",
            f"{model}/versions",
            READ,
            bind(app, list_model_versions),
            "List the versions of a model, newest first",
            response=structs.ModelVersionPage,
            query=PAGE,
        ),
        RouteSpec(
            "GET",
            f"{model}/versions/{{selector}}",
            READ,
            bind(app, get_model_version),
            "Get a version by number or alias",
            response=structs.ModelVersion,
        ),
        RouteSpec(
            "GET",
            f"{model}/history",
            READ,
            bind(app, list_alias_history),
            "List the moves of an alias, newest first",
            response=structs.AliasHistory,
            query={"alias": "`champion` (the default) or another alias", **PAGE},
        ),
        RouteSpec(
            "GET",
            f"{model}/gate-reports",
            READ,
            bind(app, list_gate_reports),
            "List the gate reports of a model, newest first",
            response=structs.GateReportPage,
            query={"limit": PAGE["limit"]},
        ),
        RouteSpec(
            "GET",
            "/api/v1/gate-reports/{report_id}",
            READ,
            bind(app, get_gate_report),
            "Get a gate report",
            response=structs.GateReport,
        ),
    )


def _writing_routes(app: App) -> tuple[RouteSpec, ...]:
    model = "/api/v1/models/{name}"
    return (
        RouteSpec(
            "PUT",
            "/api/v1/objects/{digest}",
            Permission.REGISTER,
            bind(app, put_object),
            "Upload a file of a package under the digest of its bytes",
            response=structs.StoredObject,
            body=BodyKind.FILE,
            status=201,
        ),
        RouteSpec(
            "POST",
            f"{model}/versions",
            Permission.REGISTER,
            bind(app, register_version),
            "Register a stored package as the next version",
            request=structs.RegisterVersion,
            response=structs.ModelVersion,
            status=201,
        ),
        RouteSpec(
            "POST",
            f"{model}/versions/{{version}}/report",
            Permission.REGISTER,
            bind(app, attach_report),
            "Let a version stand on a gate report",
            request=structs.AttachReport,
            response=structs.ModelVersion,
        ),
        RouteSpec(
            "POST",
            f"{model}/promotions",
            Permission.PROMOTE,
            bind(app, promote),
            "Point an alias at a version; refused without a passed gate report",
            request=structs.Promote,
            response=structs.AliasChange,
            status=201,
        ),
        RouteSpec(
            "POST",
            f"{model}/rollbacks",
            Permission.PROMOTE,
            bind(app, rollback),
            "Take the previous champion back",
            request=structs.Rollback,
            response=structs.AliasChange,
            status=201,
        ),
    )


def list_models(app: App, call: Call) -> Answer:
    rows, cursor = take_page(app.registry.list_models(), call, lambda each: each.name)
    models = tuple(view(each, structs.Model) for each in rows)
    return answer_json(structs.ModelPage(models=models, next_cursor=cursor))


def list_model_versions(app: App, call: Call) -> Answer:
    found = app.registry.list_versions(call.path["name"])
    rows, cursor = take_page(found, call, lambda each: str(each.version))
    versions = tuple(view(each, structs.ModelVersion) for each in rows)
    return answer_json(structs.ModelVersionPage(versions=versions, next_cursor=cursor))


def get_model_version(app: App, call: Call) -> Answer:
    version = app.registry.get(f"{call.path['name']}@{call.path['selector']}")
    return answer_json(view(version, structs.ModelVersion))


def list_alias_history(app: App, call: Call) -> Answer:
    changes = app.registry.alias_history(call.path["name"], call.text("alias", "champion"))
    rows, cursor = take_page(changes, call, lambda each: str(each.sequence))
    moves = tuple(view(each, structs.AliasChange) for each in rows)
    return answer_json(structs.AliasHistory(changes=moves, next_cursor=cursor))


def list_gate_reports(app: App, call: Call) -> Answer:
    found = app.evaluation.list_reports(call.path["name"], limit=call.limit())
    reports = tuple(view(each, structs.GateReportSummary) for each in found)
    return answer_json(structs.GateReportPage(reports=reports))


def get_gate_report(app: App, call: Call) -> Answer:
    return answer_json(view_gate_report(app.evaluation.get_report(call.path["report_id"])))


def put_object(app: App, call: Call) -> Answer:
    wanted = parse_digest(call.path["digest"])
    with call.file().open("rb") as file:
        found = digest_chunks(iter(lambda: file.read(_CHUNK_BYTES), b""))
    if found != wanted:
        raise InvalidInput(f"the bytes have the digest `{found}`, not `{wanted}`; nothing was stored")
    app.objects.put_file(call.file())
    stored = structs.StoredObject(digest=wanted, size_bytes=app.objects.size_bytes(wanted))
    return answer_json(stored, status=201)


def register_version(app: App, call: Call) -> Answer:
    from paddock.registry import Recipe

    wanted = call.read(structs.RegisterVersion)
    version = app.registry.register_version(
        call.path["name"],
        parse_digest(wanted.package_digest),
        run_id=wanted.run_id,
        refit_of=wanted.refit_of,
        report_id=wanted.report_id,
        datasets=tuple(_read_dataset(text) for text in wanted.datasets),
        recipe=Recipe(
            wanted.recipe.code_digest, wanted.recipe.params_digest, wanted.recipe.environment_digest
        ),
        key=call.key,
    )
    return answer_json(view(version, structs.ModelVersion), status=201)


def attach_report(app: App, call: Call) -> Answer:
    ref = f"{call.path['name']}@{parse_version('model', call.path['version'])}"
    version = app.registry.attach_report(ref, call.read(structs.AttachReport).report_id, key=call.key)
    return answer_json(view(version, structs.ModelVersion))


def promote(app: App, call: Call) -> Answer:
    wanted = call.read(structs.Promote)
    change = app.registry.promote(
        ModelVersionRef(call.path["name"], wanted.version),
        wanted.alias,
        reason=wanted.reason,
        expected_version=wanted.expected_version,
        key=call.key,
    )
    return answer_json(view(change, structs.AliasChange), status=201)


def rollback(app: App, call: Call) -> Answer:
    reason = call.read(structs.Rollback).reason
    change = app.registry.rollback(call.path["name"], reason=reason, key=call.key)
    return answer_json(view(change, structs.AliasChange), status=201)


def _read_dataset(text: str) -> DatasetRef:
    name, version = parse_ref("dataset", text)
    return DatasetRef(name, parse_version("dataset", version))
