"""`/models/{name}/{version}`: may this version go out. `/reports/{id}`: one gate report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from markupsafe import Markup

from paddock.kernel.errors import NotFound
from paddock.kernel.wording import count_of
from paddock.web.drawing import Scale, Span, draw_spans, scale_over
from paddock.web.formats import format_number, format_score, path_of
from paddock.web.page import Crumb, Page, tables_of
from paddock.web.tables import Cell, Column, Table, data_value, number, picture, score, share, status, text

if TYPE_CHECKING:
    from paddock.app import App
    from paddock.evaluation import Comparison, GateReport, GateResult, Measured, SliceMeasured
    from paddock.models import PackageManifest, Signature
    from paddock.registry import ModelVersion
    from paddock.web.views.health import Kind
    from paddock.wire import Call

STATES: Mapping[str, tuple[Kind, str]] = {
    "passed": ("good", "passed"),
    "failed": ("bad", "failed"),
    "not_applicable": ("unknown", "not applicable"),
    "not_measured": ("watch", "not measured"),
}
MOST_SLICES = 80
MOST_COLUMNS = 120
_GATE_WIDTH, _WIDTH = 180.0, 220.0


def show_version(app: App, call: Call) -> Page:
    """Return one version of a model, named by its number or an alias."""
    version = app.registry.get(f"{call.path['name']}@{call.path['selector']}")
    report = app.evaluation.get_report(version.report_id) if version.report_id else None
    return _page(app, version, report, str(version.ref))


def show_report(app: App, call: Call) -> Page:
    """Return a gate report, with the version it speaks for when that is registered."""
    report = app.evaluation.get_report(call.path["report_id"])
    version = (
        app.registry.get(f"{report.model}@{report.candidate_version}") if report.candidate_version else None
    )
    return _page(app, version, report, f"Gate report of {version.ref if version else report.model}")


def _page(app: App, version: ModelVersion | None, report: GateReport | None, title: str) -> Page:
    name = version.name if version else report.model if report else ""
    manifest = _manifest(app, version) if version else None
    standing = _standing_report(app, report)
    measured = standing or report
    tables = [_signature_table(manifest.signature)] if manifest else []
    if report:
        tables.append(_gates_table(report, "gates", "Gates"))
    if standing:
        tables.append(_gates_table(standing, "parent_gates", "Gates of its parent"))
    if measured and measured.evidence.rows:
        tables += [_metrics_table(measured), _comparisons_table(measured), _slices_table(measured)]
    return Page(
        "version.html",
        title,
        "models",
        crumbs=(Crumb("Models", "/models"), Crumb(name, path_of("models", name)), Crumb(title)),
        context={
            "name": name,
            "version": version,
            "report": report,
            "standing": standing,
            "measured": measured,
            "manifest": manifest,
            "states": STATES,
            "unmeasured": _unmeasured(measured) if measured else (),
            "models": (name,),
            "refits": _refits(app, version) if version else (),
        },
        tables=tables_of(*tables),
    )


def _manifest(app: App, version: ModelVersion) -> PackageManifest | None:
    from paddock.models import parse_manifest

    if not version.has_package:
        return None
    with suppress(NotFound):  # a backup without its objects: the page says so
        return parse_manifest(app.objects.get(version.package_digest))
    return None


def _standing_report(app: App, report: GateReport | None) -> GateReport | None:
    """Return the report of the parent, on whose measurements a refit stands."""
    return app.evaluation.get_report(report.gated_as) if report and report.gated_as else None


def _refits(app: App, version: ModelVersion) -> tuple[ModelVersion, ...]:
    return tuple(
        each for each in app.registry.list_versions(version.name) if each.refit_of == version.version
    )[:10]


def _unmeasured(report: GateReport) -> tuple[str, ...]:
    """Return in words what these rows could not tell."""
    evidence = report.evidence
    words = [
        f"{_title(each.metric)} of the candidate: {each.reason}"
        for each in evidence.candidate
        if each.value is None
    ]
    words += [f"{each.gate}: {each.words}" for each in report.results if each.state == "not_measured"]
    small = [piece for piece in evidence.slices if piece.candidate.value is None]
    if small:
        rows = count_of(sum(piece.rows for piece in small), "row")
        words.append(f"{len(small)} of {len(evidence.slices)} slices, with {rows} in all: too few")
    if not evidence.champion_version:
        words.append("The difference from a champion: there was none")
    if evidence.latency_p99_ms is None:
        words.append("Latency: this report has none")
    return tuple(words)


def _gates_table(report: GateReport, name: str, caption: str) -> Table:
    return Table(
        name,
        caption,
        (
            Column("state", "State"),
            Column("gate", "Asked", prose=True),
            Column("value", "Found", numeric=True),
            Column("low", "Low", numeric=True),
            Column("high", "High", numeric=True),
            Column("threshold", "Needed", numeric=True),
            Column("interval", "Interval"),
            Column("words", "In words", prose=True),
        ),
        tuple(_gate_row(result) for result in report.results),
        cards=True,
    )


def _gate_row(result: GateResult) -> tuple[Cell, ...]:
    kind, words = STATES[result.state]
    interval = result.interval
    return (
        status(kind, words, value=result.state),
        text(result.gate),
        score(result.value),
        score(interval.low if interval else None),
        score(interval.high if interval else None),
        number(result.threshold),
        picture(_draw_gate(result)),
        text(result.words),
    )


def _draw_gate(result: GateResult) -> Markup:
    if result.value is None:
        return Markup("")
    interval, needed = result.interval, result.threshold
    span = Span(
        result.value, interval.low if interval else None, interval.high if interval else None, "candidate"
    )
    scale = scale_over([span], [] if needed is None else [needed], _GATE_WIDTH)
    label = f"{format_score(result.value)}, needed {format_number(needed)}"
    mark_label = "" if needed is None else format_number(needed)
    return draw_spans([span], scale, mark=needed, label=label, mark_label=mark_label)


def _metrics_table(report: GateReport) -> Table:
    champions = {each.metric: each for each in report.evidence.champion}
    return Table(
        "metrics",
        f"Measured on {report.rows:,} rows",
        (
            Column("metric", "Metric"),
            Column("candidate", "Candidate", numeric=True),
            Column("candidate_low", "Low", numeric=True),
            Column("candidate_high", "High", numeric=True),
            Column("champion", "Champion", numeric=True),
            Column("champion_low", "Low", numeric=True),
            Column("champion_high", "High", numeric=True),
            Column("interval", "Both, with their intervals"),
        ),
        tuple(_metric_row(each, champions.get(each.metric)) for each in report.evidence.candidate),
    )


def _metric_row(candidate: Measured, champion: Measured | None) -> tuple[Cell, ...]:
    spans = [_span(candidate, "candidate"), *([_span(champion, "champion")] if champion else [])]
    drawn = draw_spans(spans, scale_over(spans, (), _WIDTH), label=_title(candidate.metric))
    return (
        text(_title(candidate.metric)),
        *_three(candidate),
        *(_three(champion) if champion else (Cell(), Cell(), Cell())),
        picture(drawn),
    )


def _comparisons_table(report: GateReport) -> Table:
    found = report.evidence.comparisons
    return Table(
        "comparisons",
        "Candidate beside champion, on the same rows",
        (
            Column("metric", "Metric"),
            Column("delta", "Better by", numeric=True),
            Column("low", "Low", numeric=True),
            Column("high", "High", numeric=True),
            Column("confidence", "Confidence", numeric=True),
            Column("probability_better", "Probably better", numeric=True),
            Column("minimum_detectable", "Detectable from", numeric=True),
            Column("interval", "Interval, zero marked"),
        ),
        tuple(_comparison_row(each) for each in found),
        empty="Nothing was compared: there was no champion, or it was not scored on these rows.",
    )


def _comparison_row(each: Comparison) -> tuple[Cell, ...]:
    span = Span(each.delta, each.interval.low, each.interval.high, "candidate")
    drawn = draw_spans(
        [span], scale_over([span], [0.0], _WIDTH), mark=0.0, label=f"difference in {_title(each.metric)}"
    )
    return (
        text(_title(each.metric)),
        _signed(each.delta),
        _signed(each.interval.low),
        _signed(each.interval.high),
        share(each.interval.confidence),
        share(each.probability_better),
        score(each.minimum_detectable),
        picture(drawn),
    )


def _slices_table(report: GateReport) -> Table:
    slices = sorted(
        report.evidence.slices,
        key=lambda each: (
            each.column,
            each.candidate.metric,
            each.candidate.value is None,
            each.candidate.value or 0,
        ),
    )[:MOST_SLICES]
    spans = [span for each in slices for span in _slice_spans(each)]
    bounds = {
        (each.spec.slice, each.spec.metric): each.threshold
        for each in report.results
        if each.spec and each.spec.slice
    }
    scale = scale_over(spans, [bound for bound in bounds.values() if bound is not None], _WIDTH)
    return Table(
        "slices",
        "Slices, the worst first",
        (
            Column("column", "Column"),
            Column("value", "Value"),
            Column("rows", "Rows", numeric=True),
            Column("metric", "Metric"),
            Column("candidate", "Candidate", numeric=True),
            Column("champion", "Champion", numeric=True),
            Column("interval", "Interval, same scale for all"),
            Column("reason", "Not measured because"),
        ),
        tuple(_slice_row(each, scale, bounds) for each in slices),
        empty="No slice was measured; a gate with `slice` in paddock.toml asks for it.",
    )


def _slice_row(
    each: SliceMeasured, scale: Scale, bounds: Mapping[tuple[str, str], float | None]
) -> tuple[Cell, ...]:
    drawn = draw_spans(
        _slice_spans(each),
        scale,
        mark=bounds.get((each.column, each.candidate.metric)),
        label=f"{each.column} {each.value}",
    )
    return (
        text(each.column),
        text(each.value, length=40),
        number(each.rows),
        text(_title(each.candidate.metric)),
        score(each.candidate.value),
        score(each.champion.value if each.champion else None),
        picture(drawn) if each.candidate.value is not None else Cell(),
        text(each.candidate.reason),
    )


def _signature_table(signature: Signature) -> Table:
    return Table(
        "signature",
        "Signature: the columns a request carries, in order",
        (
            Column("column", "Column"),
            Column("type", "Type"),
            Column("required", "Required"),
            Column("missing", "May be missing"),
            Column("minimum", "Least seen", numeric=True),
            Column("maximum", "Most seen", numeric=True),
            Column("categories", "Categories", wide=True),
        ),
        tuple(
            (
                text(column.name, length=50),
                text(column.type),
                text("yes" if column.required else "no"),
                text("yes" if column.missing_allowed else "no"),
                data_value(column.minimum),
                data_value(column.maximum),
                text(", ".join(column.categories), length=100),
            )
            for column in signature.columns[:MOST_COLUMNS]
        ),
    )


def _slice_spans(each: SliceMeasured) -> Sequence[Span]:
    spans = [_span(each.candidate, "candidate")]
    return [*spans, _span(each.champion, "champion")] if each.champion else spans


def _span(found: Measured, role: str) -> Span:
    interval = found.interval
    return Span(found.value, interval.low if interval else None, interval.high if interval else None, role)


def _three(found: Measured) -> tuple[Cell, Cell, Cell]:
    interval = found.interval
    return (
        score(found.value, title=found.reason),
        score(interval.low if interval else None),
        score(interval.high if interval else None),
    )


def _signed(value: float) -> Cell:
    return Cell(value, f"{value:+.4f}")


def _title(metric: str) -> str:
    from paddock.evaluation import METRIC_TITLES

    return METRIC_TITLES.get(metric, metric)
