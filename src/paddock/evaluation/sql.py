"""Rows of gate reports."""

from collections.abc import Mapping

from paddock.evaluation.records import GateReport, ReportSummary
from paddock.kernel.clock import from_micros, to_micros
from paddock.kernel.digest import Digest
from paddock.kernel.ids import ReportId
from paddock.kernel.refs import ProjectId
from paddock.metadata import Reader, Row, SqlValue, Transaction

_COLUMNS = """report_id, model, candidate_digest, candidate_version, champion_version, passed,
    gated_as, row_count, words, principal, created_at"""


def insert_report(tx: Transaction, project_id: ProjectId, report: GateReport, report_digest: Digest) -> None:
    tx.execute(
        f"""INSERT INTO gate_reports (project_id, report_digest, {_COLUMNS})
            VALUES (:project_id, :report_digest, :report_id, :model, :candidate_digest,
                :candidate_version, :champion_version, :passed, :gated_as, :row_count, :words,
                :principal, :created_at)""",  # noqa: S608  constant text
        {
            "project_id": project_id,
            "report_digest": report_digest,
            "report_id": report.report_id,
            "model": report.model,
            "candidate_digest": report.candidate_digest,
            "candidate_version": report.candidate_version,
            "champion_version": report.champion_version,
            "passed": int(report.passed),
            "gated_as": report.gated_as,
            "row_count": report.rows,
            "words": report.words,
            "principal": report.principal,
            "created_at": to_micros(report.created_at),
        },
    )


def find_summary(reader: Reader, project_id: ProjectId, report_id: str) -> ReportSummary | None:
    row = reader.fetch_one(
        f"""SELECT {_COLUMNS} FROM gate_reports
            WHERE project_id = :project_id AND report_id = :report_id""",  # noqa: S608  constant text
        {"project_id": project_id, "report_id": report_id},
    )
    return _summary(row) if row else None


def find_report_digest(reader: Reader, project_id: ProjectId, report_id: str) -> str:
    """Return the object of a report, or an empty text when there is no such report."""
    row = reader.fetch_one(
        """SELECT report_digest FROM gate_reports
           WHERE project_id = :project_id AND report_id = :report_id""",
        {"project_id": project_id, "report_id": report_id},
    )
    return str(row["report_digest"]) if row else ""


def list_summaries(
    reader: Reader, project_id: ProjectId, model: str, limit: int
) -> tuple[ReportSummary, ...]:
    """Return the newest first."""
    rows = reader.fetch_all(
        f"""SELECT {_COLUMNS} FROM gate_reports
            WHERE project_id = :project_id AND model = :model
            ORDER BY created_at DESC, report_id DESC LIMIT :limit""",  # noqa: S608  constant text
        {"project_id": project_id, "model": model, "limit": limit},
    )
    return tuple(_summary(row) for row in rows)


def set_candidate_version(tx: Transaction, project_id: ProjectId, report_id: str, version: int) -> None:
    """Note the version a package was registered as; the first one stays."""
    tx.execute(
        """UPDATE gate_reports SET candidate_version = :version
           WHERE project_id = :project_id AND report_id = :report_id AND candidate_version = 0""",
        {"project_id": project_id, "report_id": report_id, "version": version},
    )


def _summary(row: Row) -> ReportSummary:
    return ReportSummary(
        report_id=ReportId(str(row["report_id"])),
        model=str(row["model"]),
        candidate_digest=Digest(str(row["candidate_digest"])),
        candidate_version=_whole(row, "candidate_version"),
        champion_version=_whole(row, "champion_version"),
        passed=bool(row["passed"]),
        gated_as=str(row["gated_as"]),
        rows=_whole(row, "row_count"),
        words=str(row["words"]),
        principal=str(row["principal"]),
        created_at=from_micros(_whole(row, "created_at")),
    )


def _whole(row: Mapping[str, SqlValue], column: str) -> int:
    value = row[column]
    assert isinstance(value, int), column
    return value
