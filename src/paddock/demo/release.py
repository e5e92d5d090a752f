"""The first release: data in, a model gated on March, refitted on the quarter, champion."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from paddock.app import App, Exam, hold_gate, replay_golden
from paddock.automation import Declaration, PipelineTrainer, TrainingRequest
from paddock.datasets import DatasetVersion
from paddock.demo.flights import FEATURES, LABEL
from paddock.demo.pipelines import encode, fit_estimator, labels_of, signature_of
from paddock.evaluation import GateReport
from paddock.kernel.refs import DatasetRef, ModelVersionRef
from paddock.models import WorkerPool
from paddock.pipelines import load_pipeline
from paddock.registry import ModelVersion

Floats = npt.NDArray[np.float64]

MODEL = "delay"
QUARTER = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Release:
    """champion: the refit that goes live and stays the static baseline; report: what it stands on."""

    champion: ModelVersion
    report: GateReport

    @property
    def quality(self) -> float:
        """AUC on March of the model fitted on January and February."""
        found = next(one for one in self.report.evidence.candidate if one.metric == "roc_auc")
        return found.value or 0.0


def ingest(app: App, months: dict[int, pa.Table], wanted: range) -> tuple[DatasetVersion, ...]:
    """Register each month as the next version of `flights`; what is there already is not stored again."""
    return tuple(app.datasets.add_table("flights", months[month]) for month in wanted)


def release_first(app: App, workers: WorkerPool, plan: Declaration, seed: int) -> Release:
    """Fit on January and February, gate on March, refit on all three, promote. Repeatable."""
    entry = load_pipeline(plan.pipeline["train"].entry)
    parallel = app.settings.whole("parallel_steps")
    trainer = PipelineTrainer(app.pipelines, entry, {"history": [], "seed": seed}, parallel)
    gated = _train(trainer, (1, 2), 0)
    exam = Exam("flights@3", LABEL, plan.model[MODEL].gates, seed)
    report = hold_gate(app, workers, gated, exam, key="demo-release-gate")
    refit = app.registry.get(_train(trainer, QUARTER, gated.version))
    words = replay_golden(app, workers, refit, key="demo-release-verify")
    refit_report = app.evaluation.judge_refit(
        report,
        refit.package_digest,
        parent_version=gated.version,
        verified=True,
        verification_words=words,
        key="demo-release-refit-gate",
    )
    app.registry.attach_report(refit.ref, refit_report.report_id)
    app.registry.promote(
        refit.ref, "champion", reason=f"First release. {report.words}.", key="demo-release-promote"
    )
    return Release(app.registry.get(refit.ref), report)


def reference_rows(app: App, months: dict[int, pa.Table], seed: int) -> pa.Table:
    """Return January to March with predictions and event times, the yardstick of the monitors.

    Each month is predicted by a model fitted on the other two: predictions for rows a model was
    fitted on would be too sure of themselves. Kept as dataset `delay-reference`.
    """
    quarter = [_known(months[month]) for month in QUARTER]
    parts = []
    for held_out, rows in enumerate(quarter):
        others = pa.concat_tables([each for place, each in enumerate(quarter) if place != held_out])
        scores = pa.array(_cross_predict(others, rows, seed))
        parts.append(rows.select([*FEATURES, "event_time"]).append_column("prediction", scores))
    table = pa.concat_tables(parts)
    app.datasets.add_table("delay-reference", table)
    return table


def _cross_predict(fit_rows: pa.Table, rows: pa.Table, seed: int) -> Floats:
    signature = signature_of(fit_rows)
    estimator = fit_estimator(encode(fit_rows, signature), labels_of(fit_rows), signature, seed)
    answers = estimator.predict_proba(encode(rows, signature))  # type: ignore[attr-defined]  # sklearn is untyped
    return np.asarray(answers[:, 1], dtype=np.float64)


def _train(trainer: PipelineTrainer, months: tuple[int, ...], refit_of: int) -> ModelVersionRef:
    return trainer.train(
        TrainingRequest(
            model=MODEL,
            datasets=tuple(DatasetRef("flights", month) for month in months),
            fit_before=datetime(2014, 1, 1, tzinfo=UTC),
            refit_of=refit_of,
            key=f"demo-release-{'refit' if refit_of else 'fit'}",
        )
    )


def _known(month: pa.Table) -> pa.Table:
    return month.filter(month[LABEL].is_valid())
