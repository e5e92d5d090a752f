"""Judging candidates and keeping what was found."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from paddock.evaluation import rules, sql
from paddock.evaluation.codec import decode_report, encode_report
from paddock.evaluation.metrics import FloatArray
from paddock.evaluation.records import (
    REPORT_FORMAT,
    Evidence,
    GateReport,
    GateResult,
    GateSpec,
    ReportSummary,
)
from paddock.evaluation.trial import Trial, check_trial, measure_trial
from paddock.kernel.clock import Clock
from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.errors import NotFound
from paddock.kernel.ids import ReportId, new_id
from paddock.kernel.refs import Actor, DatasetRef, ProjectId
from paddock.metadata import Json, Metadata, NewEvent, Reader, Transaction, once_for
from paddock.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Gate reports of one project. A report is an object that is never changed, and a row."""

    metadata: Metadata
    objects: ObjectStore
    clock: Clock
    actor: Actor

    def judge(self, trial: Trial, gates: Sequence[GateSpec], *, key: str = "") -> GateReport:
        """Measure a candidate, hold it against its gates, store the report and return it.

        A failed gate is a report with `passed` False, not an error. With the same `key` the first
        report is returned. Raises InvalidInput for faulty gates, labels or scores; nothing is
        stored then. Event `gate.passed` or `gate.failed`.
        """
        check_trial(trial, gates)
        evidence = measure_trial(trial, gates)
        report = self._report(
            trial,
            evidence,
            rules.check_gates(gates, evidence, model=trial.model, latency_requests=trial.latency_requests),
            gated_as="",
        )
        return self._store(report, request=("judge", *_fingerprint(trial), tuple(gates)), key=key)

    def judge_refit(
        self,
        parent_report: GateReport,
        candidate_digest: Digest,
        *,
        parent_version: int,
        verified: bool,
        verification_words: str = "",
        datasets: tuple[DatasetRef, ...] = (),
        key: str = "",
    ) -> GateReport:
        """Store the report of a refit, which is gated as its parent; it repeats no measurement.

        parent_report: of the version whose code, parameters and environment were fitted again.
        verified: whether the refit's golden requests were answered as recorded, verification_words
        saying so. Passed only when both hold. `gated_as` is the parent's report.
        """
        results = rules.check_refit(
            parent_report, parent_version, verified=verified, verification_words=verification_words
        )
        nothing = np.empty(0)
        trial = Trial(parent_report.model, candidate_digest, nothing, nothing, datasets=datasets, draws=0)
        evidence = Evidence(rows=0, champion_version=parent_report.champion_version)
        report = self._report(trial, evidence, results, gated_as=parent_report.report_id)
        request = ("judge_refit", parent_report.report_id, candidate_digest, verified, verification_words)
        return self._store(report, request=request, key=key)

    def get_report(self, report_id: str) -> GateReport:
        """Return a stored report, with the version its package was registered as by now.

        Raises NotFound for an unknown id, IntegrityError when its object was damaged.
        """

        def query(reader: Reader) -> tuple[ReportSummary | None, str]:
            project_id = self.actor.project_id
            summary = sql.find_summary(reader, project_id, report_id)
            return summary, sql.find_report_digest(reader, project_id, report_id)

        summary, report_digest = self.metadata.read(query)
        if summary is None:
            raise NotFound(f"there is no gate report `{report_id[:64]}`")
        report = decode_report(self.objects.get(Digest(report_digest)))
        return msgspec.structs.replace(report, candidate_version=summary.candidate_version)

    def list_reports(self, model: str, *, limit: int = 100) -> tuple[ReportSummary, ...]:
        """Return the reports of one model, the newest first; empty for an unknown model."""
        return self.metadata.read(
            lambda reader: sql.list_summaries(reader, self.actor.project_id, model, limit)
        )

    def _report(
        self, trial: Trial, evidence: Evidence, results: tuple[GateResult, ...], *, gated_as: str
    ) -> GateReport:
        return GateReport(
            format=REPORT_FORMAT,
            report_id=ReportId(new_id()),
            model=trial.model,
            candidate_digest=trial.candidate_digest,
            candidate_version=0,
            champion_version=evidence.champion_version,
            evidence=evidence,
            results=results,
            passed=rules.is_passed(results),
            words=rules.summarize(results),
            gated_as=gated_as,
            datasets=trial.datasets,
            seed=trial.seed,
            draws=trial.draws,
            principal=self.actor.principal,
            created_at=self.clock.now(),
        )

    def _store(self, report: GateReport, *, request: tuple[object, ...], key: str) -> GateReport:
        def change(tx: Transaction) -> str:
            sql.insert_report(tx, self.actor.project_id, report, report_digest)
            tx.append_event(_event(self.actor, report, report_digest))
            return report.report_id

        report_digest = self.objects.put(encode_report(report))
        stored = self.metadata.write(change, once=once_for(self.actor, key, request, str))
        return report if stored == report.report_id else self.get_report(stored)


def find_report_summary(reader: Reader, project_id: ProjectId, report_id: str) -> ReportSummary | None:
    """Return what a promotion rule needs of a report, inside the caller's snapshot or transaction."""
    return sql.find_summary(reader, project_id, report_id)


def note_registration(tx: Transaction, project_id: ProjectId, report_id: str, version: int) -> None:
    """Write the version of a registered package beside its report; the first one stays."""
    sql.set_candidate_version(tx, project_id, report_id, version)


def _event(actor: Actor, report: GateReport, report_digest: Digest) -> NewEvent:
    data: dict[str, Json] = {
        "report_id": report.report_id,
        "report_digest": report_digest,
        "candidate_digest": report.candidate_digest,
        "champion_version": report.champion_version,
        "rows": report.rows,
        "gated_as": report.gated_as,
        "words": report.words,
    }
    return NewEvent(
        project_id=actor.project_id,
        principal=actor.principal,
        kind="gate.passed" if report.passed else "gate.failed",
        subject=f"model:{report.model}",
        event_time=report.created_at,
        data=data,
    )


def _fingerprint(trial: Trial) -> tuple[object, ...]:
    """Everything of a trial that makes its report what it is, short enough to be compared.

    Latency is another one at each measurement, so a request is not known by it.
    """
    return (
        trial.model,
        trial.candidate_digest,
        _digest_array(trial.labels),
        _digest_array(trial.candidate_scores),
        "" if trial.champion_scores is None else _digest_array(trial.champion_scores),
        trial.champion_version,
        {column: digest_bytes("\0".join(names).encode()) for column, names in trial.slices.items()},
        tuple(str(dataset) for dataset in trial.datasets),
        trial.seed,
        trial.draws,
    )


def _digest_array(values: FloatArray) -> Digest:
    return digest_bytes(np.ascontiguousarray(values, dtype=np.float64).tobytes())
