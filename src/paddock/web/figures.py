"""The charts of a monitor as one plotly figure: five panels over one time axis.

Colours that depend on the theme (text, grid) are set in the browser; those of the series are here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from paddock.kernel.clock import format_time
from paddock.kernel.wording import count_of
from paddock.web.formats import format_date, format_score, format_span
from paddock.web.views.monitors import wanted_windows
from paddock.web.views.shared import DECISION_KINDS
from paddock.wire import Answer, Call

if TYPE_CHECKING:
    from datetime import datetime

    from paddock.app import App
    from paddock.automation import Decision
    from paddock.metadata import Event
    from paddock.monitoring import WindowReport
    from paddock.wire import Handler

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]

CHAMPION, CHALLENGER, GREEN, ORANGE, SKY, GREY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#56B4E9",
    "#888888",
)
BAND = "rgba(0,114,178,0.18)"
_MARKED = {"champion_replaced": GREEN, "candidate_rolled_back": CHALLENGER}
# as at release, moved a little, moved, moved far
_HEAT: Json = [
    [0, "rgba(128,136,145,0.14)"],
    [0.33, "rgba(230,159,0,0.40)"],
    [0.67, "rgba(230,120,0,0.85)"],
    [1, "rgb(176,60,0)"],
]
_MOST_EVENTS = 1000
_ROW_HEIGHT = 18
# half a letter of a label, as a share of the time axis of the narrowest chart
_LETTER_SHARE = 0.0085
# how far above the first panel the rows of labels stand, in pixels
_LABEL_ROWS = (14, 28)
MOST_FEATURES = 30


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened: a vertical line with a label, or a mark in the lane of events."""

    at: datetime
    lane: str
    label: str
    words: str
    color: str
    is_line: bool


def bind(app: App) -> Handler:
    """Return the handler of the figure."""

    def get_figure(call: Call) -> Answer:
        acting, name = app.acting_as(call.actor), call.path["name"]
        windows = acting.monitoring.list_windows(name, limit=wanted_windows(call))[::-1]
        decisions = acting.automation.list_decisions(endpoint=windows[-1].endpoint, limit=_MOST_EVENTS)
        alarms = acting.metadata.latest_events(
            acting.actor.project_id, kind="monitor.alarm", subject=f"monitor:{name}", limit=_MOST_EVENTS
        )
        return Answer(msgspec.json.encode(build_figure(windows, decisions, alarms)))

    return get_figure


def build_figure(
    windows: Sequence[WindowReport], decisions: Sequence[Decision], alarms: Sequence[Event]
) -> Mapping[str, Json]:
    """Return the figure; windows: oldest first, at least one."""
    start, end = windows[0].start, windows[-1].end
    happened = [
        each
        for each in (*_decided(decisions), *_alarmed(alarms, 2 * (end - windows[-1].start)))
        if start <= each.at
    ]
    features = _ranked_features(windows)
    panels = _panels(len(features))
    traces = [
        *_quality(windows),
        *_drift(windows),
        *_labels(windows),
        *_heatmap(windows, features),
        *_lane(happened),
    ]
    until = max([end, *(each.at for each in happened)])
    until += (until - start) / 60
    layout = _layout(windows, panels, (start, until), happened, len(features))
    return {"data": traces, "layout": layout}


def _quality(windows: Sequence[WindowReport]) -> list[Json]:
    title = _metric_title(windows)
    spans = [(each, each.facts.quality.interval) for each in windows]
    xs: list[Json] = []
    ys: list[Json] = []
    for each, interval in spans:
        if interval is not None:  # one box a window: the interval is that of the whole window
            xs += [_time(each.start), _time(each.end), _time(each.end), _time(each.start), None]
            ys += [interval.low, interval.low, interval.high, interval.high, None]
    band: Json = {
        "type": "scatter",
        "mode": "lines",
        "x": xs,
        "y": ys,
        "fill": "toself",
        "fillcolor": BAND,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "yaxis": "y5",
        "connectgaps": False,
    }
    line: Json = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [_middle(each) for each in windows],
        "y": [each.facts.quality.value for each in windows],
        "customdata": [_quality_words(each) for each in windows],
        "hovertemplate": "%{customdata}<extra></extra>",
        "line": {"color": CHAMPION, "width": 1.5},
        "marker": {
            "size": 6,
            "color": [CHALLENGER if _is_lost(each) else CHAMPION for each in windows],
            "symbol": ["diamond" if _is_lost(each) else "circle" for each in windows],
        },
        "name": title,
        "yaxis": "y5",
        "connectgaps": False,
    }
    reference: Json = _steps(windows, [each.facts.reference_quality for each in windows], GREY, "y5")
    return [band, reference, line]


def _drift(windows: Sequence[WindowReport]) -> list[Json]:
    limits = [
        max(0.1, each.facts.prediction.threshold) if each.facts.prediction else None for each in windows
    ]
    return [
        _steps(windows, limits, GREY, "y4"),
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": [_middle(each) for each in windows],
            "y": [each.prediction_psi for each in windows],
            "hovertemplate": "prediction PSI %{y:.3f}<extra></extra>",
            "line": {"color": ORANGE, "width": 1.5},
            "marker": {"size": 4},
            "yaxis": "y4",
            "connectgaps": False,
        },
    ]


def _labels(windows: Sequence[WindowReport]) -> list[Json]:
    return [
        {
            "type": "bar",
            "x": [_middle(each) for each in windows],
            "width": [0.8 * (each.end - each.start).total_seconds() * 1000 for each in windows],
            "y": [each.facts.label_coverage if each.facts.due_count else None for each in windows],
            "customdata": [
                f"{each.facts.due_label_count:,} of {each.facts.due_count:,} due rows labelled"
                for each in windows
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
            "marker": {"color": SKY, "opacity": 0.6},
            "yaxis": "y3",
        }
    ]


def _heatmap(windows: Sequence[WindowReport], features: Sequence[str]) -> list[Json]:
    """Return PSI as a share of what chance alone reaches; columns as wide as their windows, gaps empty."""
    edges: list[Json] = []
    columns: list[WindowReport | None] = []
    for number, each in enumerate(windows):
        if number and windows[number - 1].end < each.start:
            edges.append(_time(windows[number - 1].end))
            columns.append(None)
        edges.append(_time(each.start))
        columns.append(each)
    edges.append(_time(windows[-1].end))
    found = [{drift.name: drift for drift in each.facts.features} if each else {} for each in columns]
    drifts = [[column.get(name) for column in found] for name in features]
    return [
        {
            "type": "heatmap",
            "x": edges,
            "y": list(features),
            "z": [[_level(drift.psi, drift.threshold) if drift else None for drift in row] for row in drifts],
            "customdata": [[round(drift.psi, 3) if drift else None for drift in row] for row in drifts],
            "hovertemplate": "%{y}: PSI %{customdata}<extra></extra>",
            "zmin": 0,
            "zmax": 3,
            "colorscale": _HEAT,
            "showscale": False,
            "xgap": 1 if len(windows) <= 60 else 0,
            "ygap": 1,
            "yaxis": "y2",
        }
    ]


def _level(psi: float, threshold: float) -> int:
    """Return how far a feature moved, in four steps that can be told apart.

    >>> _level(0.01, 0.05), _level(0.08, 0.05), _level(0.2, 0.05), _level(7.0, 0.05)
    (0, 1, 2, 3)
    """
    if psi <= threshold:
        return 0
    return 1 if psi <= max(0.1, threshold) else 2 if psi <= 0.5 else 3


def _lane(happened: Sequence[Moment]) -> list[Json]:
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [_time(each.at) for each in happened],
            "y": [each.lane for each in happened],
            "text": [each.words for each in happened],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {
                "size": 9,
                "color": [each.color for each in happened],
                "symbol": ["diamond" if each.lane == "alarms" else "circle" for each in happened],
            },
            "yaxis": "y",
        }
    ]


def _layout(
    windows: Sequence[WindowReport],
    panels: Sequence[tuple[float, float]],
    extent: tuple[datetime, datetime],
    happened: Sequence[Moment],
    feature_count: int,
) -> Mapping[str, Json]:
    lines = _spaced([each for each in happened if each.is_line], extent)
    title = _metric_title(windows)
    names = (
        f"{title} on labels, with its interval; grey: at release",
        "PSI of the predictions; grey: the limit",
        "Rows with a label, share of those due",
        "Drift of the features; stronger color: moved further than is usual",
        "Events",
    )
    axes: dict[str, Json] = {
        "yaxis5": {"domain": panels[0], "fixedrange": True},
        "yaxis4": {"domain": panels[1], "rangemode": "tozero", "fixedrange": True, "nticks": 4},
        "yaxis3": {
            "domain": panels[2],
            "range": [0, 1],
            "tickformat": ".0%",
            "nticks": 3,
            "fixedrange": True,
        },
        "yaxis2": {
            "domain": panels[3],
            "autorange": "reversed",
            "fixedrange": True,
            "automargin": True,
            "showgrid": False,
        },
        "yaxis": {
            "domain": panels[4],
            "type": "category",
            "categoryorder": "array",
            "categoryarray": ["alarms", "decisions"],
            "range": [-0.6, 1.6],
            "fixedrange": True,
        },
    }
    return {
        **axes,
        "xaxis": {"type": "date", "range": [_time(each) for each in extent], "anchor": "y"},
        "height": _height(feature_count),
        "margin": {"l": 64, "r": 12, "t": 48, "b": 44},
        "showlegend": False,
        "hovermode": "x unified",
        "hoversubplots": "axis",
        "bargap": 0,
        "shapes": [_line(each.at, each.color) for each in happened if each.is_line],
        "annotations": [*(_heading(name, top) for name, (_, top) in zip(names, panels, strict=True)), *lines],
    }


def _spaced(lines: Sequence[Moment], extent: tuple[datetime, datetime]) -> list[Json]:
    """Return labels of the lines in two rows at the top; one that has room in neither is left out."""
    letter = _LETTER_SHARE * (extent[1] - extent[0])
    shown: list[tuple[Moment, int]] = []
    newest: dict[int, Moment] = {}
    for each in sorted(lines, key=lambda each: each.at):
        for row in _LABEL_ROWS:
            before = newest.get(row)
            if before is None or each.at - before.at > letter * (len(before.label) + len(each.label)):
                newest[row] = each
                shown.append((each, row))
                break
    return [
        {
            "x": _time(each.at),
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "yshift": row,
            "text": each.label,
            "showarrow": False,
            "font": {"size": 11},
        }
        for each, row in shown
    ]


def _decided(decisions: Sequence[Decision]) -> list[Moment]:
    return [
        Moment(
            at=each.at,
            lane="decisions",
            label=f"back to {each.model}@{each.champion}"
            if each.kind == "candidate_rolled_back"
            else f"{each.model}@{each.candidate}",
            words=f"{format_date(each.at)}: {DECISION_KINDS[each.kind][1]}",
            color=_MARKED.get(each.kind, GREY),
            is_line=each.kind in _MARKED,
        )
        for each in decisions
    ]


def _alarmed(alarms: Sequence[Event], calm: timedelta) -> list[Moment]:
    """Return the alarms; a quality alarm after at least `calm` without one is a line."""
    raised = [each.event_time for each in alarms if each.data.get("alarm") == "quality"]
    begins = {at for at in raised if not any(timedelta(0) < at - other < calm for other in raised)}
    return [
        Moment(
            at=each.event_time,
            lane="alarms",
            label="alarm",
            words=f"{format_date(each.event_time)}: {each.data.get('alarm', '')} alarm",
            color=CHALLENGER if each.data.get("alarm") == "quality" else ORANGE,
            is_line=each.data.get("alarm") == "quality" and each.event_time in begins,
        )
        for each in alarms
    ]


def _line(at: datetime, color: str) -> Json:
    return {
        "type": "line",
        "x0": _time(at),
        "x1": _time(at),
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": color, "width": 1, "dash": "dot"},
    }


def _heading(name: str, top: float) -> Json:
    return {
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": top,
        "yref": "paper",
        "yanchor": "bottom",
        "text": name,
        "showarrow": False,
        "font": {"size": 12},
    }


def _panels(feature_count: int) -> Sequence[tuple[float, float]]:
    """Return where the panels lie, from the top: quality, prediction PSI, labels, features, events."""
    heights = (210, 100, 70, max(feature_count, 1) * _ROW_HEIGHT, 44)
    gap = 30
    whole = sum(heights) + gap * (len(heights) - 1)
    top = 1.0
    panels = []
    for height in heights:
        panels.append((max(top - height / whole, 0.0), top))
        top -= (height + gap) / whole
    return panels


def _height(feature_count: int) -> int:
    return 210 + 100 + 70 + max(feature_count, 1) * _ROW_HEIGHT + 44 + 4 * 30 + 92


def _steps(windows: Sequence[WindowReport], values: Sequence[float | None], color: str, axis: str) -> Json:
    """Return a dashed line that is level within each window."""
    xs: list[Json] = []
    ys: list[Json] = []
    for each, value in zip(windows, values, strict=True):
        xs += [_time(each.start), _time(each.end)]
        ys += [value, value]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": xs,
        "y": ys,
        "line": {"color": color, "width": 1, "dash": "dash"},
        "hoverinfo": "skip",
        "yaxis": axis,
        "connectgaps": False,
    }


def _ranked_features(windows: Sequence[WindowReport]) -> list[str]:
    """Return the features that moved most in any window, at most 30, the most moved first."""
    largest: dict[str, float] = {}
    for each in windows:
        for drift in each.facts.features:
            largest[drift.name] = max(drift.psi, largest.get(drift.name, 0.0))
    return sorted(largest, key=lambda name: (-largest[name], name))[:MOST_FEATURES]


def _quality_words(each: WindowReport) -> str:
    interval = each.facts.quality.interval
    around = f" ({format_score(interval.low)} to {format_score(interval.high)})" if interval else ""
    labels = count_of(each.facts.quality.rows, "label")
    return f"{format_span(each.start, each.end)}: {format_score(each.facts.quality.value)}{around}, {labels}"


def _is_lost(each: WindowReport) -> bool:
    return each.findings.quality_breach


def _metric_title(windows: Sequence[WindowReport]) -> str:
    from paddock.evaluation import METRIC_TITLES

    metric = windows[-1].facts.quality.metric
    return METRIC_TITLES.get(metric, metric)


def _middle(each: WindowReport) -> str:
    return _time(each.start + (each.end - each.start) / 2)


def _time(moment: datetime) -> str:
    return format_time(moment)
