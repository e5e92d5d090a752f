"""Runs found by a filter, counted, grouped, and changed many at once; and the keys a filter can name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from paddock.api.binding import PAGE, bind
from paddock.api.views import view_run
from paddock.app import App
from paddock.kernel.errors import InvalidInput
from paddock.wire import Answer, Call, Permission, RouteSpec, answer_json, structs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paddock.tracking import KeyUse, Run, RunsWanted, Target
    from paddock.wire.structs import Number

READ, LOG = Permission.READ, Permission.LOG_RUNS
MOST_KEYS = 1_000
MOST_GROUPS = 1_000

_LIFECYCLES: Mapping[str, Literal["active", "deleted", "all"]] = {
    "active": "active",
    "deleted": "deleted",
    "all": "all",
}
_SCOPE: Mapping[str, str] = {
    "experiment": "only of this experiment, by its name",
    "experiments": "only of these experiments, by their ids between commas",
    "filter": "only runs that this filter finds, see search.md",
    "lifecycle": "`active` (the default), `deleted` or `all` runs",
}
_SEARCH: Mapping[str, str] = {
    **_SCOPE,
    "parent_id": "only children of this run",
    "order_by": "what the runs are sorted by, such as `metrics.auc DESC, start_time`; newest first without",
    "columns": "only these metrics, params and tags of each run, such as `metrics.auc,params.depth`",
    **PAGE,
}
_GROUPS: Mapping[str, str] = {
    **_SCOPE,
    "by": "a param, a tag or `status`, such as `params.model`",
    "metric": "whose mean, minimum and maximum each group has",
    "limit": "most groups, 1 to 1000, by default 100",
}


def routes(app: App) -> tuple[RouteSpec, ...]:
    """Return the routes that find runs, and the one that changes many."""
    lists = frozenset({"experiments", "columns"})
    return (
        RouteSpec(
            "GET",
            "/api/v1/runs",
            READ,
            bind(app, search_runs),
            "Search runs, newest first",
            response=structs.RunPage,
            query=_SEARCH,
            lists=lists,
        ),
        RouteSpec(
            "GET",
            "/api/v1/run-count",
            READ,
            bind(app, count_runs),
            "Count the runs that a search finds",
            response=structs.RunCount,
            query={**_SCOPE, "at_most": "where counting ends; without it all are counted"},
            lists=lists,
        ),
        RouteSpec(
            "GET",
            "/api/v1/run-groups",
            READ,
            bind(app, group_runs),
            "Count runs by a value they have in common, the largest group first",
            response=structs.RunGroups,
            query=_GROUPS,
            lists=lists,
        ),
        RouteSpec(
            "GET",
            "/api/v1/run-keys",
            READ,
            bind(app, list_run_keys),
            "List the keys that runs have, most used first",
            response=structs.RunKeys,
            query={
                "experiments": _SCOPE["experiments"],
                "limit": "keys of each kind, 1 to 1000, by default 100",
            },
            lists=lists,
        ),
        RouteSpec(
            "POST",
            "/api/v1/run-changes",
            LOG,
            bind(app, change_runs),
            "Tag, delete or restore up to 1,000 runs, all of them or none",
            request=structs.ChangeRuns,
            response=structs.RunsChanged,
        ),
    )


def search_runs(app: App, call: Call) -> Answer:
    from paddock.tracking import parse_columns, read_document, split_order

    wanted = _read_wanted(app, call)
    columns = parse_columns(call.text("columns"))
    if parent := call.text("parent_id"):
        wanted = replace(wanted, filter=_below(wanted.filter, parent))
    wanted = replace(wanted, order_by=split_order(call.text("order_by")))
    page = app.searches.runs(wanted, limit=call.limit(), cursor=call.text("cursor"))
    found = (read_document(each) for each in page.documents)
    runs = tuple(view_run(_project(run, columns) if columns else run) for run in found)
    return answer_json(structs.RunPage(runs=runs, next_cursor=page.next_cursor))


def count_runs(app: App, call: Call) -> Answer:
    at_most = call.whole("at_most", 0, low=1) or None
    count = app.searches.count(_read_wanted(app, call), at_most=at_most)
    return answer_json(structs.RunCount(run_count=count, is_exact=count != at_most))


def group_runs(app: App, call: Call) -> Answer:
    from paddock.tracking import Grouping, parse_columns

    by = parse_columns(call.text("by"))
    if len(by) != 1:
        raise InvalidInput("`by` must name one param, one tag or `status`", hint="params.model")
    limit = call.whole("limit", 100, low=1, high=MOST_GROUPS)
    groups = app.searches.group(_read_wanted(app, call), Grouping(by[0], call.text("metric"), limit))
    found = tuple(
        structs.RunGroup(
            value=group.value,
            run_count=group.run_count,
            metric_count=group.metric_count,
            mean=_write(group.mean),
            minimum=_write(group.minimum),
            maximum=_write(group.maximum),
        )
        for group in groups
    )
    return answer_json(structs.RunGroups(groups=found))


def list_run_keys(app: App, call: Call) -> Answer:
    from paddock.tracking import RUNS

    limit = call.whole("limit", 100, low=1, high=MOST_KEYS)
    keys = app.searches.keys(_read_experiments(call), limit=limit)
    return answer_json(
        structs.RunKeys(
            metrics=tuple(_view_key("metric", use) for use in keys.metrics),
            params=tuple(_view_key("param", use) for use in keys.params),
            tags=tuple(_view_key("tag", use) for use in keys.tags),
            attributes=tuple(RUNS.attributes),
        )
    )


def change_runs(app: App, call: Call) -> Answer:
    wanted = call.read(structs.ChangeRuns)
    if (wanted.change == "tag") != bool(wanted.tags):
        raise InvalidInput("`tags` go with the change `tag`, and with no other")
    match wanted.change:
        case "tag":
            count = app.bulk_runs.set_tags(wanted.run_ids, wanted.tags, key=call.key)
        case "delete":
            count = app.bulk_runs.delete(wanted.run_ids, key=call.key)
        case "restore":
            count = app.bulk_runs.restore(wanted.run_ids, key=call.key)
    return answer_json(structs.RunsChanged(run_count=len(set(wanted.run_ids)), changed_count=count))


def _read_wanted(app: App, call: Call) -> RunsWanted:
    from paddock.tracking import RunsWanted, check_experiment_name

    ids = _read_experiments(call)
    if name := call.text("experiment"):
        named = app.experiments.find_by_name(check_experiment_name(name))
        ids = (*(ids or ()), *([named.experiment_id] if named else []))
    asked = call.text("lifecycle") or "active"
    lifecycle = _LIFECYCLES.get(asked)
    if lifecycle is None:
        raise InvalidInput(f"`lifecycle` is `{asked[:20]}`, but must be `active`, `deleted` or `all`")
    return RunsWanted(ids, call.text("filter"), (), lifecycle)


def _read_experiments(call: Call) -> tuple[str, ...] | None:
    return tuple(each.strip() for each in call.text("experiments").split(",") if each) or None


def _below(filter_text: str, parent_id: str) -> str:
    from paddock.tracking import Target, narrow_filter

    return narrow_filter(filter_text, Target("attribute", "parent_id"), parent_id)


def _project(run: Run, columns: tuple[Target, ...]) -> Run:
    """Return the run with these of its metrics, params and tags alone."""
    kept = {kind: {each.key for each in columns if each.kind == kind} for kind in ("metric", "param", "tag")}
    return replace(
        run,
        metrics={key: value for key, value in run.metrics.items() if key in kept["metric"]},
        params={key: value for key, value in run.params.items() if key in kept["param"]},
        tags={key: value for key, value in run.tags.items() if key in kept["tag"]},
    )


def _view_key(kind: Literal["metric", "param", "tag"], use: KeyUse) -> structs.KeyUse:
    from paddock.tracking import Target, format_columns

    target = Target(kind, use.key)
    return structs.KeyUse(key=use.key, name=format_columns((target,)), run_count=use.run_count)


def _write(value: float | None) -> Number | None:
    return None if value is None else structs.write_number(value)
