"""`/run-changes`: the selected runs are tagged, deleted, restored, or put on top of the table.

A form says what is wanted. What changes the store is shown first, with the runs it is about, and done when
it is confirmed; done twice it is done once. Then the browser is sent back to the view it came from.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from paddock.kernel.errors import InvalidInput
from paddock.web.answering import answer_page
from paddock.web.page import Crumb, Page
from paddock.web.views.run_question import find_runs
from paddock.web.views.run_view import (
    MOST_PINNED,
    MOST_SELECTED,
    RunView,
    address_of,
    format_view,
    parse_view,
)
from paddock.wire import Answer
from paddock.wire.structs import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paddock.app import App
    from paddock.tracking import Run
    from paddock.wire import Call, Handler

Change = Literal["pin", "unpin", "tag", "delete", "restore"]


class ChangeForm(Request, frozen=True, kw_only=True):
    """What the form of the run table says. key, value: of a tag; confirmed: empty until it is."""

    change: Change
    runs: tuple[str, ...] = ()
    key: str = ""
    value: str = ""
    confirmed: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """What is asked before a change. title: with the number of runs; says: what will happen."""

    title: str
    says: str
    button: str


_WORDS: Mapping[Change, Words] = {
    "tag": Words(
        "Set a tag on {}", "A tag of that key that a run has already is overwritten.", "Set the tag"
    ),
    "delete": Words(
        "Delete {}",
        "They leave every list and count. What was logged to them stays, and the list of deleted runs can"
        " restore them.",
        "Delete {}",
    ),
    "restore": Words("Restore {}", "They stand in lists and counts again.", "Restore {}"),
}


def bind(app: App) -> Handler:
    """Return the handler of the form, in the caller's name."""

    @functools.wraps(change_runs)
    def act(call: Call) -> Answer:
        return change_runs(app.acting_as(call.actor), call)

    return act


def change_runs(app: App, call: Call) -> Answer:
    """Answer with the way back to the view when it is done, else with the page that asks."""
    form, view = call.read(ChangeForm), parse_view(call.query)
    chosen = _read_selection(form)
    if form.change in ("pin", "unpin"):
        return _go(replace(change_pins(view, form.change, chosen), selected=chosen))
    if not form.confirmed:
        return _ask(app, call, form, view, chosen)
    match form.change:
        case "tag":
            app.bulk_runs.set_tags(chosen, {form.key: form.value}, key=call.key)
        case "delete":
            app.bulk_runs.delete(chosen, key=call.key)
        case "restore":
            app.bulk_runs.restore(chosen, key=call.key)
    return _go(replace(view, selected=chosen if form.change == "tag" else ()), changed=form.change)


def change_pins(view: RunView, change: Change, chosen: tuple[str, ...]) -> RunView:
    """Return the view with these runs on top, or not any more.

    >>> change_pins(RunView(pins=("a",)), "pin", ("b", "a")).pins
    ('a', 'b')
    """
    if change == "unpin":
        return replace(view, pins=tuple(each for each in view.pins if each not in chosen))
    pins = tuple(dict.fromkeys((*view.pins, *chosen)))
    if len(pins) > MOST_PINNED:
        raise InvalidInput(f"{len(pins)} runs would be pinned, and at most {MOST_PINNED} can be")
    return replace(view, pins=pins)


def _read_selection(form: ChangeForm) -> tuple[str, ...]:
    if not form.runs:
        raise InvalidInput("no run is selected", hint="go back and tick the runs that are meant")
    if len(set(form.runs)) > MOST_SELECTED:
        raise InvalidInput(f"{len(set(form.runs)):,} runs are selected, and at most {MOST_SELECTED} can be")
    # ids have the same rules wherever they stand
    return parse_view({"selected": ",".join(form.runs)}).selected


def _go(view: RunView, *, changed: str = "") -> Answer:
    query = format_view(view)
    target = "&".join(part for part in (query, f"changed={changed}" if changed else "") if part)
    headers = {"Location": f"/runs?{target}" if target else "/runs"}
    return Answer(b"", 303, "text/plain; charset=utf-8", headers)


def _ask(app: App, call: Call, form: ChangeForm, view: RunView, chosen: Sequence[str]) -> Answer:
    runs = find_runs(app, chosen)
    return answer_page(_page(form, view, runs), call, app.clock.now())


def _page(form: ChangeForm, view: RunView, runs: Sequence[Run]) -> Page:
    words, count = _WORDS[form.change], "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    title = words.title.format(count)
    return Page(
        "run_changes.html",
        title,
        "runs",
        crumbs=(Crumb("Runs", "/runs"), Crumb(title)),
        context={
            "change": form.change,
            "says": words.says,
            "button": words.button.format(count),
            "runs": runs,
            "action": f"/run-changes?{format_view(view)}",
            "back": address_of(replace(view, selected=tuple(str(run.run_id) for run in runs))),
        },
    )
