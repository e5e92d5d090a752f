"""What a monitor declares and what it says about a window; values only."""

from datetime import datetime
from typing import Literal

import msgspec

from paddock.evaluation import Measured
from paddock.kernel.digest import Digest

WindowState = Literal["ok", "alarm", "too_few_rows", "no_labels"]
AlarmKind = Literal["quality", "drift"]
WindowUnit = Literal["hour", "day", "month"]

PREDICTION = "prediction"
LABEL = "label"
VERSION = "version"
EVENT_TIME = "event_time"


class LabelSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where labels come from, and how long after its event a row may be expected to have one."""

    column: str
    delay: str = "0d"


class MonitorSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[monitor.NAME]` of paddock.toml.

    window: `1h`, `1d`, `7d` or, for calendar months, `1mo`. labels: None for an endpoint that never
    gets any. tolerance: how far the metric may fall below the release before it counts as a loss.
    alarm_windows: `K of N`; an alarm stands when K of the last N windows are worse than allowed.
    false_alarms_per_month: the drift alarms, in expectation, that windows without drift may raise in a
    month; see `rules.drift_quantile`. Quality has no such figure: a window counts as a loss when the
    95 % interval lies wholly beyond the tolerance, which without a loss comes at most once in 40
    windows, and K of N makes it rarer still.
    """

    endpoint: str
    window: str = "1d"
    labels: LabelSpec | None = None
    min_rows: int = 200
    min_labels: int = 200
    tolerance: float = 0.02
    alarm_windows: str = "2 of 3"
    metric: str = "roc_auc"
    false_alarms_per_month: float = 1.0


class WindowSize(msgspec.Struct, frozen=True):
    """`count` hours, days or calendar months."""

    count: int
    unit: WindowUnit


class Window(msgspec.Struct, frozen=True, order=True):
    """From `start` up to but not including `end`, both aware and in UTC."""

    start: datetime
    end: datetime


class FeatureDrift(msgspec.Struct, frozen=True):
    """How far one column has moved from the reference.

    psi: in nats; threshold: the PSI that chance alone passes once in 200 windows of this size (the
    prediction: as often as the monitor's budget of false alarms allows), or the largest of any stretch
    of the reference, if that is more.
    new, vanished: categories by name, at most 20 each.
    """

    name: str
    psi: float
    threshold: float
    missing_ratio: float = 0.0
    new: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()


class VersionRows(msgspec.Struct, frozen=True):
    """How many rows of a window a model version answered."""

    version: int
    rows: int


class WindowFacts(msgspec.Struct, frozen=True):
    """What was measured in a window, before anything is decided about it.

    versions: most rows first. label_count: rows that have a label; due_count: rows old enough to
    have one; due_label_count: those of them that have one. prediction: None when there are no rows.
    quality: of the labelled rows, on the metric of the spec; reference_quality: the same at release.
    """

    rows: int
    versions: tuple[VersionRows, ...]
    due_count: int
    due_label_count: int
    label_count: int
    prediction: FeatureDrift | None
    features: tuple[FeatureDrift, ...]
    quality: Measured
    reference_quality: float

    @property
    def main_version(self) -> int:
        """The model version that answered the most rows, 0 without rows."""
        return self.versions[0].version if self.versions else 0

    @property
    def label_coverage(self) -> float:
        """Share of the rows old enough to have a label that have one, 0 when none is old enough."""
        return self.due_label_count / self.due_count if self.due_count else 0.0


class Findings(msgspec.Struct, frozen=True):
    """What one window alone says: which questions it could answer, and which answer was bad.

    A question that could not be answered (too few rows or labels) is never a breach.
    """

    window: Window
    main_version: int
    has_quality: bool
    has_drift: bool
    quality_breach: bool
    drift_breach: bool


class Alarm(msgspec.Struct, frozen=True):
    """`quality`: measured on labels; `drift`: the predictions have moved."""

    kind: AlarmKind
    words: str


class Decision(msgspec.Struct, frozen=True):
    """What is made of a window beside the ones before it."""

    state: WindowState
    words: str
    alarms: tuple[Alarm, ...] = ()


class WindowReport(msgspec.Struct, frozen=True):
    """One revision of what a monitor found in one window; late labels make the next revision.

    profile_digest: the object with the profile of the rows.
    """

    monitor: str
    endpoint: str
    window: Window
    revision: int
    facts: WindowFacts
    findings: Findings
    decision: Decision
    profile_digest: Digest
    principal: str
    created_at: datetime

    @property
    def start(self) -> datetime:
        return self.window.start

    @property
    def end(self) -> datetime:
        return self.window.end

    @property
    def state(self) -> WindowState:
        return self.decision.state

    @property
    def words(self) -> str:
        return self.decision.words

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        return self.decision.alarms

    @property
    def prediction_psi(self) -> float | None:
        """PSI of the prediction, None when there were no rows."""
        return self.facts.prediction.psi if self.facts.prediction else None


class OpenAlarm(msgspec.Struct, frozen=True):
    """An alarm that stands now: that of the newest window which could answer its question."""

    monitor: str
    endpoint: str
    model_version: int
    window: Window
    kind: AlarmKind
    words: str


class MonitorSummary(msgspec.Struct, frozen=True):
    """A monitor in a list: its newest window, and how many windows it has judged."""

    monitor: str
    latest: WindowReport
    window_count: int
