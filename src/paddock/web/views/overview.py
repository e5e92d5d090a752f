"""`/`: is everything all right. One row for each model, the worst first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock.web.formats import format_share
from paddock.web.page import Page, tables_of
from paddock.web.tables import Cell, Column, Table, moment, number, score, share, status, text
from paddock.web.views import shared
from paddock.web.views.health import WORST_FIRST, Health, judge_model

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from paddock.app import App
    from paddock.automation import Decision
    from paddock.monitoring import MonitorSummary, OpenAlarm
    from paddock.registry import AliasChange, ModelSummary
    from paddock.serving import Endpoint
    from paddock.wire import Call

MOST_MODELS = 100
_DECISIONS = 300


@dataclass(frozen=True, slots=True)
class Stand:
    """Everything the overview shows of one model."""

    model: ModelSummary
    health: Health
    reign: AliasChange | None
    qualities: tuple[shared.Quality, ...]
    traffic: tuple[tuple[str, tuple[shared.Part, ...]], ...]
    alarms: tuple[OpenAlarm, ...]
    decision: Decision | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is asked once for all models."""

    endpoints: tuple[Endpoint, ...]
    monitors: tuple[MonitorSummary, ...]
    alarms: tuple[OpenAlarm, ...]
    decisions: tuple[Decision, ...]


def show(app: App, _: Call) -> Page:
    """Return the overview."""
    around = Surroundings(
        app.endpoints.list_endpoints(),
        app.monitoring.list_monitors(),
        app.monitoring.open_alarms(),
        app.automation.list_decisions(limit=_DECISIONS),
    )
    models = app.registry.list_models()
    stands = [_stand(app, model, around) for model in models[:MOST_MODELS]]
    stands.sort(key=lambda stand: (stand.health.rank, stand.model.name))
    counts = {kind: sum(stand.health.kind == kind for stand in stands) for kind in WORST_FIRST}
    return Page(
        "overview.html",
        "Overview",
        "overview",
        context={
            "stands": stands,
            "counts": {kind: count for kind, count in counts.items() if count},
            "headline": _headline(stands),
            "left_out": max(len(models) - MOST_MODELS, 0),
            "decisions": around.decisions[:6],
            "kinds": shared.DECISION_KINDS,
            "models": [model.name for model in models],
        },
        tables=tables_of(_table(app, stands)),
    )


def _stand(app: App, model: ModelSummary, around: Surroundings) -> Stand:
    endpoints = [each for each in around.endpoints if shared.model_of(each) == model.name]
    names = {each.name for each in endpoints}
    monitors = [each for each in around.monitors if each.latest.endpoint in names]
    alarms = tuple(each for each in around.alarms if each.endpoint in names)
    history = app.registry.alias_history(model.name) if model.champion else ()
    windows = [app.monitoring.list_windows(each.monitor, limit=shared.SPARK_WINDOWS) for each in monitors]
    qualities = [shared.summarize_quality(each) for each in windows]
    return Stand(
        model=model,
        health=judge_model(model.champion, tuple(names), monitors, alarms),
        reign=shared.current_reign(history),
        qualities=tuple(quality for quality in qualities if quality),
        traffic=tuple(
            (each.name, shared.split_traffic(app.endpoints.find_current(each.name))) for each in endpoints
        ),
        alarms=alarms,
        decision=next((each for each in around.decisions if each.model == model.name), None),
    )


def _headline(stands: Sequence[Stand]) -> Health:
    """Return the answer to the question of the page, in one sentence."""
    by_kind = {kind: [each for each in stands if each.health.kind == kind] for kind in WORST_FIRST}
    if by_kind["bad"]:
        return Health("bad", f"{_count(by_kind['bad'])} answering worse than when released")
    if by_kind["watch"]:
        return Health("watch", f"{_count(by_kind['watch'])} to be watched")
    if by_kind["unknown"]:
        return Health("unknown", f"No alarm stands, but {_count(by_kind['unknown'])} not watched")
    return Health("good", "No alarm stands")


def _count(stands: Sequence[Stand]) -> str:
    return f"{stands[0].model.name} is" if len(stands) == 1 else f"{len(stands)} models are"


def _table(app: App, stands: Sequence[Stand]) -> Table:
    now = app.clock.now()
    numeric = {"champion", "quality", "low", "high", "label_coverage", "open_alarms"}
    keys = (
        *("model", "health", "why", "champion", "champion_since", "monitor", "quality", "low", "high"),
        *("label_coverage", "traffic", "open_alarms", "last_decision"),
    )
    return Table(
        "models",
        "Models, worst first",
        tuple(Column(key, key.replace("_", " ").capitalize(), numeric=key in numeric) for key in keys),
        tuple(_row(stand, now) for stand in stands),
    )


def _row(stand: Stand, now: datetime) -> tuple[Cell, ...]:
    model, quality = stand.model, stand.qualities[0] if stand.qualities else None
    return (
        text(model.name),
        status(stand.health.kind, stand.health.kind),
        text(stand.health.words),
        number(model.champion or None),
        moment(stand.reign.at if stand.reign else None, now),
        text(quality.monitor if quality else ""),
        score(quality.value if quality else None),
        score(quality.low if quality else None),
        score(quality.high if quality else None),
        share(quality.coverage if quality else None),
        text("; ".join(_traffic_words(name, parts) for name, parts in stand.traffic)),
        number(len(stand.alarms)),
        text(stand.decision.words if stand.decision else ""),
    )


def _traffic_words(endpoint: str, parts: Sequence[shared.Part]) -> str:
    shown = ", ".join(f"{part.version}: {format_share(part.weight)}" for part in parts)
    return f"{endpoint} {shown or 'serves nothing'}"
