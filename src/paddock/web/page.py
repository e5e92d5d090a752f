"""A page as a value: what a view makes and the answer is rendered from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from paddock.web.tables import Table

NAVIGATION: tuple[tuple[str, str, str], ...] = (
    ("overview", "Overview", "/"),
    ("models", "Models", "/models"),
    ("endpoints", "Endpoints", "/endpoints"),
    ("monitors", "Monitors", "/monitors"),
    ("decisions", "Decisions", "/decisions"),
    ("runs", "Runs", "/runs"),
    ("datasets", "Datasets", "/datasets"),
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

    tables: by the name under which they are downloaded.
    """

    template: str
    title: str
    section: str
    crumbs: tuple[Crumb, ...] = ()
    context: Mapping[str, object] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    status: int = 200
    has_charts: bool = False


def tables_of(*tables: Table) -> Mapping[str, Table]:
    """Return the tables by name."""
    return {table.name: table for table in tables}
