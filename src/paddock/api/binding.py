"""Handlers in the caller's name, and pages of lists."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from paddock.app import App
from paddock.kernel.errors import InvalidInput
from paddock.wire import AnyAnswer, Call, Handler

T = TypeVar("T")

PAGE: Mapping[str, str] = {
    "limit": "rows of a page, 1 to 1000, by default 100",
    "cursor": "`next_cursor` of the page before",
}


def bind(app: App, handler: Callable[[App, Call], AnyAnswer]) -> Handler:
    """Return `handler` with the app bound to whoever calls."""

    @functools.wraps(handler)
    def act(call: Call) -> AnyAnswer:
        return handler(app.acting_as(call.actor), call)

    return act


def take_page(rows: Sequence[T], call: Call, name_of: Callable[[T], str]) -> tuple[Sequence[T], str]:
    """Return the rows of the asked page and the cursor of the next one, which is empty on the last.

    rows: all of them, in a lasting order; name_of: what tells one row from all others.
    """
    start = 0
    cursor = call.text("cursor")
    if cursor:
        places = [index for index, row in enumerate(rows) if name_of(row) == cursor]
        if not places:
            raise InvalidInput(f"`{cursor[:60]}` is no cursor of this list", hint="start again without one")
        start = places[0] + 1
    page = rows[start : start + call.limit()]
    has_more = start + len(page) < len(rows)
    return page, name_of(page[-1]) if has_more else ""
