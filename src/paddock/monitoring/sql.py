"""The statements on `monitor_windows`; one per function."""

from collections.abc import Mapping

import msgspec

from paddock.kernel.clock import to_micros
from paddock.kernel.digest import Digest
from paddock.kernel.refs import ProjectId
from paddock.metadata import Reader, Row, SqlValue, Transaction
from paddock.monitoring.records import MonitorSummary, Window, WindowReport


def find_latest(
    reader: Reader, project: ProjectId, monitor: str, window: Window
) -> tuple[WindowReport, Digest] | None:
    """Return the latest revision of a window, and the digest of what it was made from."""
    row = reader.fetch_one(
        "SELECT report_json, facts_digest FROM monitor_windows WHERE project_id = :project"
        " AND monitor = :monitor AND window_start = :start AND window_end = :end AND is_latest = 1",
        _place(project, monitor, window),
    )
    return (_report(row), Digest(str(row["facts_digest"]))) if row else None


def list_revisions(
    reader: Reader, project: ProjectId, monitor: str, window: Window
) -> tuple[WindowReport, ...]:
    """Return all revisions of a window, oldest first."""
    rows = reader.fetch_all(
        "SELECT report_json FROM monitor_windows WHERE project_id = :project"
        " AND monitor = :monitor AND window_start = :start AND window_end = :end ORDER BY revision",
        _place(project, monitor, window),
    )
    return tuple(_report(row) for row in rows)


def list_before(
    reader: Reader, project: ProjectId, monitor: str, window: Window, limit: int
) -> tuple[WindowReport, ...]:
    """Return the latest revisions of the windows that begin before `window`, newest first."""
    rows = reader.fetch_all(
        "SELECT report_json FROM monitor_windows WHERE project_id = :project AND monitor = :monitor"
        " AND is_latest = 1 AND window_start < :start ORDER BY window_start DESC LIMIT :limit",
        {"project": project, "monitor": monitor, "start": to_micros(window.start), "limit": limit},
    )
    return tuple(_report(row) for row in rows)


def list_windows(reader: Reader, project: ProjectId, monitor: str, limit: int) -> tuple[WindowReport, ...]:
    """Return the latest revisions of a monitor's windows, newest first."""
    rows = reader.fetch_all(
        "SELECT report_json FROM monitor_windows WHERE project_id = :project AND monitor = :monitor"
        " AND is_latest = 1 ORDER BY window_start DESC LIMIT :limit",
        {"project": project, "monitor": monitor, "limit": limit},
    )
    return tuple(_report(row) for row in rows)


def list_summaries(reader: Reader, project: ProjectId) -> tuple[MonitorSummary, ...]:
    """Return each monitor with its newest window and the number of its windows, by name."""
    rows = reader.fetch_all(
        "SELECT w.monitor, w.report_json, n.window_count FROM monitor_windows AS w JOIN"
        " (SELECT monitor, COUNT(*) AS window_count, MAX(window_start) AS newest FROM monitor_windows"
        "  WHERE project_id = :project AND is_latest = 1 GROUP BY monitor) AS n"
        " ON n.monitor = w.monitor AND n.newest = w.window_start"
        " WHERE w.project_id = :project AND w.is_latest = 1 ORDER BY w.monitor",
        {"project": project},
    )
    summaries = {
        str(row["monitor"]): MonitorSummary(str(row["monitor"]), _report(row), int(str(row["window_count"])))
        for row in rows
    }
    return tuple(summaries.values())


def retire_latest(tx: Transaction, project: ProjectId, monitor: str, window: Window) -> None:
    tx.execute(
        "UPDATE monitor_windows SET is_latest = 0 WHERE project_id = :project"
        " AND monitor = :monitor AND window_start = :start AND window_end = :end AND is_latest = 1",
        _place(project, monitor, window),
    )


def insert_report(tx: Transaction, project: ProjectId, report: WindowReport, facts_digest: Digest) -> None:
    tx.execute(
        "INSERT INTO monitor_windows (project_id, monitor, window_start, window_end, revision, is_latest,"
        " state, facts_digest, report_json, principal, created_at) VALUES (:project, :monitor, :start,"
        " :end, :revision, 1, :state, :facts_digest, :report_json, :principal, :created_at)",
        {
            **_place(project, report.monitor, report.window),
            "revision": report.revision,
            "state": report.state,
            "facts_digest": facts_digest,
            "report_json": msgspec.json.encode(report).decode(),
            "principal": report.principal,
            "created_at": to_micros(report.created_at),
        },
    )


def _place(project: ProjectId, monitor: str, window: Window) -> Mapping[str, SqlValue]:
    return {
        "project": project,
        "monitor": monitor,
        "start": to_micros(window.start),
        "end": to_micros(window.end),
    }


def _report(row: Row) -> WindowReport:
    return msgspec.json.decode(str(row["report_json"]), type=WindowReport)
