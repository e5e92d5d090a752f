"""A view of the run table as a value and as an address."""

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.errors import InvalidInput
from paddock.tracking import RUN_COLUMNS, RUNS, OrderKey, Target
from paddock.web.views.run_changes import change_pins
from paddock.web.views.run_view import (
    MOST_BACK,
    MOST_PINNED,
    MOST_SELECTED,
    QUERY,
    RunView,
    address_of,
    format_view,
    parse_view,
)

KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
PAIRS = st.builds(Target, st.sampled_from(["param", "tag"]), KEYS).filter(
    lambda target: target.key not in RUNS.tag_attributes
)
ATTRIBUTES = st.sampled_from(list(RUNS.attributes)).map(lambda name: Target("attribute", name))
SORTABLE = PAIRS | ATTRIBUTES | st.builds(Target, st.just("metric"), KEYS)
SHOWN = SORTABLE | st.just(Target("attribute", "duration"))
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)


def tuples(elements: st.SearchStrategy, most: int) -> st.SearchStrategy:
    return st.lists(elements, max_size=most, unique=True).map(tuple)


VIEWS = st.builds(
    RunView,
    experiments=tuples(st.integers(0, 999).map(str), 5),
    experiment=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20),
    filter=st.text(st.characters(exclude_categories=["Cs"]), max_size=60).map(str.strip),
    lifecycle=st.sampled_from(["active", "deleted"]),
    order=st.none() | st.builds(OrderKey, SORTABLE, st.booleans()),
    columns=tuples(SHOWN, 8),
    group=st.none() | PAIRS | st.just(Target("attribute", "status")),
    metric=KEYS | st.just(""),
    open=tuples(IDS, 5),
    pins=tuples(IDS, MOST_PINNED),
    selected=tuples(IDS, MOST_SELECTED),
    limit=st.integers(1, 1000),
    cursor=IDS | st.just(""),
    back=tuples(IDS, MOST_BACK),
)


@given(VIEWS)
def test_address_says_all_of_a_view(view: RunView) -> None:
    """Whoever is sent the address of a view sees that view."""
    query = dict(parse_qsl(format_view(view), keep_blank_values=True, strict_parsing=view != RunView()))

    assert set(query) <= set(QUERY)
    assert parse_view(query) == view


@given(VIEWS)
def test_form_that_sends_everything_means_the_same(view: RunView) -> None:
    """Fields that are empty, as a form without scripts sends them, change nothing."""
    query = dict(parse_qsl(format_view(view), keep_blank_values=True))

    assert parse_view({**dict.fromkeys(QUERY, ""), **query}) == view


def test_usual_view_has_the_shortest_address() -> None:
    """What is as usual does not stand in an address."""
    assert address_of(RunView()) == "/runs"
    assert address_of(RunView(limit=25, pins=("a", "b"))) == "/runs?pin=a,b&limit=25"


def test_form_without_scripts_chooses_no_columns_by_itself() -> None:
    """Ticked boxes that are those the page had ticked are no choice; others are."""
    usual = "status,metrics.auc"

    assert parse_view({"columns": "metrics.auc,status", "usual": usual}) == RunView()
    assert parse_view({"columns": "metrics.auc", "usual": usual}).columns == (Target("metric", "auc"),)
    assert parse_view({"columns": usual}).columns == parse_view({"columns": usual, "usual": ""}).columns != ()


@pytest.mark.parametrize(
    "query",
    [
        {"lifecycle": "all"},
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "many"},
        {"order_by": "metrics.auc UP"},
        {"order_by": "duration"},
        {"columns": "auc"},
        {"group": "metrics.auc"},
        {"group": "start_time"},
        {"group": "params.a,params.b"},
        {"pin": "a b"},
        {"selected": "<script>"},
        {"experiments": "1;2"},
        {"pin": ",".join(str(number) for number in range(MOST_PINNED + 1))},
        {"selected": ",".join(str(number) for number in range(MOST_SELECTED + 1))},
    ],
)
def test_view_that_is_none_is_refused(query: dict[str, str]) -> None:
    """A part of an address that says nothing is an error, not a view of something else."""
    with pytest.raises(InvalidInput):
        parse_view(query)


def test_pages_go_forth_and_back() -> None:
    """Each page leads to the one before it, which leads to the one before that, down to the first."""
    pages = [RunView(filter="status = 'failed'")]
    for cursor in ("c2", "c3", "c4"):
        pages.append(pages[-1].next_page(cursor))

    for page, before in zip(pages[::-1], pages[-2::-1], strict=False):
        assert page.previous_page == before
    assert pages[-1].first_page == pages[0]


def test_far_away_page_forgets_the_first_ones() -> None:
    """The way back is as long as an address can hold; behind it is the first page."""
    page = RunView()
    for number in range(MOST_BACK + 5):
        page = page.next_page(f"c{number}")
    assert len(page.back) == MOST_BACK

    for _ in range(MOST_BACK + 1):
        page = page.previous_page

    assert page == RunView()


def test_sorting_begins_on_the_first_page_with_what_is_asked_for_most() -> None:
    """Numbers begin with the largest, texts with the first; again turns it round; the page is the first."""
    view = RunView(cursor="c", back=("b",), selected=("r1",))
    metric, param, started = Target("metric", "auc"), Target("param", "a"), Target("attribute", "start_time")

    assert view.sorted_by(metric) == RunView(order=OrderKey(metric, True), selected=("r1",))
    assert view.sorted_by(metric).sorted_by(metric).order == OrderKey(metric, False)
    assert view.sorted_by(param).order == OrderKey(param, False)
    assert view.sorted_by(started).order == OrderKey(started, False)
    assert view.sorted_by(started).sorted_by(started).order is None
    assert replace(view, order=OrderKey(metric, False)).sorted_by(started).order is None


def test_pins_are_bounded() -> None:
    """No more runs are pinned than an address can name."""
    full = RunView(pins=tuple(f"r{number}" for number in range(MOST_PINNED)))

    assert change_pins(full, "pin", ("r1",)) == full
    assert change_pins(full, "unpin", ("r1", "x")).pins == (*full.pins[:1], *full.pins[2:])
    with pytest.raises(InvalidInput, match="at most 20"):
        change_pins(full, "pin", ("another",))


def test_table_can_show_whatever_can_be_searched() -> None:
    """Every attribute of a run is a column; one more says how long it took."""
    assert set(RUN_COLUMNS.attributes) == {*RUNS.attributes, "duration"}
