"""`/endpoints/{name}`: what serves which share of the traffic, and the rollout in progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.web.formats import format_share, path_of
from paddock.web.page import Crumb, Page, tables_of
from paddock.web.tables import Cell, Column, Table, duration, identity, moment, number, status, text
from paddock.web.views import shared
from paddock.web.views.paging import take_page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from paddock.app import App
    from paddock.automation import Decision, Rollout
    from paddock.serving import Endpoint, Revision
    from paddock.web.views.health import Kind
    from paddock.wire import Call

MOST_REVISIONS = 1000
MOST_ROLLOUTS = 40
_PHASES: dict[str, Kind] = {"promoted": "good", "refused": "watch", "rolled_back": "bad"}
STAGES = ("training", "verifying", "gating", "refitting", "shadow", "canary", "promoted")


def show_list(app: App, call: Call) -> Page:
    """Return the endpoints by name, with what they serve."""
    taken, paging = take_page(app.endpoints.list_endpoints(), call)
    served = [(each, app.endpoints.find_current(each.name)) for each in taken]
    return Page(
        "list.html",
        "Endpoints",
        "endpoints",
        crumbs=(Crumb("Endpoints"),),
        context={"paging": paging, "table_name": "endpoints"},
        tables=tables_of(_list_table(served, app.clock.now())),
    )


def show(app: App, call: Call) -> Page:
    """Return one endpoint."""
    endpoint = app.endpoints.get_endpoint(call.path["name"])
    name, now, model = endpoint.name, app.clock.now(), shared.model_of(endpoint)
    rollout = app.automation.find_open(name)
    decisions = app.automation.list_decisions(endpoint=name, limit=200)
    revisions, paging = take_page(app.endpoints.history(name, limit=MOST_REVISIONS), call)
    current = app.endpoints.find_current(name)
    return Page(
        "endpoint.html",
        name,
        "endpoints",
        crumbs=(Crumb("Endpoints", "/endpoints"), Crumb(name)),
        context={
            "endpoint": endpoint,
            "model": model,
            "models": (model,),
            "revision": current,
            "parts": shared.split_traffic(current),
            "rollout": rollout,
            "stages": _stages(rollout) if rollout else (),
            "steps": [each for each in decisions if rollout and each.rollout_id == rollout.rollout_id],
            "kinds": shared.DECISION_KINDS,
            "evidence_of": shared.evidence_of,
            "monitors": [each for each in app.monitoring.list_monitors() if each.latest.endpoint == name],
            "alarms": [each for each in app.monitoring.open_alarms() if each.endpoint == name],
            "paging": paging,
        },
        tables=tables_of(
            _rollouts_table(app.automation.list_rollouts(name, limit=MOST_ROLLOUTS), decisions, now),
            _revisions_table(revisions, now),
        ),
    )


def _stages(rollout: Rollout) -> tuple[tuple[str, str], ...]:
    """Return the way of a rollout as (phase, done | now | to come)."""
    reached = STAGES.index(rollout.phase) if rollout.phase in STAGES else 0
    names = [
        name for name in STAGES if not (name in ("training", "refitting") and rollout.origin == "submitted")
    ]
    return tuple(
        (name, "done" if STAGES.index(name) < reached else "now" if name == rollout.phase else "to come")
        for name in names
    )


def _list_table(served: Sequence[tuple[Endpoint, Revision | None]], now: datetime) -> Table:
    return Table(
        "endpoints",
        "Endpoints by name",
        (
            Column("name", "Endpoint"),
            Column("model", "Serves"),
            Column("traffic", "Traffic", wide=True),
            Column("revision", "Revision", numeric=True),
            Column("changed_at", "Changed"),
            Column("reason", "Why", prose=True),
        ),
        tuple(
            (
                text(each.name, href=path_of("endpoints", each.name), length=60),
                text(each.spec.model, href=path_of("models", shared.model_of(each))),
                text(traffic_words(shared.split_traffic(revision))),
                number(revision.number if revision else None),
                moment(revision.created_at if revision else None, now),
                text(revision.reason if revision else "", length=120),
            )
            for each, revision in served
        ),
        empty="No endpoint yet. Declare [endpoint.NAME] in paddock.toml, or serve a model.",
        command="paddock serve MODEL@champion",
        cards=True,
    )


def traffic_words(parts: Sequence[shared.Part]) -> str:
    """Return a split in words.

    >>> traffic_words([shared.Part(3, 0.95, "champion", ""), shared.Part(4, 0.0, "shadow", "")])
    'version 3 answers 95%, version 4 in shadow'
    """
    if not parts:
        return "serves nothing yet"
    return ", ".join(
        f"version {part.version} in shadow"
        if part.role == "shadow"
        else f"version {part.version} answers {format_share(part.weight)}"
        for part in parts
    )


def _rollouts_table(rollouts: Sequence[Rollout], decisions: Sequence[Decision], now: datetime) -> Table:
    last = {each.rollout_id: each.words for each in reversed(decisions)}
    return Table(
        "rollouts",
        "Rollouts, newest first",
        (
            Column("started_at", "Started"),
            Column("phase", "Phase"),
            Column("candidate", "Candidate"),
            Column("champion", "Against"),
            Column("trigger", "Why", prose=True),
            Column("took_s", "Took", numeric=True),
            Column("words", "How it stands or ended", prose=True),
            Column("rollout_id", "Id"),
        ),
        tuple(
            (
                moment(each.started_at, now),
                status(_PHASES.get(each.phase, "unknown"), each.phase.replace("_", " "), value=each.phase),
                _version(each.model, each.candidate),
                _version(each.model, each.champion),
                text(each.trigger, length=120),
                duration(None if each.is_open else each.phase_started_at - each.started_at),
                text(last.get(each.rollout_id, ""), length=200),
                identity(each.rollout_id),
            )
            for each in rollouts
        ),
        empty="No candidate was on its way here yet. The loop opens a rollout for a retrained model.",
        command="paddock loop",
        cards=True,
    )


def _revisions_table(revisions: Sequence[Revision], now: datetime) -> Table:
    return Table(
        "revisions",
        "Revisions of the traffic, newest first",
        (
            Column("number", "Revision", numeric=True),
            Column("at", "When"),
            Column("traffic", "Traffic"),
            Column("reason", "Why", prose=True),
            Column("principal", "By"),
        ),
        tuple(
            (
                number(each.number),
                moment(each.created_at, now),
                text(traffic_words(shared.split_traffic(each))),
                text(each.reason, length=160),
                text(each.principal),
            )
            for each in revisions
        ),
        empty="Nothing is served yet.",
        command="paddock serve MODEL@champion",
        cards=True,
    )


def _version(model: str, version: int) -> Cell:
    return text(f"{model}@{version}", href=path_of("models", model, version)) if version else Cell()
