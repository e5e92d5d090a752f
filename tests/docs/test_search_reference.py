"""The examples of the page about searching find what it says they find."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import page_store
import pytest

from paddock.app import App
from paddock.kernel.clock import SimulatedClock
from paddock.kernel.errors import InvalidInput
from paddock.tracking import RUNS, MetricPoint, RunsWanted, split_order

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "search.md"
LIMITS = {"4,096", "50", "20", "100", "256", "8"}


def rows_below(heading: str) -> list[tuple[str, ...]]:
    """Return the rows of all tables whose first column has this heading; code without its backticks."""
    found: list[tuple[str, ...]] = []
    is_inside = False
    for line in PAGE.read_text().splitlines():
        if not line.startswith("|"):
            is_inside = False
        elif line.startswith(f"| {heading} |"):
            is_inside = True
        elif is_inside and not line.startswith("| ---"):
            found.append(tuple(cell.strip() for cell in line.strip("|").split(" |")))
    return found


def code(cell: str) -> str:
    """Return what stands between backticks, one or two of them."""
    match = re.fullmatch(r"``(.+)``|`(.+)`", cell)
    assert match, cell
    return match[1] or match[2]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The runs at the head of the page, the first one started first."""
    opened, clock = page_store.open_page_app(tmp_path_factory.mktemp("search"))
    for row in rows_below("run"):
        start(opened, clock, row)
    yield opened
    opened.close()


def start(app: App, clock: SimulatedClock, row: tuple[str, ...]) -> None:
    name, status, auc, loss, model, batch, team = row
    params = {key: value for key, value in (("model", model), ("batch size", batch)) if value}
    run = app.tracking.start_run(
        experiment="search", name=name, params=params, tags={"team": team} if team else {}
    )
    points = [MetricPoint(key, float(value), 0, 0) for key, value in (("auc", auc), ("loss", loss)) if value]
    app.tracking.log_metrics(run.run_id, points)
    if status != "running":
        app.tracking.finish_run(run.run_id, status)
    clock.move_to(clock.now() + timedelta(minutes=1))


FINDS = [row for row in rows_below("filter") if "filter is wrong" not in row[1]]
FAULTS = [row for row in rows_below("filter") if "filter is wrong" in row[1]]


@pytest.mark.parametrize(("text", "names"), FINDS, ids=[row[0] for row in FINDS])
def test_filter_finds_what_the_page_says(app: App, text: str, names: str):
    """Each filter of the page finds the runs in the cell beside it."""
    found = app.searches.runs(RunsWanted(filter=code(text), order_by=["run_name"]))

    assert ", ".join(each.run.name for each in found.documents) == names


@pytest.mark.parametrize(("text", "names"), rows_below("order"))
def test_order_gives_what_the_page_says(app: App, text: str, names: str):
    """Each order of the page puts the runs as the cell beside it."""
    found = app.searches.runs(RunsWanted(order_by=split_order(code(text))))

    assert ", ".join(each.run.name for each in found.documents) == names


@pytest.mark.parametrize(("text", "answer"), FAULTS)
def test_fault_is_answered_as_the_page_says(app: App, text: str, answer: str):
    """Each faulty filter of the page is refused in the words beside it, at their position."""
    with pytest.raises(InvalidInput) as caught:
        app.searches.runs(RunsWanted(filter=code(text)))

    assert caught.value.message == answer
    position = re.search(r"at character (\d+)", answer)
    assert caught.value.details["position"] == (int(position[1]) if position else len(code(text)) + 1)


def test_every_attribute_is_described():
    """The page has each attribute of runs with its other names, and no others."""
    rows = {code(row[0]): set(re.findall(r"`([^`]+)`", row[2])) for row in rows_below("attribute")}

    tags = {name: f"tags.{tag}" for tag, name in RUNS.tag_attributes.items()}
    assert rows == {
        name: {*each.aliases, *([tags[name]] if name in tags else [])}
        for name, each in RUNS.attributes.items()
    }


def test_page_is_about_something():
    """The tables are read: an example that no test sees would prove nothing."""
    assert (len(rows_below("run")), len(FINDS) >= 25, len(FAULTS)) == (4, True, 5)
    section = PAGE.read_text().partition("## Limits")[2].partition("##")[0]
    assert set(re.findall(r"\d[\d,]*\d|\d", section)) == LIMITS
