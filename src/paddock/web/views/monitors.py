"""`/monitors/{name}`: is the model still right. Quality, drift, labels and decisions on one time axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from paddock.kernel.clock import format_time
from paddock.kernel.errors import InvalidInput
from paddock.web.assets import plotly_path
from paddock.web.formats import NOTHING, as_sentence, format_date, format_span, path_of
from paddock.web.page import Crumb, Page, tables_of
from paddock.web.tables import Cell, Column, Table, moment, number, score, share, status, text
from paddock.web.views import shared
from paddock.web.views.health import Health, judge_window
from paddock.web.views.paging import PAGE, take_page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from paddock.app import App
    from paddock.monitoring import FeatureDrift, MonitorSummary, OpenAlarm, WindowReport
    from paddock.wire import Call

WINDOWS = (30, 60, 120, 365)
DEFAULT_WINDOWS = 60
MOST_FEATURES = 60
TABLE_WINDOWS = 60
QUERY: Mapping[str, str] = {"windows": "how many of the newest windows to show", **PAGE}


def show_list(app: App, call: Call) -> Page:
    """Return the monitors by name, with what the newest window says."""
    taken, paging = take_page(app.monitoring.list_monitors(), call)
    return Page(
        "list.html",
        "Monitors",
        "monitors",
        crumbs=(Crumb("Monitors"),),
        context={"paging": paging, "table_name": "monitors"},
        tables=tables_of(_list_table(taken, app.clock.now())),
    )


def show(app: App, call: Call) -> Page:
    """Return one monitor: the answer in words, the charts, and the numbers behind them."""
    name = call.path["name"]
    windows = app.monitoring.list_windows(name, limit=wanted_windows(call))
    alarms = [alarm for alarm in app.monitoring.open_alarms() if alarm.monitor == name]
    newest, (listed, paging) = windows[0], take_page(windows, call, TABLE_WINDOWS)
    endpoint = next((each for each in app.endpoints.list_endpoints() if each.name == newest.endpoint), None)
    model = shared.model_of(endpoint) if endpoint else ""
    decisions = app.automation.list_decisions(endpoint=newest.endpoint, limit=8)
    return Page(
        "monitor.html",
        name,
        "monitors",
        crumbs=(Crumb("Monitors", "/monitors"), Crumb(name)),
        context={
            "name": name,
            "newest": newest,
            "span": format_span(newest.start, newest.end),
            "shown": f"{format_date(windows[-1].start)} to {format_date(newest.end)}",
            "health": judge_monitor(newest, alarms),
            "quality": shared.summarize_quality(windows),
            "alarms": alarms,
            "model": model,
            "models": (model,),
            "decisions": decisions,
            "kinds": shared.DECISION_KINDS,
            "choices": WINDOWS,
            "chosen": wanted_windows(call),
            "plotly": plotly_path(),
            "paging": paging,
            "features_left_out": max(len(newest.facts.features) - MOST_FEATURES, 0),
        },
        tables=tables_of(_windows_table(listed, model, app.clock.now()), _features_table(newest)),
        has_charts=True,
    )


def judge_monitor(newest: WindowReport, alarms: Sequence[OpenAlarm]) -> Health:
    """Return what stands now: an open alarm, or what the newest window could say."""
    if any(alarm.kind == "quality" for alarm in alarms):
        return Health("bad", "Quality alarm")
    if alarms:
        return Health("watch", "Drift alarm")
    window = judge_window(newest)
    return (
        Health("good", "No alarm stands")
        if window.kind == "good"
        else Health("unknown", f"No alarm stands; {window.words} in the newest window")
    )


def wanted_windows(call: Call) -> int:
    """Return how many windows are asked for: one of a few numbers, so that addresses stay few."""
    count = call.whole("windows", DEFAULT_WINDOWS, low=1)
    if count not in WINDOWS:
        offered = ", ".join(str(each) for each in WINDOWS)
        raise InvalidInput(f"`windows` is {count}, but must be one of {offered}")
    return count


def _list_table(monitors: Sequence[MonitorSummary], now: datetime) -> Table:
    return Table(
        "monitors",
        "Monitors by name",
        (
            Column("name", "Monitor"),
            Column("endpoint", "Endpoint"),
            Column("state", "Newest window"),
            Column("window_start", "Window"),
            Column("rows", "Rows", numeric=True),
            Column("quality", "Quality", numeric=True),
            Column("prediction_psi", "Prediction PSI", numeric=True),
            Column("words", "In words", prose=True),
            Column("windows", "Windows", numeric=True),
            Column("created_at", "Judged"),
        ),
        tuple(
            (
                text(each.monitor, href=path_of("monitors", each.monitor)),
                text(each.latest.endpoint, href=path_of("endpoints", each.latest.endpoint)),
                _state(each.latest),
                _window(each.latest),
                number(each.latest.facts.rows),
                score(each.latest.facts.quality.value),
                score(each.latest.prediction_psi),
                text(each.latest.words),
                number(each.window_count),
                moment(each.latest.created_at, now),
            )
            for each in monitors
        ),
        empty="No window was judged yet. Declare [monitor.NAME] in paddock.toml; the loop does the rest.",
        command="paddock loop",
        cards=True,
    )


def _windows_table(windows: Sequence[WindowReport], model: str, now: datetime) -> Table:
    return Table(
        "windows",
        "The windows in numbers, newest first",
        (
            Column("start", "Window"),
            Column("state", "State"),
            Column("version", "Version"),
            Column("rows", "Rows", numeric=True),
            Column("quality", "Quality", numeric=True),
            Column("low", "Low", numeric=True),
            Column("high", "High", numeric=True),
            Column("reference", "At release", numeric=True),
            Column("prediction_psi", "Prediction PSI", numeric=True),
            Column("labels", "Labels", numeric=True),
            Column("label_coverage", "Labelled", numeric=True),
            Column("words", "Alarms", prose=True),
            Column("revision", "Revision", numeric=True),
            Column("created_at", "Judged"),
        ),
        tuple(_window_row(each, model, now) for each in windows),
    )


def _window_row(each: WindowReport, model: str, now: datetime) -> tuple[Cell, ...]:
    facts, interval = each.facts, each.facts.quality.interval
    version = facts.main_version
    return (
        _window(each),
        _state(each),
        text(
            f"{model}@{version}" if model and version else str(version or ""),
            href=path_of("models", model, version) if model and version else "",
        ),
        number(facts.rows),
        score(facts.quality.value, title=facts.quality.reason),
        score(interval.low if interval else None),
        score(interval.high if interval else None),
        score(facts.reference_quality),
        score(each.prediction_psi),
        number(facts.label_count),
        share(facts.label_coverage if facts.due_count else None),
        _alarms(each),
        number(each.revision),
        moment(each.created_at, now),
    )


def _alarms(each: WindowReport) -> Cell:
    """Return the alarms; the rest of the words stands in the other columns, and on hover."""
    words = "; ".join([*(alarm.words for alarm in each.alarms), each.words])
    return Cell(words, "; ".join(as_sentence(alarm.words) for alarm in each.alarms) or NOTHING, title=words)


def _features_table(newest: WindowReport) -> Table:
    ranked = sorted(newest.facts.features, key=lambda each: (-each.psi, each.name))
    return Table(
        "features",
        "Features of the newest window, most moved first",
        (
            Column("feature", "Feature"),
            Column("psi", "PSI", numeric=True),
            Column("threshold", "Usual up to", numeric=True),
            Column("state", "State"),
            Column("missing_ratio", "Missing", numeric=True),
            Column("new", "New categories"),
            Column("vanished", "Vanished categories"),
        ),
        tuple(_feature_row(each) for each in ranked[:MOST_FEATURES]),
        empty="The newest window has no rows, so nothing can be said of its features.",
    )


def _feature_row(each: FeatureDrift) -> tuple[Cell, ...]:
    moved = each.psi > each.threshold
    return (
        text(each.name, length=50),
        score(each.psi),
        score(each.threshold),
        status("unknown" if moved else "good", "moved" if moved else "as at release"),
        share(each.missing_ratio),
        text(", ".join(each.new), length=60),
        text(", ".join(each.vanished), length=60),
    )


def _state(each: WindowReport) -> Cell:
    health = judge_window(each)
    return status(health.kind, health.words, value=each.state)


def _window(each: WindowReport) -> Cell:
    return Cell(
        format_time(each.start),
        format_span(each.start, each.end),
        title=f"{format_time(each.start)} to {format_time(each.end)}",
    )
