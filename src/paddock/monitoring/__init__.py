"""What windows of live predictions look like beside the release: drift, quality and alarms.

Invariants: the same rows, in any order, give the same report; late rows and labels give the window a new
revision, and the latest one counts; an alarm needs several windows of one model version.
Drift of a feature is reported but never alarms; too few rows or labels is an answer, not an alarm.
"""

from paddock.monitoring.drift import jensen_shannon, population_stability, psi, psi_threshold
from paddock.monitoring.late import LATE_FOR, Counts, find_late, is_next_day, is_settled
from paddock.monitoring.records import (
    Alarm,
    AlarmKind,
    FeatureDrift,
    LabelSpec,
    MonitorSpec,
    MonitorSummary,
    OpenAlarm,
    VersionRows,
    Window,
    WindowReport,
    WindowSize,
    WindowState,
)
from paddock.monitoring.rules import check_spec, decide_window
from paddock.monitoring.service import Monitoring
from paddock.monitoring.windows import parse_window_size, window_at, windows_between

__all__ = [
    "LATE_FOR",
    "Alarm",
    "AlarmKind",
    "Counts",
    "FeatureDrift",
    "LabelSpec",
    "MonitorSpec",
    "MonitorSummary",
    "Monitoring",
    "OpenAlarm",
    "VersionRows",
    "Window",
    "WindowReport",
    "WindowSize",
    "WindowState",
    "check_spec",
    "decide_window",
    "find_late",
    "is_next_day",
    "is_settled",
    "jensen_shannon",
    "parse_window_size",
    "population_stability",
    "psi",
    "psi_threshold",
    "window_at",
    "windows_between",
]
