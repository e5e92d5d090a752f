"""What every page keeps to, and what each one says."""

import re

import page_store
import pytest
from page_asking import Outline, Pages, text_of

from paddock.kernel.errors import InvalidInput, NotFound
from paddock.web import answer_error
from paddock.wire import describe_problem

LISTS = ("/", "/models", "/endpoints", "/monitors", "/decisions", "/runs", "/datasets", "/search?q=delay")
DETAILS = (
    *("/models/delay", "/models/delay/2", "/models/delay/champion", "/models/churn/1", "/endpoints/delay"),
    *(
        "/monitors/delay-weekly",
        "/monitors/delay-monthly?windows=30",
        "/datasets/flights",
        "/datasets/flights@1",
    ),
)
MOST_BYTES = 100 * 1024


@pytest.mark.parametrize("address", [*LISTS, *DETAILS])
def test_page_keeps_the_rules_of_all_pages(full, address):
    """Small, with landmarks, named tables and scoped headers; no inline script, nothing of another site."""
    html = full.html(address)

    outline = Outline(html)
    assert len(html.encode()) <= MOST_BYTES
    assert [len(outline.all(tag)) for tag in ("main", "header", "h1")] == [1, 1, 1]
    assert {link["class"] for link in outline.all("a") if link.get("href") == "#content"} == {"skip"}
    assert all(header.get("scope") in ("col", "colgroup", "row") for header in outline.all("th"))
    assert all(table.get("aria-label") for table in outline.all("table"))
    assert "Days and times are in UTC." in html
    assert all(script.get("src", "").startswith("/static/") for script in outline.all("script"))
    assert "</script>" not in re.sub(r"<script[^>]*></script>", "", html)
    assert not [name for _, attributes in outline.tags for name in attributes if name.startswith("on")]
    sources = re.findall(r'(?:src|href|action)="([^"]*)"', html)
    assert [source for source in sources if not re.match(r"[/?#](?!/)", source)] == []


def test_every_link_leads_somewhere(full):
    """Whoever follows any link of any page arrives at a page, a file or the API.

    Of the run table's views, of which each leads to all others, one of each kind is opened.
    """
    seen, kinds, waiting = set(), set(), ["/"]
    while waiting:
        address = waiting.pop()
        kind = re.sub(r"=[^&]*", "", address) if address.startswith("/runs?") else address
        if kind in kinds or address.startswith("/api/v1/"):
            continue
        kinds.add(kind)
        seen.add(address)
        answer = full.ask(address)
        assert answer.status == 200, (address, text_of(answer.body.decode())[:300])
        if answer.media_type.startswith("text/html"):
            path = address.partition("?")[0]
            found = {link.partition("#")[0] for link in Outline(answer.body.decode()).links()}
            waiting += [path + link if link.startswith("?") else link for link in found if link]
    assert len(seen) > 60
    assert any(address.startswith("/reports/") for address in seen)


@pytest.mark.parametrize("address", [address for address in LISTS if address != "/search?q=delay"])
def test_empty_page_says_what_would_be_here(empty, address):
    """Without any data a page names what would stand here and the command that makes it appear."""
    html = empty.html(address)

    assert 'class="empty"' in html
    assert "<code>" in html


def test_overview_puts_the_worst_first(full):
    """Unknown models stand before good ones, each with its champion, quality and traffic."""
    html = full.html("/")

    words = text_of(html)
    assert html.index('href="/models/churn"') < html.index('href="/models/delay"')
    assert "No champion yet" in words
    assert re.search(r"AUC 0\.7\d\d \(0\.\d{3} to 0\.\d{3}\)", words)
    assert re.search(r"v3 75% v5 25%", words)


def test_model_page_tells_since_when_and_why(full):
    """The champion, the reason it was promoted for, and the whole history of the alias."""
    words = text_of(full.html("/models/delay"))

    assert "delay@3 is champion since 5 Aug 2026" in words
    assert "Not worse on live labels: AUC 0.731 on 412 of its rows" in words
    assert "delay@5 is challenger since" in words


def test_version_page_draws_the_intervals_and_says_what_was_not_measured(full):
    """A refused version shows its gates with intervals, its slices, and what the rows could not tell."""
    html = full.html("/models/delay/2")

    words = text_of(html)
    assert "Refused by its gates" in words
    assert html.count('class="spans"') >= 10
    assert "What these rows cannot tell" in words
    assert "slices, with" in words
    assert "answered as recorded" in words
    assert "AUC better than the champion by more than 0" in words


def test_version_that_was_not_measured_is_not_called_good(full):
    """A gate without its measurement shows as not measured, and differing golden requests with the cause."""
    words = text_of(full.html("/models/churn/1"))

    assert "not measured" in words
    assert "answered differently" in words
    assert "columns are swapped: a and b" in words


def test_monitor_page_lists_windows_without_labels_as_such(full):
    """A window whose labels have not come shows no quality and is not called ok."""
    table = full.ask("/monitors/delay-weekly?table=windows&format=json").body

    assert b'"state": "no_labels"' in table
    assert b'"state": "alarm"' in table


def test_decisions_can_be_read_and_filtered(full):
    """Each decision is a sentence with its evidence; a filter is part of the address."""
    words = text_of(full.html("/decisions"))
    only = text_of(full.html("/decisions?kind=candidate_rolled_back&endpoint=delay"))

    assert "Kept delay@1. " in words
    assert "Took delay@4 back; delay@3 answers everything again." in words
    assert "predictions answered 231" in words
    assert "Took delay@4 back" in only
    assert "Kept delay@1." not in only


def test_endpoint_page_shows_the_rollout_in_progress(full):
    """The split, the stage of the open rollout and its evidence."""
    html = full.html("/endpoints/delay")

    assert "delay@3 answers 75%, delay@5 answers 25%" in text_of(html)
    assert re.search(r'aria-current="step">canary', html)
    assert "Rollout in progress" in html


def test_run_page_shows_what_was_run(full):
    """Parameters, metrics with history, inputs, the uncommitted change and files."""
    runs = Outline(full.html("/runs?experiment=delay")).links()
    run = next(link for link in sorted(runs) if link.startswith("/runs/"))

    html = full.html(run)

    words = text_of(html)
    assert "auc" in words
    assert "flights@1" in words
    assert "+depth = 6" in words
    assert "40 points of auc" in html
    assert f'href="/api/v1{run}/artifacts/plots/roc.txt"' in html


def test_runs_go_on_behind_the_cursor(full):
    """The second page begins where the first one ended and keeps the filter."""
    first = Outline(full.html("/runs?experiment=delay&limit=6"))
    older = next(link for link in first.links() if "cursor=" in link)

    second = Outline(full.html(older))

    runs = [{link for link in page.links() if link.startswith("/runs/")} for page in (first, second)]
    assert [len(each) for each in runs] == [6, 4]
    assert runs[0].isdisjoint(runs[1])


def test_dataset_page_has_a_picture_for_every_column(full):
    """Schema, profile and what changed since the version before."""
    html = full.html("/datasets/flights@2")

    assert html.count('class="bars"') == 5
    assert "2,000 rows more" in text_of(html)


def test_search_finds_by_name_version_and_id(full):
    """A part of a name, a version and an id of a run lead to their pages."""
    run = full.app.tracking.search_runs(limit=1).runs[0]

    assert "/monitors/delay-weekly" in Outline(full.html("/search?q=WEEK")).links()
    assert "/models/delay/7" in Outline(full.html("/search?q=delay@7")).links()
    assert f"/runs/{run.run_id}" in Outline(full.html(f"/search?q={run.run_id}")).links()
    assert "Nothing is called" in full.html("/search?q=zzz")


def test_what_users_wrote_is_text(full):
    """A script in a tag of a run is shown, not run."""
    run = full.app.tracking.search_runs(limit=1).runs[0]

    html = full.html(f"/runs/{run.run_id}")

    assert page_store.HOSTILE not in html
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in html


def test_search_shows_what_was_searched_as_text(full):
    """The words of a search come back escaped."""
    html = full.html("/search?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")

    assert "<img" not in html
    assert "&lt;img" in html


def test_missing_thing_names_the_nearest(full):
    """What, why and what now: the name that was meant."""
    with pytest.raises(NotFound, match="there is no model `dela`") as caught:
        full.ask("/models/dela")

    assert "did you mean `delay`" in caught.value.hint


def test_wrong_view_is_refused_with_the_choices(full):
    """A number of windows that is not offered is named, with those that are."""
    with pytest.raises(InvalidInput, match="30, 60, 120, 365"):
        full.ask("/monitors/delay-weekly?windows=7")


def test_any_problem_can_be_shown_as_a_page(full):
    """The server can show problems of its own, such as a wrong address, in the same way."""
    problem = describe_problem(InvalidInput("a <b> problem", problems=("first", "second")), "r1")

    answer = answer_error(problem, now=full.app.clock.now())

    assert answer.status == 422
    assert "A &lt;b&gt; problem" in answer.body.decode()
    assert "second" in answer.body.decode()


def test_pages_stay_small_with_far_too_much(tmp_path):
    """Long lists are paged and wide charts cut, so that no page outgrows its bound."""
    page_store.fill_with_far_too_much(tmp_path, runs=104, windows=62, columns=64)
    app, _ = page_store.open_page_app(tmp_path, at=page_store.START)
    pages = Pages(app)

    sizes = {
        address: len(pages.html(address).encode())
        for address in (
            *("/", "/runs", "/models", "/models/many-versions", "/datasets/wide", "/datasets/wide?page=2"),
            *("/monitors/wide?windows=365", "/models/many-versions?page=3"),
        )
    }
    figure = pages.ask("/monitors/wide/figure?windows=365").body
    app.close()

    assert {address: size for address, size in sizes.items() if size > MOST_BYTES} == {}
    assert len(figure) < 500_000
