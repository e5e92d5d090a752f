"""Pages of lists that are in memory as a whole."""

from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from paddock.web.page import Paging
from paddock.wire import Call

T = TypeVar("T")

PAGE: Mapping[str, str] = {"page": "number of the page, from 1"}
ROWS = 50


def take_page(rows: Sequence[T], call: Call, size: int = ROWS) -> tuple[Sequence[T], Paging]:
    """Return the rows of the page that is asked for, and where it stands in the list."""
    number = call.whole("page", 1, low=1, high=1_000_000)
    start = (number - 1) * size
    taken = rows[start : start + size]
    if number == 1 and len(rows) <= size:
        return taken, Paging()
    words = f"{start + 1:,} to {start + len(taken):,} of {len(rows):,}" if taken else f"none of {len(rows):,}"
    newer = _address(call, number - 1) if number > 1 else ""
    older = _address(call, number + 1) if start + size < len(rows) else ""
    return taken, Paging(words, newer, older)


def _address(call: Call, number: int) -> str:
    kept = {name: value for name, value in call.query.items() if name not in ("page", "table", "format")}
    return f"?{urlencode({**kept, 'page': number})}"
