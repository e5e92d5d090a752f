"""Tables as files, static files, health, pictures and figures."""

import csv
import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from paddock.kernel.errors import InvalidInput, NotFound
from paddock.web.assets import plotly_path, static_path
from paddock.web.drawing import Span, draw_spans, draw_sparkline, rebin, scale_over
from paddock.web.figures import build_figure
from paddock.web.formats import format_when, mark_up
from paddock.web.tables import Column, Table, number, text, write_csv, write_json
from paddock.web.views.health import judge_model

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
STATIC = Path(__file__).parents[3] / "src/paddock/web/static"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_holds_no_formula(start):
    """A text that a spreadsheet would run is marked as text; a negative number stays a number."""
    table = Table("t", "T", (Column("a", "A"), Column("b", "B")), ((text(f"{start}cmd"), number(-1.5)),))

    _, row = csv.reader(io.StringIO(write_csv(table).decode(), newline=""))

    assert row == [f"'{start}cmd", "-1.5"]


def test_not_a_number_is_a_word_in_a_download():
    """NaN and the infinities do not break the JSON of a table."""
    table = Table("t", "T", (Column("a", "A"),), ((number(float("nan")),), (number(float("-inf")),)))

    assert json.loads(write_json(table)) == [{"a": "NaN"}, {"a": "-Infinity"}]


def test_downloads_hold_the_rows_of_the_page(full):
    """CSV and JSON of a filtered table have its rows and no others."""
    address = "/runs?experiment=price&table=runs"
    answer = full.ask(f"{address}&format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))

    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert [row["experiment"] for row in rows] == ["price"] * 4
    assert [row["run_id"] for row in json.loads(full.ask(f"{address}&format=json").body)] == [
        row["run_id"] for row in rows
    ]


@pytest.mark.parametrize(
    ("address", "error"),
    [("/runs?table=nothing&format=csv", NotFound), ("/runs?table=runs&format=xls", InvalidInput)],
)
def test_unknown_download_is_refused(full, address, error):
    """A table or a format that is not there is an error and no empty file."""
    with pytest.raises(error):
        full.ask(address, headers={})


def test_own_files_are_small_and_cached_for_ever(full):
    """The style sheet and the scripts keep to their weight and never change under an address."""
    sizes = {path.suffix: 0 for path in STATIC.iterdir()}
    for path in STATIC.iterdir():
        sizes[path.suffix] += path.stat().st_size
        assert "immutable" in full.file(f"{static_path()}/{path.name}").headers["Cache-Control"]

    assert sizes[".css"] <= 30 * 1024
    assert sizes[".js"] <= 30 * 1024


def test_plotly_comes_from_the_installed_package(full):
    """plotly.js is a file of the installed version, under an address with that version."""
    answer = full.file(plotly_path())

    assert answer.path.name == "plotly.min.js"
    assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("name", ["paddock.py", "..", "../assets.py", "%2e%2e", "plotly.min.js", ""])
def test_nothing_else_is_static(full, name):
    """Only files that are listed can be asked for."""
    with pytest.raises(NotFound):
        full.file(f"{static_path()}/{name}".replace("../", ".."))


def test_pages_never_import_plotly():
    """plotly.js is found without importing plotly, and nothing heavy before the first page."""
    program = (
        "import sys; from paddock.web.assets import plotly_file; import paddock.web; plotly_file();"
        "print([name for name in ('plotly', 'jinja2', 'pyarrow', 'sklearn') if name in sys.modules])"
    )

    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


def test_quality_alarm_is_bad_and_drift_alone_is_not():
    """Measured loss is bad, moved predictions are to be watched."""
    quality, drift = SimpleNamespace(kind="quality"), SimpleNamespace(kind="drift")
    monitor = SimpleNamespace(latest=SimpleNamespace(state="ok"))

    assert judge_model(3, ["delay"], [monitor], [drift, quality]).kind == "bad"
    assert judge_model(3, ["delay"], [monitor], [drift]).kind == "watch"
    assert judge_model(3, ["delay"], [monitor], []).kind == "good"


@pytest.mark.parametrize(
    ("champion", "endpoints", "states"),
    [(0, ["delay"], ["ok"]), (3, [], ["ok"]), (3, ["delay"], []), (3, ["delay"], ["too_few_rows"])],
)
def test_what_nobody_vouches_for_is_unknown(champion, endpoints, states):
    """Without champion, endpoint, monitor or rows a model is never called good."""
    monitors = [SimpleNamespace(latest=SimpleNamespace(state=state)) for state in states]

    assert judge_model(champion, endpoints, monitors, []).kind == "unknown"


def test_missing_value_is_a_gap_in_a_sparkline():
    """No line is drawn through what was not measured."""
    spans = [Span(0.7, 0.6, 0.8), Span(0.71, 0.6, 0.8), Span(None), Span(0.69, 0.6, 0.8)]

    assert draw_sparkline(spans, reference=None, label="AUC").count('class="line"') == 2


def test_label_of_a_picture_is_escaped():
    """What a picture is called may come from a user."""
    drawn = draw_spans([Span(0.5)], scale_over([Span(0.5)], (), 100), label='"><script>')

    assert "<script>" not in drawn


def test_histogram_keeps_every_row():
    """Bins of unequal width are spread over equal ones without losing or inventing rows."""
    assert sum(rebin([0.0, 0.1, 0.5, 3.0, 9.0] * 1, [0, 10, 20, 30, 40, 0], bins=3)) == pytest.approx(100)
    assert rebin([0.0, 5e-324], [0, 5, 0]) == ()


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(days=3), "3 days ago"),
        (-timedelta(days=1), "4 Mar 2026"),
    ],
)
def test_time_is_relative_while_that_helps(age, words):
    """The near past is relative; the far past and the future are dates."""
    assert format_when(NOON - age, NOON) == words


def test_only_known_models_become_links():
    """A dataset that looks like a version of a model stays text, and so does markup."""
    assert mark_up("<b> flights@3", ["delay"]) == "&lt;b&gt; flights@3"


def test_figure_keeps_gaps_and_shows_events_on_the_axis_of_quality(full):
    """A window without labels is a gap; releases and alarms are lines over all panels."""
    monitoring, automation = full.app.monitoring, full.app.automation
    windows = monitoring.list_windows("delay-weekly")[::-1]
    alarms = full.app.metadata.latest_events(full.app.actor.project_id, kind="monitor.alarm")

    figure = build_figure(windows, automation.list_decisions(limit=100), alarms)

    quality = figure["data"][2]
    assert quality["connectgaps"] is False
    assert quality["y"].count(None) == 1
    labels = [each["text"] for each in figure["layout"]["annotations"]]
    assert {"delay@3", "back to delay@3", "alarm"} <= set(labels)
    assert all(shape["yref"] == "paper" for shape in figure["layout"]["shapes"])
    rows = {each["text"]: each["yshift"] for each in figure["layout"]["annotations"] if "yshift" in each}
    assert rows["alarm"] != rows["delay@3"]  # 16 days apart, they would touch in one row
    assert figure["data"][6]["type"] == "heatmap"
    assert figure["data"][6]["y"][0] == "temp"


def test_figure_is_json_under_its_own_address(full):
    """The charts are fetched from a route of their own, so the page needs no inline script."""
    figure = json.loads(full.ask("/monitors/delay-weekly/figure?windows=30").body)

    assert set(figure) == {"data", "layout"}
