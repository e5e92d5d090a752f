"""What several pages show: a model's versions as links, its traffic, its decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock.kernel.refs import parse_ref
from paddock.web.drawing import Span, draw_sparkline
from paddock.web.formats import format_span
from paddock.web.views.health import Kind

if TYPE_CHECKING:
    from markupsafe import Markup

    from paddock.app import App
    from paddock.automation import Decision
    from paddock.monitoring import WindowReport
    from paddock.registry import AliasChange
    from paddock.serving import Endpoint, Revision

DECISION_KINDS: Mapping[str, tuple[Kind, str]] = {
    "retrain_started": ("unknown", "Retraining started"),
    "candidate_submitted": ("unknown", "Candidate submitted"),
    "candidate_refused": ("watch", "Candidate refused"),
    "shadow_started": ("unknown", "Shadow started"),
    "canary_started": ("unknown", "Canary started"),
    "canary_widened": ("unknown", "Canary widened"),
    "champion_replaced": ("good", "Champion replaced"),
    "candidate_rolled_back": ("bad", "Candidate rolled back"),
    "candidate_withdrawn": ("watch", "Candidate withdrawn"),
}
SPARK_WINDOWS = 30


@dataclass(frozen=True, slots=True)
class Quality:
    """The newest live quality that was measured, with what led to it."""

    monitor: str
    title: str
    value: float | None
    low: float | None
    high: float | None
    reference: float
    as_of: str
    coverage: float
    picture: Markup

    @property
    def has_value(self) -> bool:
        return self.value is not None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the traffic. role: champion, challenger or shadow."""

    version: int
    weight: float
    role: str
    href: str


def model_of(endpoint: Endpoint) -> str:
    """Return the name of the model that an endpoint serves."""
    return parse_ref("model", endpoint.spec.model)[0]


def current_reign(history: Sequence[AliasChange]) -> AliasChange | None:
    """Return the move by which the alias points where it does, None when it points nowhere."""
    return history[-1] if history and history[-1].to_version else None


def split_traffic(revision: Revision | None) -> tuple[Part, ...]:
    """Return what is served, the champion first, the shadow last with no weight."""
    if revision is None:
        return ()
    config = revision.config
    parts = [
        Part(
            route.version,
            route.weight,
            "challenger" if place else "champion",
            f"/models/{config.model}/{route.version}",
        )
        for place, route in enumerate(config.routes)
    ]
    if config.shadow_version:
        href = f"/models/{config.model}/{config.shadow_version}"
        parts.append(Part(config.shadow_version, 0.0, "shadow", href))
    return tuple(parts)


def summarize_quality(windows: Sequence[WindowReport]) -> Quality | None:
    """Return the newest measured quality of a monitor, given its windows, newest first."""
    from paddock.evaluation import METRIC_TITLES

    if not windows:
        return None
    newest = windows[0]
    measured = next((each for each in windows if each.facts.quality.value is not None), None)
    quality = (measured or newest).facts.quality
    title = METRIC_TITLES.get(quality.metric, quality.metric)
    return Quality(
        monitor=newest.monitor,
        title=title,
        value=quality.value,
        low=quality.interval.low if quality.interval else None,
        high=quality.interval.high if quality.interval else None,
        reference=newest.facts.reference_quality,
        as_of=format_span(measured.start, measured.end) if measured else "",
        coverage=newest_coverage(windows),
        picture=_spark(windows, title),
    )


def newest_coverage(windows: Sequence[WindowReport]) -> float:
    """Return the label coverage of the newest window whose labels were due."""
    return next((each.facts.label_coverage for each in windows if each.facts.due_count), 0.0)


def models_in(app: App) -> tuple[str, ...]:
    """Return the names of all models, which become links in sentences."""
    return tuple(model.name for model in app.registry.list_models())


def evidence_of(decision: Decision) -> tuple[tuple[str, object, str], ...]:
    """Return the figures of a decision as (name, value, address)."""
    rows: list[tuple[str, object, str]] = []
    for name, value in decision.evidence.items():
        href = f"/reports/{value}" if name == "report_id" else ""
        rows.append((name.replace("_", " "), "not measured" if value is None else value, href))
    if decision.rollout_id:
        rows.append(("rollout", decision.rollout_id, f"/endpoints/{decision.endpoint}#rollouts"))
    return tuple(rows)


def _spark(windows: Sequence[WindowReport], title: str) -> Markup:
    shown = windows[:SPARK_WINDOWS][::-1]
    spans = [
        Span(
            each.facts.quality.value,
            each.facts.quality.interval.low if each.facts.quality.interval else None,
            each.facts.quality.interval.high if each.facts.quality.interval else None,
        )
        for each in shown
    ]
    label = f"{title} of the last {len(shown)} windows with its interval; the line across is the release"
    return draw_sparkline(spans, reference=windows[0].facts.reference_quality, label=label)
