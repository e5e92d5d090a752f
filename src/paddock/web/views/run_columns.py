"""What the run table shows of a run: which columns, and the value of each. Runs in, cells out."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from paddock.kernel.clock import format_time
from paddock.tracking import RUNS, Run, Target, artifact_root
from paddock.web.formats import path_of
from paddock.web.tables import (
    Cell,
    Column,
    Value,
    duration,
    identity,
    moment,
    number,
    plain_number,
    status,
    text,
)
from paddock.web.views.health import Kind
from paddock.web.views.run_view import RunView, address_of

STATUS: Mapping[str, Kind] = {
    "running": "unknown",
    "scheduled": "unknown",
    "finished": "good",
    "failed": "bad",
    "killed": "watch",
}
# a longer one is no number that a table shows; the pattern reads each character once
_LONGEST_NUMBER = 32
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
MOST_METRICS = 4
MOST_PARAMS = 4
_TITLES: Mapping[str, tuple[str, str]] = {
    # attribute -> heading, name in a download
    "run_name": ("Name", "name"),
    "run_id": ("Id", "run_id"),
    "experiment_id": ("Experiment", "experiment"),
    "status": ("Status", "status"),
    "start_time": ("Started", "started_at"),
    "end_time": ("Ended", "ended_at"),
    "duration": ("Took", "duration_s"),
    "user_id": ("By", "user"),
    "parent_id": ("Part of", "parent_id"),
    "artifact_uri": ("Files at", "artifact_uri"),
    "lifecycle": ("Lifecycle", "lifecycle"),
}
_BANDS = {"metric": "Metrics", "param": "Parameters", "tag": "Tags"}
# what every row begins with anyway
_IN_EVERY_ROW = Target("attribute", "run_name")


@dataclass(frozen=True, slots=True)
class Band:
    """Columns of one kind that stand together. title: empty for attributes."""

    title: str
    width: int


def choose_columns(view: RunView, runs: Sequence[Run], *, is_one_experiment: bool) -> tuple[Target, ...]:
    """Return the columns that `view` names, or those that say most of these runs.

    By itself a view shows the metrics that most of the runs have, the params in which they differ, and what
    they are sorted by.
    """
    if view.columns:
        return tuple(target for target in view.columns if target != _IN_EVERY_ROW)
    attributes = ["status", "start_time", "duration"] + ([] if is_one_experiment else ["experiment_id"])
    differing = [
        key for key in _most_used(run.params for run in runs) if _differ(run.params.get(key) for run in runs)
    ]
    chosen = [
        *(Target("attribute", name) for name in attributes),
        *(Target("metric", key) for key in sorted(_most_used(run.metrics for run in runs)[:MOST_METRICS])),
        *(Target("param", key) for key in sorted(differing[:MOST_PARAMS])),
    ]
    order = view.order.target if view.order else _IN_EVERY_ROW
    return tuple(chosen if order in (*chosen, _IN_EVERY_ROW) else (*chosen, order))


def column_of(target: Target) -> Column:
    """Return heading and name in a download.

    >>> column_of(Target("metric", "auc")).key, column_of(Target("attribute", "duration")).title
    ('metrics.auc', 'Took')
    """
    if target.kind == "attribute":
        title, key = _TITLES[target.key]
        return Column(key, title, numeric=target.key == "duration")
    return Column(f"{target.kind}s.{target.key}", target.key, numeric=target.kind == "metric")


def is_sortable(target: Target) -> bool:
    """Say whether a search sorts by it.

    >>> is_sortable(Target("attribute", "duration")), is_sortable(Target("tag", "owner"))
    (False, True)
    """
    return target.kind != "attribute" or target.key in RUNS.attributes


def is_numeric(target: Target, runs: Iterable[Run]) -> bool:
    """Say whether a column stands to the right: metrics, and texts that are numbers in all of these runs."""
    if target.kind in ("attribute", "metric"):
        return column_of(target).numeric
    values = [str(value) for run in runs if (value := value_of(target, run))]
    return bool(values) and all(
        len(value) <= _LONGEST_NUMBER and _NUMBER.fullmatch(value) for value in values
    )


def bands_of(columns: Iterable[Target]) -> tuple[Band, ...]:
    """Return the kinds of columns that stand side by side."""
    return tuple(
        Band(_BANDS.get(kind, ""), len(list(together)))
        for kind, together in groupby(columns, key=lambda target: target.kind)
    )


def value_of(target: Target, run: Run) -> Value:
    """Return what a download has of a run.

    >>> from datetime import UTC
    >>> run = Run("r1", "delay", "a", "finished", datetime(2026, 3, 3, tzinfo=UTC), None, "", "ann", "")
    >>> value_of(Target("attribute", "start_time"), run), value_of(Target("metric", "auc"), run)
    ('2026-03-03T00:00:00.000Z', None)
    """
    if target.kind == "metric":
        return plain_number(run.metrics.get(target.key))
    if target.kind == "param":
        return run.params.get(target.key)
    if target.kind == "tag":
        return run.tags.get(target.key)
    return _ATTRIBUTES[target.key](run)


def cell_of(target: Target, run: Run, now: datetime) -> Cell:
    """Return what the page shows of a run; a running one has taken as long as it runs."""
    if target.kind == "metric":
        return number(run.metrics.get(target.key))
    if target.kind != "attribute":
        return text(str(value_of(target, run) or ""), length=24)
    match target.key:
        case "status":
            return status(STATUS[run.status], run.status)
        case "start_time":
            return moment(run.started_at, now)
        case "end_time":
            return moment(run.ended_at, now)
        case "duration":
            return duration((run.ended_at or now) - run.started_at)
        case "experiment_id":
            address = address_of(RunView(experiments=(run.experiment_id,)))
            return text(run.experiment, href=address, length=24)
        case "run_id" | "parent_id":
            shown = str(value_of(target, run))
            return identity(shown, href=path_of("runs", shown))
        case _:
            return text(str(value_of(target, run) or ""), length=36)


_ATTRIBUTES: Mapping[str, Callable[[Run], Value]] = {
    "run_name": lambda run: run.name,
    "run_id": lambda run: run.run_id,
    "experiment_id": lambda run: run.experiment,
    "status": lambda run: run.status,
    "start_time": lambda run: format_time(run.started_at),
    "end_time": lambda run: format_time(run.ended_at) if run.ended_at else None,
    "duration": lambda run: (run.ended_at - run.started_at).total_seconds() if run.ended_at else None,
    "user_id": lambda run: run.user_name,
    "parent_id": lambda run: run.parent_id,
    "artifact_uri": lambda run: (
        f"{artifact_root(run.experiment_id, run.artifact_location)}/{run.run_id}/artifacts"
    ),
    "lifecycle": lambda run: run.lifecycle,
}


def _most_used(names: Iterable[Iterable[str]]) -> list[str]:
    counts = Counter(name for one in names for name in one)
    return sorted(counts, key=lambda name: (-counts[name], name))


def _differ(values: Iterable[str | None]) -> bool:
    return len(set(values)) > 1
