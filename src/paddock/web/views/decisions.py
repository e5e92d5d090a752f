"""`/decisions`: what the system did by itself, when, and on what evidence."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from paddock.kernel.errors import InvalidInput
from paddock.web.formats import path_of
from paddock.web.page import Crumb, Page, tables_of
from paddock.web.tables import Column, Table, moment, status, text
from paddock.web.views import shared
from paddock.web.views.paging import take_page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from paddock.app import App
    from paddock.automation import Decision
    from paddock.wire import Call

MOST_DECISIONS = 5000
PAGE_ROWS = 40


@dataclass(frozen=True, slots=True)
class Month:
    title: str
    decisions: tuple[Decision, ...]


def show(app: App, call: Call) -> Page:
    """Return the decisions, the newest first, by month."""
    endpoint, kind = call.text("endpoint"), call.text("kind")
    if kind and kind not in shared.DECISION_KINDS:
        raise InvalidInput(f"`{kind[:40]}` is no kind of decision")
    found = app.automation.list_decisions(endpoint=endpoint, limit=MOST_DECISIONS)
    wanted = [each for each in found if kind in ("", each.kind)]
    taken, paging = take_page(wanted, call, PAGE_ROWS)
    return Page(
        "decisions.html",
        "Decisions",
        "decisions",
        crumbs=(Crumb("Decisions"),),
        context={
            "months": by_month(taken),
            "paging": paging,
            "endpoint": endpoint,
            "kind": kind,
            "kinds": shared.DECISION_KINDS,
            "endpoints": [each.name for each in app.endpoints.list_endpoints()],
            "models": shared.models_in(app),
            "evidence_of": shared.evidence_of,
        },
        tables=tables_of(decisions_table(taken, app.clock.now())),
    )


def by_month(decisions: Sequence[Decision]) -> tuple[Month, ...]:
    """Return decisions, newest first, under the months in which they were made."""
    return tuple(
        Month(title, tuple(group)) for title, group in groupby(decisions, lambda each: f"{each.at:%B %Y}")
    )


def decisions_table(decisions: Sequence[Decision], now: datetime) -> Table:
    """Return decisions as a table, evidence and all."""
    return Table(
        "decisions",
        "Decisions, newest first",
        (
            Column("at", "When"),
            Column("kind", "Kind"),
            Column("endpoint", "Endpoint"),
            Column("candidate", "Candidate"),
            Column("words", "In words", prose=True),
            Column("evidence", "Evidence"),
        ),
        tuple(
            (
                moment(each.at, now),
                status(*shared.DECISION_KINDS[each.kind], value=each.kind),
                text(each.endpoint),
                text(
                    f"{each.model}@{each.candidate}" if each.candidate else "",
                    href=path_of("models", each.model, each.candidate) if each.candidate else "",
                ),
                text(each.words),
                text("; ".join(f"{name} {value}" for name, value, _ in shared.evidence_of(each))),
            )
            for each in decisions
        ),
    )
