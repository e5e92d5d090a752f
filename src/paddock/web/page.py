"""A page as a value: what a view makes and the answer is rendered from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from paddock.web.tables import Table
from paddock.wire import AnyAnswer

# section, title, address, and the letter that leads there after `g`
NAVIGATION: tuple[tuple[str, str, str, str], ...] = (
    ("overview", "Overview", "/", "o"),
    ("models", "Models", "/models", "m"),
    ("endpoints", "Endpoints", "/endpoints", "e"),
    ("monitors", "Monitors", "/monitors", "w"),
    ("decisions", "Decisions", "/decisions", "d"),
    ("runs", "Runs", "/runs", "r"),
    ("datasets", "Datasets", "/datasets", "s"),
)


@dataclass(frozen=True, slots=True)
class Crumb:
    title: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Paging:
    """Where a reader stands in a long list. words: `51 to 100 of 300`; links are empty at the ends."""

    words: str = ""
    newer: str = ""
    older: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page. section: its place in the navigation; context: what its own template asks for.

    tables: by the name under which they are downloaded. files: makes of a format, `csv` or `json`, what is
    downloaded in place of the table of that name, where a page shows a part of it only.
    """

    template: str
    title: str
    section: str
    crumbs: tuple[Crumb, ...] = ()
    context: Mapping[str, object] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    files: Mapping[str, Callable[[str], AnyAnswer]] = field(default_factory=dict)
    status: int = 200
    has_charts: bool = False


def tables_of(*tables: Table) -> Mapping[str, Table]:
    """Return the tables by name."""
    return {table.name: table for table in tables}
