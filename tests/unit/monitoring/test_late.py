"""Which windows late rows and labels reopen: values in, windows out."""

from datetime import UTC, datetime, timedelta

import pytest

from paddock.evaluation import Measured
from paddock.kernel.digest import Digest
from paddock.monitoring import LATE_FOR, Counts, LabelSpec, MonitorSpec, VersionRows, Window, WindowReport
from paddock.monitoring.late import find_late, is_next_day, is_settled
from paddock.monitoring.records import Decision, Findings, WindowFacts

SPEC = MonitorSpec(endpoint="delay", labels=LabelSpec("late", "7d"), alarm_windows="2 of 3")
APRIL = datetime(2013, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DUE = 8 * DAY  # when the labels of the first window are due


def window(number: int) -> Window:
    return Window(APRIL + number * DAY, APRIL + (number + 1) * DAY)


def report(
    number: int = 0, *, judged: timedelta = DUE, version: int = 3, rows: int = 10, labels: int = 5
) -> WindowReport:
    versions = (VersionRows(version, rows),) if rows else ()
    facts = WindowFacts(rows, versions, rows, labels, labels, None, (), Measured("roc_auc", labels), 0.7)
    return WindowReport(
        monitor="delay",
        endpoint="delay",
        window=window(number),
        revision=1,
        facts=facts,
        findings=Findings(window(number), version, False, False, False, False),
        decision=Decision("ok", "fine"),
        profile_digest=Digest(""),
        principal="loop",
        created_at=APRIL + judged,
    )


@pytest.mark.parametrize(
    ("reported", "spec", "now", "settled"),
    [
        (report(), SPEC, DUE, True),
        (report(judged=DUE - timedelta(seconds=1)), SPEC, 9 * DAY, False),
        (report(), SPEC, DUE + LATE_FOR, True),
        (report(), SPEC, DUE + LATE_FOR + timedelta(seconds=1), False),
        (report(version=2), SPEC, 9 * DAY, False),
        (report(rows=0), SPEC, 9 * DAY, True),
        (report(judged=DAY), MonitorSpec(endpoint="delay"), 2 * DAY, True),
    ],
    ids=["just due", "not due yet", "last moment", "too old", "former champion", "without rows", "no labels"],
)
def test_settled_is_what_was_judged_when_its_labels_were_due(
    reported: WindowReport, spec: MonitorSpec, now: timedelta, settled: bool
):
    """For 30 days after that, and while the version that answered most of it is champion."""
    assert is_settled(reported, spec, 3, APRIL + now) is settled


@pytest.mark.parametrize(
    ("counts", "late"),
    [
        (Counts(10, 5), ()),
        (Counts(10, 6), (window(0),)),
        (Counts(11, 5), (window(0),)),
        (Counts(9, 4), ()),
    ],
    ids=["as before", "a label more", "a row more", "fewer"],
)
def test_window_that_has_grown_is_judged_again(counts: Counts, late: tuple[Window, ...]):
    """One more row or label than the report knows is enough; without any there is nothing to judge."""
    assert find_late([report()], {window(0): counts}, SPEC, APRIL + 9 * DAY) == late


def test_window_is_judged_again_once_a_day():
    """One that was judged today waits until tomorrow, whatever came since; a day begins at midnight UTC."""
    counts = {window(0): Counts(20, 20)}
    late_in_the_day = report(judged=DUE + timedelta(hours=22))

    assert find_late([late_in_the_day], counts, SPEC, APRIL + DUE + timedelta(hours=23)) == ()
    assert find_late([late_in_the_day], counts, SPEC, APRIL + DUE + timedelta(hours=24)) == (window(0),)


def test_labels_do_not_count_where_none_are_declared():
    """A monitor of drift alone is not moved by labels."""
    spec = MonitorSpec(endpoint="delay")

    assert find_late([report(labels=0)], {window(0): Counts(10, 10)}, spec, APRIL + 9 * DAY) == ()


def test_windows_that_look_back_at_it_are_judged_with_it():
    """`2 of 3`: the two windows after one that has grown may alarm because of it, the third cannot."""
    reports = [report(number, judged=number * DAY + DUE) for number in (5, 3, 1, 4, 2, 0)]
    counts = {window(number): Counts(10, 9 if number == 1 else 5) for number in range(6)}

    found = find_late(reports, counts, SPEC, APRIL + 20 * DAY)

    assert found == (window(1), window(2), window(3))


def test_day_is_a_day_in_utc():
    """Midnight elsewhere is not midnight."""
    zone = datetime.fromisoformat("2013-04-02T01:00:00+02:00")

    assert not is_next_day(APRIL, zone)
    assert is_next_day(APRIL, zone + timedelta(hours=1))
