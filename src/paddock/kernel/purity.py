"""Whether a result may be kept and given again: the work itself says when not.

Whoever keeps results watches the work; a call anywhere below it that reads what moves, or that writes, says
so. Only that call knows. Where nobody watches, nothing happens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class PurityWatch:
    """The work in one block of `watch_purity`.

    outer: the watch this one stands in, which hears all that this one hears. impurity: why the result must
    not be kept, the first reason told; empty while there is none.
    """

    outer: "PurityWatch | None" = None
    impurity: str = ""

    def hear(self, reason: str) -> None:
        self.impurity = self.impurity or reason
        if self.outer is not None:
            self.outer.hear(reason)


@contextmanager
def watch_purity() -> Iterator[PurityWatch]:
    """Hear what `note_impure` says in this context, and in threads that have none, until the block ends.

    >>> with watch_purity() as watch:
    ...     note_impure("it wrote")
    ...     note_impure("it asked")
    >>> watch.impurity
    'it wrote'
    """
    watch = PurityWatch(_current.get())
    _open.add(watch)
    token = _current.set(watch)
    try:
        yield watch
    finally:
        _current.reset(token)
        _open.discard(watch)


def note_impure(reason: str) -> None:
    """Say that the result of the work under way must not be kept. reason: a clause about `it`, for people.

    A thread that the work started does not say whose it is, so from there every open watch hears it: work
    beside it that is not kept is only done again.
    """
    watch = _current.get()
    for each in {watch} if watch is not None else _open.copy():
        each.hear(reason)


_current: ContextVar[PurityWatch | None] = ContextVar("purity_watch", default=None)
_open: set[PurityWatch] = set()  # without a lock, which a forked child could find held for ever
