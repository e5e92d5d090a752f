"""The run table: what it shows of a store, and what its forms do."""

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import page_store
import pytest
from page_asking import Outline, Pages, text_of
from run_store import MODELS, fill_runs, make_run

from paddock.kernel.errors import InvalidInput, NotFound
from paddock.tracking import MetricPoint, RunBatch
from paddock.wire import RequestRefused

COUNT = 2_100
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """The pages of a store with 2,100 runs; read only."""
    app, _ = page_store.open_page_app(tmp_path_factory.mktemp("many"))
    fill_runs(app, COUNT)
    yield Pages(app)
    app.close()


@pytest.fixture
def few(tmp_path: Path) -> Iterator[Pages]:
    """The pages of a store with six runs in two experiments, newest last."""
    app, clock = page_store.open_page_app(tmp_path)
    for number in range(6):
        run = app.tracking.start_run(
            experiment="delay" if number % 2 else "price",
            name=f"run {number}",
            params={"depth": str(number), "model": "forest" if number < 4 else "tree"},
        )
        app.tracking.log_metrics(run.run_id, [MetricPoint("auc", number / 10, 0, 0)])
        clock.move_to(clock.now().replace(minute=number + 1))
    yield Pages(app)
    app.close()


def address(**query: str) -> str:
    return f"/runs?{urlencode(query)}"


def names_of(html: str) -> list[str]:
    """Return the names of the runs in the order in which they stand."""
    return re.findall(r'<th scope="row"><a href="/runs/[^"]+"[^>]*>([^<]*)</a>', html)


def ids_of(html: str) -> list[str]:
    return re.findall(r'name="runs" value="([^"]+)" aria-label', html)


def link_of(html: str, words: str) -> str:
    found = re.search(rf'<a href="([^"]+)"[^>]*>{re.escape(words)}</a>', html)
    assert found, f"no link says {words}"
    return found[1].replace("&amp;", "&")


def test_first_page_is_small_and_says_how_many_there_are(many):
    """Fifty runs with ten metrics, ten params and five tags to choose from stay within 100 KB."""
    html = many.html("/runs")

    assert names_of(html) == [f"run-{number:05d}" for number in range(COUNT, COUNT - 50, -1)]
    assert "2,100 runs" in text_of(html)
    assert len(html.encode()) <= 100 * 1024


def test_pages_hold_every_run_once(many):
    """Whoever goes on with `Older` meets each run, and comes back with `Newer`."""
    html = many.html(address(limit="1000"))
    seen = ids_of(html)
    before = html
    while 'rel="next"' in html:
        before, html = html, many.html(link_of(html, "Older"))
        seen += ids_of(html)

    assert len(seen) == len(set(seen)) == COUNT
    assert ids_of(many.html(link_of(html, "Newer"))) == ids_of(before)


def test_filter_and_order_choose_the_rows(few):
    """Runs that do not fit are left out; the rest stands as the header says."""
    html = few.html(address(filter="metrics.auc >= 0.2 AND params.model = 'forest'", order_by="metrics.auc"))

    assert names_of(html) == ["run 2", "run 3"]
    header = next(each for each in Outline(html).all("th") if each.get("aria-sort"))
    assert header["aria-sort"] == "ascending"
    assert "2 runs" in text_of(html)


def test_click_on_a_header_sorts_and_sorts_back(few):
    """The link of a header sorts by it; the next one turns it round."""
    html = few.html("/runs")

    down = few.html(link_of(html, "auc"))
    up = few.html(link_of(down, "auc"))

    assert names_of(down) == [f"run {number}" for number in (5, 4, 3, 2, 1, 0)]
    assert names_of(up) == [f"run {number}" for number in range(6)]


@pytest.mark.parametrize(
    ("text", "marked"),
    [("metrics.auc >> 1", "&gt;"), ("metrics.auc >", " "), ("metrics.auc = 'a<b'", "&#39;")],
)
def test_fault_of_a_filter_is_marked_and_the_table_stays(few, text, marked):
    """The character at which the filter is wrong is marked below the box, and the runs are still there."""
    html = few.html(address(filter=text, cursor="old"))

    assert f"<mark>{marked}</mark>" in html
    assert 'aria-invalid="true" aria-describedby="fault"' in html
    assert "Filter is wrong at" in text_of(html)
    assert len(names_of(html)) == 6


def test_fault_of_a_filter_is_no_file(few):
    """A download of a filter that cannot be read is refused: all runs would not be what was asked for."""
    with pytest.raises(InvalidInput, match="filter is wrong"):
        few.ask(address(filter="metrics.auc >>", table="runs", format="csv"))


def test_experiments_are_chosen_by_name_and_by_ids(few):
    """One by its name, several by their ids, from the address or from check boxes of one name."""
    delay, price = (few.app.experiments.find_by_name(name).experiment_id for name in ("delay", "price"))

    assert len(names_of(few.html(address(experiment="delay")))) == 3
    assert "Runs of delay" in text_of(few.html(f"/runs?experiments={delay}"))
    assert len(names_of(few.html(f"/runs?experiments={delay}&experiments={price}"))) == 6
    with pytest.raises(NotFound, match="no experiment"):
        few.ask(address(experiment="nothing"))


def test_columns_are_those_that_are_named(few):
    """Named columns stand in their order, under the kind they are of, and sort."""
    html = few.html(address(columns="params.depth,metrics.auc,duration"))

    header = html[html.index("<thead>") : html.index("</thead>")]
    assert re.findall(r">(\w+)</a></th>|>(\w+)</th>", header) == [
        ("", "Parameters"),
        ("", "Metrics"),
        ("Run", ""),
        ("depth", ""),
        ("auc", ""),
        ("", "Took"),
    ]


def test_columns_by_themselves_are_what_tells_the_runs_apart(few):
    """Without a choice the params that differ are shown, and what the table is sorted by."""
    html = few.html(address(filter="params.model = 'forest'", order_by="tags.note"))

    header = text_of(html[html.index("<thead>") : html.index("</thead>")])
    assert "depth" in header
    assert "model" not in header
    assert "note" in header


def test_numbers_stand_to_the_right(few):
    """A param that is a number in every run is aligned as one; a long row of digits is text."""
    few.app.tracking.start_run(experiment="x", params={"rate": "1e-3", "code": "1" * 6_000})

    header = few.html(address(experiment="x", columns="params.rate,params.code"))

    assert re.search(r'<th scope="col" class="num"[^>]*><a [^>]*>rate</a>', header)
    assert re.search(r'<th scope="col"><a [^>]*>code</a>', header)


def test_groups_tell_how_many_and_how_good(many):
    """Each value has its number of runs and its metric; unfolded it shows some of them and leads to all."""
    html = many.html(address(group="params.model", metric="auc"))
    anchor, fold = re.findall(r'id="g-(\w+)".*?href="([^"]+)#g-', html)[0]

    unfolded = many.html(fold.replace("&amp;", "&"))

    assert "2,100 runs in 4 groups" in text_of(html)
    assert all(f">{model}</a>" in html for model in MODELS)
    assert 'aria-expanded="true"' not in html
    assert len(names_of(unfolded)) == 10
    assert 'aria-expanded="true"' in unfolded
    alone = many.html(link_of(unfolded, "Show them all"))
    assert (
        f"{COUNT // 4:,} runs" in text_of(many.html(link_of(html, "Show them"))) or 'data-address="' in alone
    )
    assert f'id="g-{anchor}"' in unfolded


def test_groups_without_a_value_and_with_a_hostile_one(few):
    """Runs without the tag are a group of their own, and a value is text, in the filter too."""
    run_id = ids_of(few.html("/runs"))[0]
    few.app.tracking.set_tags(run_id, {"team": f"it's {HOSTILE}"})

    html = few.html(address(group="tags.team"))

    assert "6 runs in 2 groups" in text_of(html)
    assert "<script>alert" not in html
    assert "<i>no value</i>" in html
    assert ids_of(few.html(link_of(html, "Show it"))) == [run_id]
    assert len(ids_of(few.html(link_of(html, "Show them")))) == 5


def test_group_whose_value_no_filter_can_hold_is_not_unfolded(few):
    """A value that is longer than a filter may be is shown, and does not break the page."""
    few.app.tracking.set_tags(ids_of(few.html("/runs"))[0], {"team": "x" * 7_000})

    html = few.html(address(group="tags.team"))

    assert "too long for a filter" in html


def test_pinned_runs_stand_on_top_once(few):
    """Whatever the filter and the lifecycle, pinned runs come first, in their order, and not again below."""
    ids = ids_of(few.html("/runs"))
    few.app.tracking.delete_run(ids[5])

    html = few.html(address(pin=f"{ids[5]},{ids[1]},{'f' * 32}", filter="metrics.auc > 0.25"))

    assert ids_of(html) == [ids[5], ids[1], ids[0], ids[2]]
    assert text_of(html).count("pinned") == 2


def test_selection_is_part_of_the_address(few):
    """Selected runs are ticked; those on another page go with the form all the same."""
    ids = ids_of(few.html("/runs"))

    html = few.html(address(selected=f"{ids[0]},{ids[5]}", limit="2"))

    boxes = [each for each in Outline(html).all("input") if each.get("name") == "runs"]
    assert [each["value"] for each in boxes if "checked" in each] == [ids[0]]
    assert [each["value"] for each in boxes if each["type"] == "hidden"] == [ids[5]]
    assert "2 selected" in text_of(html)


def test_files_hold_all_runs_that_are_found(many):
    """CSV and JSON go on behind the page, with the columns of the page, in its order."""
    query = {
        "filter": "params.model = 'forest'",
        "order_by": "metrics.auc",
        "columns": "metrics.auc,params.depth",
    }
    html = many.html(address(**query, limit="25"))
    answer = many.ask(link_of(html, "CSV"))
    rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))

    expected = [make_run(number, COUNT) for number in range(4, COUNT + 1, 4)]
    assert answer.media_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''runs.csv"
    assert [row["run_id"] for row in rows] == [run.run_id for run in expected]
    assert [(float(row["metrics.auc"]), row["params.depth"]) for row in rows] == [
        (run.metrics["auc"], run.params["depth"]) for run in expected
    ]
    found = json.loads(many.ask(link_of(html, "JSON")).body)
    assert [row["run_id"] for row in found] == [run.run_id for run in expected]
    assert set(found[0]) == {"name", "run_id", "experiment", "metrics.auc", "params.depth"}


def test_file_of_no_run_is_empty_and_well_formed(few):
    """A filter that finds nothing gives a header without rows, and an empty list."""
    query = {"filter": "metrics.auc > 5", "columns": "metrics.auc"}

    assert (
        few.ask(address(**query, table="runs", format="csv")).body
        == b"name,run_id,experiment,metrics.auc\r\n"
    )
    assert json.loads(few.ask(address(**query, table="runs", format="json")).body) == []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd", "@SUM(A1)", "\t=1", "\r=1"])
def test_spreadsheet_takes_no_value_for_a_formula(few, text):
    """What users wrote is text in a CSV: in params, tags, and the names of runs and columns."""
    run = few.app.tracking.start_run(experiment="x", params={"a": text}, tags={"b": text})
    query = {"experiment": "x", "columns": "params.a,tags.b", "table": "runs", "format": "csv"}

    (row,) = csv.DictReader(io.StringIO(few.ask(address(**query)).body.decode(), newline=""))

    assert (row["run_id"], row["params.a"], row["tags.b"]) == (run.run_id, f"'{text}", f"'{text}")


def test_numbers_that_json_has_not_are_words(few):
    """NaN and the infinities come through a download."""
    run = few.app.tracking.start_run(experiment="x")
    few.app.tracking.log_metrics(
        run.run_id, [MetricPoint(key, value, 0, 0) for key, value in (("a", math.nan), ("b", math.inf))]
    )
    query = {"experiment": "x", "columns": "metrics.a,metrics.b,metrics.c", "table": "runs", "format": "json"}

    (row,) = json.loads(few.ask(address(**query)).body)

    assert (row["metrics.a"], row["metrics.b"], row["metrics.c"]) == ("NaN", "Infinity", None)


def test_groups_can_be_downloaded(few):
    """The table of groups has its own files."""
    query = {"group": "params.model", "metric": "auc", "table": "groups", "format": "json"}

    assert json.loads(few.ask(address(**query)).body) == [
        {"value": "forest", "runs": 4, "mean": pytest.approx(0.15), "minimum": 0.0, "maximum": 0.3},
        {"value": "tree", "runs": 2, "mean": pytest.approx(0.45), "minimum": 0.4, "maximum": 0.5},
    ]


def test_everything_a_user_wrote_is_text(few):
    """Names, keys and values with markup in them are shown, in tables, menus, links and the filter."""
    batch = RunBatch([MetricPoint(HOSTILE, 1.0, 0, 0)], {HOSTILE: HOSTILE}, {HOSTILE: HOSTILE})
    run = few.app.tracking.start_run(experiment=HOSTILE, name=HOSTILE)
    few.app.tracking.log_batch(run.run_id, batch)
    key = f"`{HOSTILE}`"
    columns = f"metrics.{key},params.{key},tags.{key}"

    pages = [
        few.html(address(experiment=HOSTILE, columns=columns, filter=f"params.{key} = '{HOSTILE}'")),
        few.html(address(filter=HOSTILE)),
        few.html(address(group=f"tags.{key}", metric=HOSTILE)),
        few.submit("/run-changes", [("change", "delete"), ("runs", run.run_id)]).body.decode(),
    ]

    for html in pages:
        assert "<script>alert" not in html
        assert [src for src in re.findall(r"<script[^>]*", html) if "/static/" not in src] == []


def test_deleted_runs_have_a_list_of_their_own(few):
    """They are gone from the table, and stand where they can be restored."""
    gone = ids_of(few.html("/runs"))[2]
    few.app.tracking.delete_run(gone)

    deleted = few.html("/runs?lifecycle=deleted")

    assert gone not in ids_of(few.html("/runs"))
    assert ids_of(deleted) == [gone]
    assert 'value="restore"' in deleted
    assert 'value="delete"' not in deleted


def test_delete_asks_first_and_may_be_repeated(few):
    """The first form says what will happen and changes nothing; confirmed it is done, also twice."""
    ids = ids_of(few.html("/runs"))[:2]
    form = [("change", "delete"), *(("runs", each) for each in ids)]

    asked = few.submit("/run-changes?limit=25&lifecycle=active", form)
    assert "Delete 2 runs" in text_of(asked.body.decode())
    assert "can restore them" in text_of(asked.body.decode())
    assert len(ids_of(few.html("/runs"))) == 6
    for _ in range(2):
        done = few.submit("/run-changes?limit=25", [*form, ("confirmed", "yes")])

        assert (done.status, done.headers["Location"]) == (303, "/runs?limit=25&changed=delete")
        assert set(ids_of(few.html("/runs"))).isdisjoint(ids)
    assert "The selected runs are deleted." in few.html(done.headers["Location"])


def test_restored_runs_are_back(few):
    """What the list of deleted runs restores stands in the table again."""
    ids = ids_of(few.html("/runs"))
    few.app.bulk_runs.delete(ids)

    form = [("change", "restore"), ("confirmed", "yes"), *(("runs", each) for each in ids)]
    done = few.submit("/run-changes?lifecycle=deleted", form)

    assert done.headers["Location"] == "/runs?lifecycle=deleted&changed=restore"
    assert ids_of(few.html("/runs")) == ids


def test_tag_is_set_on_the_selected_runs(few):
    """Key and value are asked for; the runs stay selected, so that one thing can follow another."""
    ids = ids_of(few.html("/runs"))[:3]
    form = [("change", "tag"), *(("runs", each) for each in ids)]
    assert 'name="key"' in few.submit("/run-changes", form).body.decode()

    done = few.submit("/run-changes", [*form, ("confirmed", "yes"), ("key", "stage"), ("value", "final")])

    assert done.headers["Location"] == f"/runs?selected={','.join(ids)}&changed=tag"
    assert ids_of(few.html(address(filter="tags.stage = 'final'"))) == ids


def test_pinning_leads_back_to_the_view(few):
    """Pin and unpin need no confirmation: they change the address and nothing else."""
    first, second, *_ = ids_of(few.html("/runs"))

    pinned = few.submit(f"/run-changes?pin={first}", [("change", "pin"), ("runs", second)])
    unpinned = few.submit(f"/run-changes?pin={first},{second}", [("change", "unpin"), ("runs", first)])

    assert pinned.headers["Location"] == f"/runs?pin={first},{second}&selected={second}"
    assert unpinned.headers["Location"] == f"/runs?pin={second}&selected={first}"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ([("change", "delete")], InvalidInput),
        ([("change", "purge"), ("runs", "a")], InvalidInput),
        ([("change", "delete"), ("runs", "a b")], InvalidInput),
        ([("change", "delete"), ("runs", "f" * 32), ("confirmed", "yes")], NotFound),
        ([("change", "tag"), ("runs", "f" * 32), ("confirmed", "yes")], InvalidInput),
        ([("change", "delete"), *(("runs", f"r{number}") for number in range(101))], InvalidInput),
        ([("change", "delete"), ("change", "tag"), ("runs", "a")], RequestRefused),
    ],
)
def test_form_that_means_nothing_is_refused(few, form, error):
    """Without a run, with one that is not there, with too many, or with an unknown change nothing is done."""
    with pytest.raises(error):
        few.submit("/run-changes", form)

    assert len(ids_of(few.html("/runs"))) == 6


def test_way_back_never_leaves_this_site(few):
    """However the address of the form is written, the browser is sent to the run table."""
    run_id = ids_of(few.html("/runs"))[0]

    for query in ("filter=//evil.test", "experiment=%0d%0aLocation:x", "metric=%5cevil"):
        done = few.submit(f"/run-changes?{query}", [("change", "pin"), ("runs", run_id)])

        assert re.fullmatch(r"/runs\?[^\s\\]*", done.headers["Location"])


def test_cursor_of_another_view_is_refused(many):
    """A cursor is good for the filter and order it was given with."""
    older = link_of(many.html(address(order_by="metrics.auc")), "Next")

    with pytest.raises(InvalidInput, match="cursor"):
        many.ask(f"{older}&filter={quote('metrics.auc > 0')}")


def test_empty_results_say_how_to_go_on(few):
    """Nothing found and nothing deleted are different things to a reader."""
    assert "No run fits this filter." in text_of(few.html(address(filter="metrics.auc > 5")))
    assert "No run is deleted here." in text_of(few.html("/runs?lifecycle=deleted"))
    assert "No run fits, so there is no group." in text_of(
        few.html(address(group="status", filter="metrics.auc > 5"))
    )


def test_new_store_says_how_a_run_comes_into_being(empty):
    """Without any run there is no table and nothing to select, but the command that makes one."""
    html = empty.html("/runs")

    assert "No run here yet." in text_of(html)
    assert "paddock.run(" in html
    assert 'class="actions"' not in html
