"""Which names are allowed, and the nearest known one for a wrong one."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from paddock.kernel.errors import InvalidInput
from paddock.kernel.wording import with_article

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def check_name(kind: str, name: str) -> str:
    """Return `name` if it may name a `kind` (such as "model"), else raise InvalidInput.

    Letters, digits, `.`, `_` and `-`, at most 128 of them, the first a letter or a digit.

    >>> check_name("model", "delay-2013")
    'delay-2013'
    """
    if _NAME.fullmatch(name):
        return name
    raise InvalidInput(
        f"`{name[:80]}` cannot name {with_article(kind)}; use letters, digits, `.`, `_` and `-`, "
        "at most 128, starting with a letter or a digit"
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name closest to `name`, or an empty string.

    >>> nearest("chanpion", ["champion", "challenger"])
    'champion'
    """
    matches = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else ""
