"""Records of the rooms as wire structs. The command line's `--json` shows the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from paddock.wire import structs

if TYPE_CHECKING:  # a view reads attributes: the rooms, with NumPy and Arrow behind them, are not needed
    from paddock.datasets import DatasetSummary, DatasetVersion
    from paddock.evaluation import GateReport
    from paddock.kernel.refs import DatasetRef
    from paddock.metadata import Event, LedgerVerdict
    from paddock.monitoring import MonitorSummary, WindowReport
    from paddock.serving import Endpoint, Revision
    from paddock.tracking import MetricPoint, Run

R = TypeVar("R", bound=structs.Resource)


def view(record: object, kind: type[R]) -> R:
    """Return `record` as a `kind` whose fields are attributes of the record, at every level.

    >>> from paddock.tracking import Artifact
    >>> view(Artifact("roc.svg", "ab" * 32, 12), structs.Artifact).size_bytes
    12
    """
    return msgspec.convert(record, kind, from_attributes=True)


def view_run(run: Run) -> structs.Run:
    """Return a run; NaN and the infinities among its metrics become words."""
    return structs.Run(
        run_id=run.run_id,
        experiment=run.experiment,
        name=run.name,
        status=run.status,
        started_at=run.started_at,
        ended_at=run.ended_at,
        parent_id=run.parent_id,
        params=dict(run.params),
        tags=dict(run.tags),
        metrics={key: structs.write_number(value) for key, value in run.metrics.items()},
        inputs=tuple(view_dataset_ref(used.dataset, used.role) for used in run.inputs),
        artifacts=tuple(view(artifact, structs.Artifact) for artifact in run.artifacts),
        environment_digest=run.environment_digest,
        principal=run.principal,
        experiment_id=run.experiment_id,
        lifecycle=run.lifecycle,
    )


def view_point(point: MetricPoint) -> structs.HistoryPoint:
    """Return one point of a metric's history."""
    value = structs.write_number(point.value)
    return structs.HistoryPoint(key=point.key, value=value, step=point.step, at=point.at)


def view_dataset_ref(ref: DatasetRef, role: str = "") -> structs.DatasetInput:
    """Return a reference to a dataset version."""
    return structs.DatasetInput(name=ref.name, version=ref.version, role=role)


def view_dataset_version(version: DatasetVersion) -> structs.DatasetVersion:
    """Return a dataset version."""
    return view(version, structs.DatasetVersion)


def view_dataset(summary: DatasetSummary) -> structs.Dataset:
    """Return a dataset with its newest version."""
    return view(summary, structs.Dataset)


def view_event(event: Event) -> structs.Event:
    """Return an event of the ledger."""
    return view(event, structs.Event)


def view_verdict(verdict: LedgerVerdict) -> structs.LedgerVerdict:
    """Return what a check of the ledger found."""
    return view(verdict, structs.LedgerVerdict)


def view_gate_report(report: GateReport) -> structs.GateReport:
    """Return a gate report without the raw evidence; each result has what it measured."""
    return view(report, structs.GateReport)


def view_endpoint(endpoint: Endpoint) -> structs.Endpoint:
    """Return a declared endpoint."""
    return structs.Endpoint(
        name=endpoint.name,
        model=endpoint.spec.model,
        principal=endpoint.principal,
        created_at=endpoint.created_at,
    )


def view_revision(revision: Revision) -> structs.EndpointRevision:
    """Return a change of what an endpoint serves."""
    config = revision.config
    return structs.EndpointRevision(
        endpoint=config.endpoint,
        number=revision.number,
        model=config.model,
        routes=tuple(view(route, structs.EndpointRoute) for route in config.routes),
        shadow_version=config.shadow_version,
        reason=revision.reason,
        principal=revision.principal,
        created_at=revision.created_at,
    )


def view_window(report: WindowReport) -> structs.Window:
    """Return what a monitor found in one window."""
    facts = report.facts
    return structs.Window(
        monitor=report.monitor,
        endpoint=report.endpoint,
        start=report.start,
        end=report.end,
        revision=report.revision,
        state=report.state,
        words=report.words,
        alarms=tuple(view(alarm, structs.Alarm) for alarm in report.alarms),
        rows=facts.rows,
        versions=tuple(view(each, structs.VersionRows) for each in facts.versions),
        due_count=facts.due_count,
        due_label_count=facts.due_label_count,
        label_count=facts.label_count,
        label_coverage=facts.label_coverage,
        prediction=view(facts.prediction, structs.FeatureDrift) if facts.prediction else None,
        features=tuple(view(each, structs.FeatureDrift) for each in facts.features),
        quality=view(facts.quality, structs.Quality),
        reference_quality=structs.write_number(facts.reference_quality),
        created_at=report.created_at,
    )


def view_monitor(summary: MonitorSummary) -> structs.Monitor:
    """Return a monitor with its newest window."""
    latest = view_window(summary.latest)
    return structs.Monitor(monitor=summary.monitor, window_count=summary.window_count, latest=latest)
