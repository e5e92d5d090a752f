"""What the form above the run table offers to choose from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from paddock.tracking import RUN_COLUMNS, Target, format_columns
from paddock.web.formats import cut
from paddock.web.views.run_columns import column_of
from paddock.web.views.run_view import RunView

if TYPE_CHECKING:
    from paddock.app import App
    from paddock.tracking import Experiment, KeyUse, RunKeys
    from paddock.web.views.run_question import Question

MOST_KEYS = 60
MOST_EXPERIMENTS = 200
SIZES = (25, 50, 100, 200)
_LONGEST = 40
_ATTRIBUTES = (
    "status",
    "start_time",
    "duration",
    "experiment_id",
    "user_id",
    "run_id",
    "end_time",
    "parent_id",
)


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    title: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """Options of one kind. title: `Metrics`, `Parameters`, `Tags` or `Attributes`."""

    title: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class RunForm:
    """has_more: there are more experiments than can be chosen from. hidden: what the form keeps as it is."""

    experiments: tuple[Option, ...]
    has_more_experiments: bool
    groups: tuple[Choices, ...]
    metrics: tuple[Option, ...]
    columns: tuple[Choices, ...]
    sizes: tuple[Option, ...]
    hidden: tuple[tuple[str, str], ...]
    keys_address: str


def make_form(app: App, question: Question, shown: Sequence[Target]) -> RunForm:
    """Return the form. shown: the columns that are shown now."""
    view = question.view
    keys = app.searches.keys(question.experiment_ids, limit=MOST_KEYS)
    listed = app.searches.experiments(order_by=("creation_time DESC",), limit=MOST_EXPERIMENTS)
    metrics = [each.key for each in keys.metrics]
    if view.metric and view.metric not in metrics:
        metrics.append(view.metric)
    return RunForm(
        experiments=_experiments(listed.experiments, question.chosen),
        has_more_experiments=bool(listed.next_cursor),
        groups=_groups(view, keys),
        metrics=tuple(Option(each, cut(each, _LONGEST), each == view.metric) for each in metrics),
        columns=_columns(keys, shown),
        sizes=tuple(
            Option(str(size), str(size), size == view.limit) for size in sorted({*SIZES, view.limit})
        ),
        hidden=_hidden(view, tuple(shown)),
        keys_address=_keys_address(view),
    )


def _experiments(listed: Iterable[Experiment], chosen: Sequence[Experiment]) -> tuple[Option, ...]:
    known = {each.experiment_id: each for each in (*chosen, *listed)}
    ids = {each.experiment_id for each in chosen}
    ranked = sorted(known.values(), key=lambda each: (each.experiment_id not in ids, each.name.lower()))
    return tuple(
        Option(each.experiment_id, cut(each.name, _LONGEST), each.experiment_id in ids) for each in ranked
    )


def _groups(view: RunView, keys: RunKeys) -> tuple[Choices, ...]:
    status = Target("attribute", "status")
    offered = [[status], _targets("param", keys.params), _targets("tag", keys.tags)]
    if view.group and all(view.group not in each for each in offered):
        offered[1 if view.group.kind == "param" else 2].append(view.group)
    titles = ("", "Parameters", "Tags")
    return tuple(
        Choices(title, tuple(_option(target, target == view.group) for target in targets))
        for title, targets in zip(titles, offered, strict=True)
        if targets
    )


def _columns(keys: RunKeys, shown: Sequence[Target]) -> tuple[Choices, ...]:
    offered = {
        "Attributes": [Target("attribute", name) for name in _ATTRIBUTES],
        "Metrics": _targets("metric", keys.metrics),
        "Parameters": _targets("param", keys.params),
        "Tags": _targets("tag", keys.tags),
    }
    kinds = {"attribute": "Attributes", "metric": "Metrics", "param": "Parameters", "tag": "Tags"}
    for target in shown:
        if target not in offered[kinds[target.kind]]:
            offered[kinds[target.kind]].append(target)
    return tuple(
        Choices(title, tuple(_option(target, target in shown) for target in targets))
        for title, targets in offered.items()
        if targets
    )


def _targets(kind: Literal["metric", "param", "tag"], uses: Iterable[KeyUse]) -> list[Target]:
    """Return keys as targets, without tags that say what an attribute says."""
    own = RUN_COLUMNS.tag_attributes if kind == "tag" else {}
    return [Target(kind, use.key) for use in uses if use.key not in own]


def _option(target: Target, is_chosen: bool) -> Option:
    return Option(format_columns((target,)), cut(column_of(target).title, _LONGEST), is_chosen)


def _hidden(view: RunView, shown: tuple[Target, ...]) -> tuple[tuple[str, str], ...]:
    kept = {
        "usual": "" if view.columns else format_columns(shown),
        "order_by": "".join(view.order_by),
        "open": ",".join(view.open),
        "pin": ",".join(view.pins),
        "selected": ",".join(view.selected),
    }
    return tuple((name, value) for name, value in kept.items() if value)


def _keys_address(view: RunView) -> str:
    query = urlencode({"experiments": ",".join(view.experiments)}, safe=",") if view.experiments else ""
    return f"/api/v1/run-keys?{query}" if query else "/api/v1/run-keys"
