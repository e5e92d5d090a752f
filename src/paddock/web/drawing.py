"""Small pictures drawn on the server, as SVG that takes its colours from the style sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from markupsafe import Markup, escape

_PLACES = 1


@dataclass(frozen=True, slots=True)
class Span:
    """A value with its interval; None where there is none. role: `candidate`, `champion` or `plain`."""

    value: float | None
    low: float | None = None
    high: float | None = None
    role: str = "plain"


@dataclass(frozen=True, slots=True)
class Scale:
    """From `low`..`high` to 0..`width`, with a little room at both ends."""

    low: float
    high: float
    width: float
    room: float = 6.0

    def place(self, value: float) -> str:
        extent = self.high - self.low
        share = (value - self.low) / extent if extent > 0 else 0.5
        return _text(self.room + min(max(share, 0.0), 1.0) * (self.width - 2 * self.room))


def scale_over(spans: Sequence[Span], marks: Sequence[float], width: float) -> Scale:
    """Return the scale that shows all `spans` and `marks`."""
    values = [value for span in spans for value in (span.value, span.low, span.high) if value is not None]
    values += marks
    if not values:
        return Scale(0.0, 1.0, width)
    return Scale(min(values), max(values), width)


def draw_spans(
    spans: Sequence[Span], scale: Scale, *, mark: float | None = None, label: str, mark_label: str = ""
) -> Markup:
    """Return intervals one below the other as lines with a dot at the value, and a mark across them.

    label: what a reader without the picture is told. mark_label: a figure, below the mark.
    """
    height = 12 * len(spans) + (20 if mark_label else 8)
    parts: list[str] = []
    if mark is not None:
        x = scale.place(mark)
        parts.append(f'<line class="mark" x1="{x}" x2="{x}" y1="0" y2="{12 * len(spans) + 8}"/>')
        if mark_label:
            anchor = "end" if float(x) > scale.width * 0.7 else "start" if float(x) < 40 else "middle"
            parts.append(f'<text x="{x}" y="{height - 2}" text-anchor="{anchor}">{escape(mark_label)}</text>')
    for number, span in enumerate(spans):
        parts.append(_draw_span(span, scale, 10 + 12 * number))
    return _svg("spans", scale.width, height, label, parts)


def draw_sparkline(spans: Sequence[Span], *, reference: float | None, label: str) -> Markup:
    """Return a line through the values with their intervals as a band; None is a gap."""
    width, height, room = 132.0, 34.0, 3.0
    known = [span for span in spans if span.value is not None]
    if not known:
        return Markup("")
    across = Scale(0, max(len(spans) - 1, 1), width, room)
    up = replace(scale_over(known, [] if reference is None else [reference], height), room=room)

    def y(value: float) -> str:
        return _text(height - float(up.place(value)))

    def point(place: int, value: float) -> str:
        return f"{across.place(place)} {y(value)}"

    parts: list[str] = []
    if reference is not None:
        parts.append(f'<line class="mark" x1="0" x2="{width:g}" y1="{y(reference)}" y2="{y(reference)}"/>')
    for group in _groups(spans):
        upper = [point(place, span.value if span.high is None else span.high) for place, span in group]
        lower = [point(place, span.value if span.low is None else span.low) for place, span in group]
        parts.append(f'<path class="band" d="M{"L".join(upper + lower[::-1])}Z"/>')
        line = [point(place, span.value) for place, span in group]
        parts.append(f'<path class="line" d="M{"L".join(line)}"/>')
        if len(group) == 1:
            parts.append(_dot("dot", line[0]))
    place, last = max((place, span) for place, span in enumerate(spans) if span in known)
    parts.append(_dot("dot", point(place, last.value or 0.0)))
    return _svg("spark", width, height, label, parts)


def draw_bars(shares: Sequence[float], *, label: str) -> Markup:
    """Return bars of these heights, each a part of the largest."""
    width, height = 160.0, 34.0
    largest = max(shares, default=0.0)
    if largest <= 0:
        return Markup("")
    step = width / len(shares)
    gap = 1 if step > 3 else 0
    bars = [_text(-share / largest * (height - 2)) for share in shares]
    path = "".join(
        f"M{_text(place * step)} {height:g}v{bars[place]}h{_text(step - gap)}V{height:g}z"
        for place, share in enumerate(shares)
        if share > 0
    )
    return _svg("bars", width, height, label, [f'<path d="{path}"/>'])


def rebin(edges: Sequence[float], counts: Sequence[int], bins: int = 40) -> tuple[float, ...]:
    """Return the rows in `bins` equally wide bins, from those between `edges`, which differ in width.

    counts: as in a profile, up to the first edge, then up to each next one, then behind the last.
    A column of few values has an edge at each of them, and its rows lie there; in any other one the
    rows count as evenly spread between two edges. Empty for fewer than two edges that differ.

    >>> rebin([0.0, 1.0, 4.0], [5, 2, 6, 0], bins=4)
    (5.0, 2.0, 0.0, 6.0)
    >>> rebin([0.0, 1.0], [5, 2, 0])[0], rebin([0.0, 1.0], [5, 2, 0])[-1]
    (5.0, 2.0)
    """
    start, width = (edges[0], (edges[-1] - edges[0]) / bins) if len(edges) > 1 else (0.0, 0.0)
    if not 0 < width < math.inf:  # edges one float apart have no width that could be divided
        return ()
    found = [0.0] * bins
    if len(edges) <= bins:
        for edge, count in zip(edges, counts, strict=False):
            _spread(found, (edge - start) / width, (edge - start) / width, count)
        return tuple(found)
    found[0] += counts[0]
    for (low, high), count in zip(pairwise(edges), counts[1:], strict=False):
        _spread(found, (low - start) / width, (high - start) / width, count)
    return tuple(round(value, 3) for value in found)


def _spread(found: list[float], low: float, high: float, count: int) -> None:
    """Add `count` rows that lie evenly between the places `low` and `high` of the bins."""
    last = len(found) - 1
    if high <= low:
        found[min(max(int(low), 0), last)] += count
        return
    for place in range(min(int(low), last), min(int(high), last) + 1):
        overlap = min(high, place + 1) - max(low, place)
        found[place] += count * max(overlap, 0.0) / (high - low)


def _groups(spans: Sequence[Span]) -> list[list[tuple[int, "_Known"]]]:
    """Return the runs of neighbours that have a value, each with its place."""
    groups: list[list[tuple[int, _Known]]] = [[]]
    for place, span in enumerate(spans):
        if span.value is None:
            groups.append([])
        else:
            groups[-1].append((place, _Known(span.value, span.low, span.high)))
    return [group for group in groups if group]


@dataclass(frozen=True, slots=True)
class _Known:
    value: float
    low: float | None
    high: float | None


def _draw_span(span: Span, scale: Scale, y: int) -> str:
    if span.value is None:
        return ""
    line = ""
    if span.low is not None and span.high is not None:
        low, high = scale.place(span.low), scale.place(span.high)
        line = f'<path class="interval" d="M{low} {y}H{high}M{low} {y - 3}v6M{high} {y - 3}v6"/>'
    return f'<g class="{span.role}">{line}{_dot("dot", f"{scale.place(span.value)} {y}", 3.5)}</g>'


def _dot(kind: str, point: str, radius: float = 2.5) -> str:
    x, y = point.split()
    return f'<circle class="{kind}" cx="{x}" cy="{y}" r="{radius:g}"/>'


def _svg(kind: str, width: float, height: float, label: str, parts: Sequence[str]) -> Markup:
    frame = Markup('<svg class="{}" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">')
    size = (f"{width:g}", f"{height:g}")
    drawn = Markup("".join(parts))  # noqa: S704  numbers and words of this file only
    return frame.format(kind, *size, *size, label) + drawn + Markup("</svg>")


def _text(value: float) -> str:
    return f"{round(value, _PLACES):g}"
