"""A store with two released versions of a small model, made by public calls."""

import numpy as np
import pyarrow as pa

from paddock.app import App
from paddock.evaluation import GateSpec, Trial, score_package
from paddock.kernel.refs import DatasetRef
from paddock.models import build_package, encode_rows, infer_signature, save_package
from paddock.registry import ModelVersion

FEATURES = ["distance", "carrier"]
GATES = (GateSpec(metric="roc_auc", at_least=0.5),)


def flight_table(seed: int, rows: int = 1_000) -> pa.Table:
    """Return flights that are late by distance and carrier, and by chance."""
    rng = np.random.default_rng(seed)
    distance, carrier = rng.normal(size=rows), rng.integers(0, 2, rows)
    late = rng.random(rows) < 1 / (1 + np.exp(-(distance + carrier)))
    return pa.table({"late": late * 1.0, "distance": distance, "carrier": np.array(["AA", "UA"])[carrier]})


def register_gated(app: App, seed: int) -> ModelVersion:
    """Fit, package, gate and register one version of `delay`."""
    from sklearn.linear_model import LogisticRegression

    table = flight_table(seed)
    dataset = app.datasets.add_table("flights", table)
    features = table.select(FEATURES)
    signature = infer_signature(features)
    matrix = encode_rows(signature, {name: features.column(name) for name in FEATURES})
    estimator = LogisticRegression().fit(matrix, table.column("late").to_numpy())
    package = build_package(estimator, sample=features.slice(0, 20), signature=signature)
    digest = save_package(app.objects, package)
    window = flight_table(seed + 100)
    trial = Trial(
        model="delay",
        candidate_digest=digest,
        labels=window.column("late").to_numpy(),
        candidate_scores=score_package(app.objects, digest, window),
        champion_scores=None,
        champion_version=0,
        seed=1,
        draws=50,
    )
    report = app.evaluation.judge(trial, GATES)
    return app.registry.register_version(
        "delay",
        digest,
        report_id=report.report_id,
        datasets=(DatasetRef(dataset.name, dataset.version),),
    )
