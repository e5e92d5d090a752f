"""Is a model all right: one word and one sentence from what its monitors and endpoints say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from paddock.monitoring import MonitorSummary, OpenAlarm, WindowReport

Kind = Literal["bad", "watch", "unknown", "good"]

WORST_FIRST: tuple[Kind, ...] = ("bad", "watch", "unknown", "good")
KIND_WORDS = {"good": "good", "watch": "watch", "bad": "bad", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class Health:
    """kind: with its own word, shape and colour; words: why."""

    kind: Kind
    words: str

    @property
    def rank(self) -> int:
        return WORST_FIRST.index(self.kind)


def judge_model(
    champion: int, endpoints: Sequence[str], monitors: Sequence[MonitorSummary], alarms: Sequence[OpenAlarm]
) -> Health:
    """Return the health of a model.

    A quality alarm is bad, any other alarm is to be watched. A model nobody can vouch for (no
    champion, no endpoint, no monitor, nothing measured) is unknown, never good.
    """
    lost = [alarm for alarm in alarms if alarm.kind == "quality"]
    if lost:
        return Health("bad", "Live quality is below its bound")
    if alarms:
        return Health("watch", "The predictions have moved")
    if not champion:
        return Health("unknown", "No champion yet")
    if not endpoints:
        return Health("unknown", "No endpoint serves it")
    if not monitors:
        return Health("unknown", "No monitor watches it")
    if all(summary.latest.state == "too_few_rows" for summary in monitors):
        return Health("unknown", "Too few rows to judge")
    return Health("good", "No alarm stands")


def judge_window(report: WindowReport) -> Health:
    """Return the health of one window."""
    if any(alarm.kind == "quality" for alarm in report.alarms):
        return Health("bad", "quality alarm")
    if report.alarms:
        return Health("watch", "drift alarm")
    if report.state == "too_few_rows":
        return Health("unknown", "too few rows")
    if report.state == "no_labels":
        return Health("unknown", "no labels yet")
    return Health("good", "ok")
