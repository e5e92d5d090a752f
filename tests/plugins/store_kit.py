"""A real store with something from every room in it, filled through the services."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from struct import pack

import numpy as np
import pyarrow as pa
from gateway_kit import make_fleet, make_rows

from paddock.app import App, open_app
from paddock.datasets import profile_table
from paddock.evaluation import GateSpec, Trial
from paddock.governance import StoreCheck
from paddock.kernel.digest import Digest
from paddock.kernel.ids import new_id
from paddock.kernel.settings import resolve_settings
from paddock.models import load_package, save_package
from paddock.monitoring import MonitorSpec, Window
from paddock.pipelines import pipeline, step
from paddock.prediction_log import LabelRecord, append_labels
from paddock.serving import EndpointSpec, GatewayState, Route, publish
from paddock.tracking import EnvironmentSnapshot

APRIL = datetime(2013, 4, 1, tzinfo=UTC)
ENVIRONMENT = EnvironmentSnapshot(
    "c" * 40, False, "", (), False, "", ("numpy==2.0",), "3.11", "linux", "x86_64", 2, 1 << 30, {}, ("fit",)
)


@dataclass(frozen=True, slots=True)
class Filled:
    """What a test asks the store for afterwards."""

    run_id: str
    report_id: str
    package: Digest
    profile: Digest
    dataset: Digest


def open_store(store: str | Path) -> App:
    return open_app(resolve_settings({"store": str(store), "principal": "ann"}, {}, {}))


@step
def spread(rows: int) -> np.ndarray:
    """A value too large for a row of the store, and a log."""
    print("spreading")
    return np.arange(rows, dtype=np.float64)


@step
def total(values: np.ndarray) -> float:
    return float(values.sum())


@pipeline
def fit(rows: int = 5000) -> float:
    return total(spread(rows))


def fill_store(app: App) -> Filled:
    """A dataset, a run, a pipeline, a released model, an endpoint with its gateway's folder, a window."""
    table = pa.table(make_rows(500))
    dataset = app.datasets.add_table("flights", table)
    run = app.tracking.start_run(experiment="delay", environment=ENVIRONMENT)
    app.tracking.log_artifact(run.run_id, "notes/fit.txt", b"depth 6")
    app.tracking.finish_run(run.run_id)
    app.pipelines.run(fit)
    package, report_id = release_model(app, run.run_id)
    serve_model(app, package)
    reports = app.monitoring.evaluate(
        "delay",
        MonitorSpec(endpoint="delay"),
        Window(APRIL, APRIL + timedelta(days=1)),
        window_rows(),
        reference=profile_table(window_rows().drop_columns(["version"])),
        reference_quality=0.7,
    )
    return Filled(run.run_id, report_id, package, reports.profile_digest, dataset.digest)


def release_model(app: App, run_id: str = "") -> tuple[Digest, str]:
    """Store the fleet's first model, let it pass a gate, and make it champion."""
    fleet = make_fleet()
    package = save_package(app.objects, load_package(fleet.objects, fleet.digests[1]))
    labels = np.tile([0.0, 1.0], 100)
    trial = Trial("delay", package, labels, np.where(labels == 1, 0.8, 0.2), draws=20)
    report = app.evaluation.judge(trial, (GateSpec(metric="roc_auc", at_least=0.6),))
    version = app.registry.register_version("delay", package, run_id=run_id, report_id=report.report_id)
    app.registry.promote(version.ref, "champion", reason="first release")
    return package, report.report_id


def serve_model(app: App, package: Digest) -> None:
    app.endpoints.declare("delay", EndpointSpec("delay@champion"))
    revision = app.endpoints.set_traffic(
        "delay", (Route(1, 1.0),), packages={1: package}, reason="first release"
    )
    publish(GatewayState(app.gateway_folder("delay")), revision.config, app.objects)


def window_rows() -> pa.Table:
    random = np.random.default_rng(3)
    return pa.table(
        {
            "prediction": random.random(300),
            "version": pa.array([1] * 300, pa.int64()),
            "wind": random.normal(size=300),
        }
    )


def add_label(predictions: Path, label: float = 1.0) -> str:
    """Log one label and return the prediction id it is of."""
    prediction_id = new_id()
    append_labels(
        predictions,
        LabelRecord(0, bytes.fromhex(prediction_id), pack("<d", label), pack("<q", 3_600_000_000)),
    )
    return prediction_id


def words_of(check: StoreCheck) -> list[str]:
    return [str(fault) for fault in check.faults]
