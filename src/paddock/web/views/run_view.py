"""What somebody looks at in the run table, as a value and as an address; each says all of the other."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from paddock.kernel.errors import InvalidInput, LimitExceeded
from paddock.tracking import (
    RUNS,
    Lifecycle,
    OrderKey,
    RunsWanted,
    Target,
    format_columns,
    format_order,
    parse_columns,
    parse_order,
)

ROWS = 50
MOST_ROWS = 1_000
MOST_SELECTED = 100
MOST_PINNED = 20
MOST_EXPERIMENTS = 100
MOST_OPEN = 10
# pages that `Previous` goes back one by one; an address has an end
MOST_BACK = 10

QUERY: Mapping[str, str] = {
    "experiment": "only runs of the experiment with this name",
    "experiments": "only runs of the experiments with these ids, separated by commas",
    "filter": "only runs that this filter finds",
    "lifecycle": "`active` (the default) or `deleted` runs",
    "order_by": "what the runs are sorted by, such as `metrics.auc DESC`",
    "columns": "what is shown of each, such as `metrics.auc,params.depth`",
    "usual": "the columns that the page shows by itself; `columns` that are the same change nothing",
    "group": "show groups of runs with the same value of this param, tag or `status`",
    "metric": "the metric whose mean, minimum and maximum groups show",
    "open": "groups that are unfolded",
    "pin": "ids of runs that stand on top, separated by commas",
    "selected": "ids of runs that are selected, separated by commas",
    "limit": "rows of a page, 1 to 1000",
    "cursor": "behind the page that ended here",
    "back": "cursors of the pages before, separated by commas",
}
LISTS = frozenset({"experiments", "columns", "usual", "open", "pin", "selected", "back"})

_WORDS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


@dataclass(frozen=True, slots=True)
class RunView:
    """One view of the run table.

    experiments: ids; experiment: one more by its name; none of both is all of the project. filter: as it was
    written, faults and all. order: None for the newest first. columns: empty for those that fit the runs.
    group: None for one flat table; open: digests of group values. pins, selected: run ids, which stay
    whatever the filter. cursor: where the page begins; back: the cursors of the pages before it.
    """

    experiments: tuple[str, ...] = ()
    experiment: str = ""
    filter: str = ""
    lifecycle: Lifecycle = "active"
    order: OrderKey | None = None
    columns: tuple[Target, ...] = ()
    group: Target | None = None
    metric: str = ""
    open: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    selected: tuple[str, ...] = ()
    limit: int = ROWS
    cursor: str = ""
    back: tuple[str, ...] = ()

    @property
    def order_by(self) -> tuple[str, ...]:
        """The order as a search takes it."""
        return () if self.order is None else (format_order([self.order]),)

    @property
    def first_page(self) -> "RunView":
        return replace(self, cursor="", back=())

    @property
    def previous_page(self) -> "RunView":
        """The page before, or the first one where it is not known any more."""
        return replace(self, cursor=self.back[-1] if self.back else "", back=self.back[:-1])

    def next_page(self, cursor: str) -> "RunView":
        back = (*self.back, self.cursor) if self.cursor else ()
        return replace(self, cursor=cursor, back=back[-MOST_BACK:])

    def sorted_by(self, target: Target) -> "RunView":
        """Return the view that a click on a header leads to: numbers begin with the largest.

        >>> view = RunView().sorted_by(Target("metric", "auc"))
        >>> view.order_by, view.sorted_by(Target("metric", "auc")).order_by
        (('metrics.auc DESC',), ('metrics.auc ASC',))
        """
        current = self.order or OrderKey(Target("attribute", "start_time"), is_descending=True)
        is_number = target.kind == "metric" or target.key in ("start_time", "end_time")
        is_descending = not current.is_descending if current.target == target else is_number
        is_default = target == Target("attribute", "start_time") and is_descending
        return replace(self.first_page, order=None if is_default else OrderKey(target, is_descending))

    def wanted(self, experiment_ids: tuple[str, ...] | None, filter_text: str) -> RunsWanted:
        """Return what to search for, with the experiments by their ids and a filter that can be read."""
        return RunsWanted(experiment_ids, filter_text, self.order_by, self.lifecycle)


def parse_view(query: Mapping[str, str]) -> RunView:
    """Return the view of an address; InvalidInput says which part of it is wrong.

    >>> parse_view({"columns": "metrics.auc", "limit": "10"}).columns
    (Target(kind='metric', key='auc'),)
    """
    order = query.get("order_by", "")
    return RunView(
        experiments=_ids(query, "experiments", MOST_EXPERIMENTS),
        experiment=query.get("experiment", ""),
        filter=query.get("filter", "").strip(),
        lifecycle=_parse_lifecycle(query.get("lifecycle", "")),
        order=parse_order([order], RUNS)[0] if order else None,
        columns=_parse_columns(query),
        group=_parse_group(query.get("group", "")),
        metric=query.get("metric", ""),
        open=_ids(query, "open", MOST_OPEN),
        pins=_ids(query, "pin", MOST_PINNED),
        selected=_ids(query, "selected", MOST_SELECTED),
        limit=_parse_limit(query.get("limit", "")),
        cursor=query.get("cursor", ""),
        back=_ids(query, "back", MOST_BACK),
    )


def format_view(view: RunView) -> str:
    """Return the query that is parsed to `view` again; what is as usual is left out.

    >>> format_view(RunView(filter="metrics.auc > 0.9", pins=("a", "b")))
    'filter=metrics.auc+%3E+0.9&pin=a,b'
    """
    given = {
        "experiment": view.experiment,
        "experiments": ",".join(view.experiments),
        "filter": view.filter,
        "lifecycle": "" if view.lifecycle == "active" else view.lifecycle,
        "order_by": "".join(view.order_by),
        "columns": format_columns(view.columns),
        "group": "" if view.group is None else format_columns((view.group,)),
        "metric": view.metric,
        "open": ",".join(view.open),
        "pin": ",".join(view.pins),
        "selected": ",".join(view.selected),
        "limit": "" if view.limit == ROWS else view.limit,
        "cursor": view.cursor,
        "back": ",".join(view.back),
    }
    return urlencode({name: value for name, value in given.items() if value}, safe=",/:@")


def address_of(view: RunView) -> str:
    """Return the address of the page that shows `view`."""
    query = format_view(view)
    return f"/runs?{query}" if query else "/runs"


def _ids(query: Mapping[str, str], name: str, most: int) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(each for each in query.get(name, "").split(",") if each))
    if len(found) > most:
        raise LimitExceeded(f"`{name}` names {len(found):,}, and may name {most}")
    wrong = next((each for each in found if not _WORDS.issuperset(each)), "")
    if wrong:
        raise InvalidInput(f"`{wrong[:40]}` cannot stand in `{name}`")
    return found


def _parse_lifecycle(text: str) -> Lifecycle:
    if text in ("", "active"):
        return "active"
    if text == "deleted":
        return "deleted"
    raise InvalidInput(f"`lifecycle` is `{text[:20]}`, but must be `active` or `deleted`")


def _parse_columns(query: Mapping[str, str]) -> tuple[Target, ...]:
    """Return the columns that were chosen; a form sends all that are ticked, also where nobody chose."""
    columns, usual = parse_columns(query.get("columns", "")), parse_columns(query.get("usual", ""))
    return () if set(columns) == set(usual) else columns


def _parse_group(text: str) -> Target | None:
    if not text:
        return None
    targets = parse_columns(text)
    is_one = len(targets) == 1 and (targets[0].kind in ("param", "tag") or targets[0].key == "status")
    if not is_one:
        raise InvalidInput("runs are grouped by a param, a tag or `status`", hint="params.model")
    return targets[0]


def _parse_limit(text: str) -> int:
    if not text:
        return ROWS
    if text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= MOST_ROWS:
        return int(text)
    raise InvalidInput(f"`limit` is `{text[:20]}`, but must be a whole number from 1 to {MOST_ROWS:,}")
