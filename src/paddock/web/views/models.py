"""`/models`: which there are. `/models/{name}`: what is champion, since when and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.web.formats import path_of
from paddock.web.page import Crumb, Page, tables_of
from paddock.web.tables import Cell, Column, Table, identity, moment, number, status, text
from paddock.web.views import shared
from paddock.web.views.paging import take_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from paddock.app import App
    from paddock.evaluation import ReportSummary
    from paddock.registry import AliasChange, ModelSummary, ModelVersion
    from paddock.wire import Call

MOST_REPORTS = 500
MOST_CHANGES = 60
_FOREIGN = "logged by MLflow, no package"
_CHANGES = {
    "promoted": ("good", "promoted"),
    "rolled_back": ("bad", "rolled back"),
    "set": ("unknown", "set"),
    "cleared": ("unknown", "cleared"),
}


def show_list(app: App, call: Call) -> Page:
    """Return the models by name."""
    taken, paging = take_page(app.registry.list_models(), call)
    return Page(
        "list.html",
        "Models",
        "models",
        crumbs=(Crumb("Models"),),
        context={"paging": paging, "table_name": "models"},
        tables=tables_of(_list_table(taken, app.clock.now())),
    )


def show(app: App, call: Call) -> Page:
    """Return one model: its champion, its versions, and every move of its aliases."""
    name, now = call.path["name"], app.clock.now()
    versions = app.registry.list_versions(name)
    champions = app.registry.alias_history(name)
    challengers = app.registry.alias_history(name, "challenger")
    reports: dict[str, ReportSummary] = {
        each.report_id: each for each in app.evaluation.list_reports(name, limit=MOST_REPORTS)
    }
    taken, paging = take_page(versions, call)
    changes = sorted(app.registry.list_moves(name), key=lambda change: change.at, reverse=True)
    endpoints = [each for each in app.endpoints.list_endpoints() if shared.model_of(each) == name]
    names = {each.name for each in endpoints}
    return Page(
        "model.html",
        name,
        "models",
        crumbs=(Crumb("Models", "/models"), Crumb(name)),
        context={
            "name": name,
            "reign": shared.current_reign(champions),
            "challenger": shared.current_reign(challengers),
            "versions": versions,
            "paging": paging,
            "endpoints": [
                (each.name, shared.split_traffic(app.endpoints.find_current(each.name))) for each in endpoints
            ],
            "monitors": [each for each in app.monitoring.list_monitors() if each.latest.endpoint in names],
        },
        tables=tables_of(_versions_table(taken, reports, now), _changes_table(changes[:MOST_CHANGES], now)),
    )


def gate_words(report: ReportSummary | None) -> Cell:
    """Return what the gates said of a version."""
    if report is None:
        return status("unknown", "no report")
    href = path_of("reports", report.report_id)
    return status("good" if report.passed else "bad", "passed" if report.passed else "refused", href=href)


def _list_table(models: Sequence[ModelSummary], now: datetime) -> Table:
    return Table(
        "models",
        "Models by name",
        (
            Column("name", "Model"),
            Column("champion", "Champion", numeric=True),
            Column("challenger", "Challenger", numeric=True),
            Column("latest_version", "Newest", numeric=True),
            Column("version_count", "Versions", numeric=True),
            Column("created_at", "First registered"),
            Column("principal", "By"),
        ),
        tuple(
            (
                text(each.name, href=path_of("models", each.name), length=60),
                _version(each.name, each.champion),
                _version(each.name, each.challenger),
                _version(each.name, each.latest_version),
                number(each.version_count),
                moment(each.created_at, now),
                text(each.principal),
            )
            for each in models
        ),
        empty="No model yet. A model comes into being with its first registered version.",
        command='run.log_model(model, name="delay", sample=...)',
    )


def _version(name: str, version: int) -> Cell:
    return Cell(version, str(version), path_of("models", name, version)) if version else Cell()


def _versions_table(
    versions: Sequence[ModelVersion], reports: Mapping[str, ReportSummary], now: datetime
) -> Table:
    return Table(
        "versions",
        "Versions, newest first",
        (
            Column("version", "Version"),
            Column("aliases", "Alias"),
            Column("gate", "Gate"),
            Column("words", "What the gates said", prose=True),
            Column("verified", "Golden requests"),
            Column("refit_of", "Refit of"),
            Column("run_id", "Run"),
            Column("created_at", "Registered"),
            Column("principal", "By"),
        ),
        tuple(_version_row(each, reports.get(each.report_id), now) for each in versions),
        cards=True,
    )


def _version_row(version: ModelVersion, report: ReportSummary | None, now: datetime) -> tuple[Cell, ...]:
    name = version.name
    refit = f"{name}@{version.refit_of}" if version.refit_of else ""
    return (
        text(str(version.ref), href=path_of("models", name, version.version)),
        text(", ".join(version.aliases)),
        gate_words(report) if version.has_package else status("unknown", "no package"),
        text(report.words if report else "" if version.has_package else _FOREIGN, length=120),
        _verified(version) if version.has_package else Cell(),
        text(refit, href=path_of("models", name, version.refit_of) if refit else ""),
        identity(version.run_id, href=path_of("runs", version.run_id)),
        moment(version.created_at, now),
        text(version.principal),
    )


def _verified(version: ModelVersion) -> Cell:
    replay = version.verification
    if replay is None:
        return status("unknown", "not replayed")
    return status("good", "as recorded") if replay.passed else status("bad", "differ")


def _changes_table(changes: Sequence[AliasChange], now: datetime) -> Table:
    return Table(
        "aliases",
        "Moves of the aliases, newest first",
        (
            Column("at", "When"),
            Column("alias", "Alias"),
            Column("change", "Change"),
            Column("from", "From"),
            Column("to", "To"),
            Column("reason", "Why", prose=True),
            Column("way_back", "Way back"),
            Column("report_id", "Report"),
            Column("principal", "By"),
        ),
        tuple(_change_row(change, now) for change in changes),
        empty="No version was promoted yet. A version with a passed gate report may be.",
        command="paddock models promote NAME@VERSION champion",
        cards=True,
    )


def _change_row(change: AliasChange, now: datetime) -> tuple[Cell, ...]:
    kind, words = _CHANGES[change.kind]
    return (
        moment(change.at, now),
        text(change.alias),
        status(kind, words, value=change.kind),
        _version(change.name, change.from_version),
        _version(change.name, change.to_version),
        text(change.reason, length=160),
        status("bad", "broken") if change.way_back == "broken" else text(change.way_back),
        identity(change.report_id, href=path_of("reports", change.report_id)),
        text(change.principal),
    )
