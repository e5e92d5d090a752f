"""Freeze what a store of this version looks like: tests/frozen/store-<version>/, read by every later version.

.venv/bin/python scripts/freeze_samples.py

Run it once, right before a release, and commit the folder: a released sample never changes. `values.json`
in it holds what `read_values` found; tests/frozen/test_frozen.py asks every sample for the same again.
"""

import gzip
import json
import shutil
import sys
import tomllib
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from frozen_values import open_sample, read_values
from sklearn.linear_model import LogisticRegression

from paddock.app import App, open_app
from paddock.automation import Rollout
from paddock.automation.records import Words
from paddock.datasets import profile_table
from paddock.evaluation import GateSpec, Trial
from paddock.kernel.clock import SimulatedClock, to_micros
from paddock.kernel.digest import Digest
from paddock.kernel.ids import RolloutId
from paddock.kernel.settings import resolve_settings
from paddock.models import build_package, encode_rows, infer_signature, save_package
from paddock.monitoring import LabelSpec, MonitorSpec, Window
from paddock.pipelines import pipeline, step
from paddock.registry import ModelVersion
from paddock.serving import EndpointSpec, GatewayState, RolloutSpec, Route, publish
from paddock.tracking import EnvironmentSnapshot, MetricPoint

ROOT = Path(__file__).resolve().parent.parent
FROZEN = ROOT / "tests" / "frozen"
CONFIG = Path("gateways") / "delay" / "config.json"

_START = datetime(2013, 4, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_FEATURES = ["carrier", "wind"]
_GATES = (GateSpec(metric="roc_auc", at_least=0.5),)
_ENVIRONMENT = EnvironmentSnapshot(
    git_commit="4f2c9e1a" * 5,
    git_dirty=True,
    git_diff="-depth = 4\n+depth = 6\n",
    git_untracked=("notes.md",),
    git_truncated=False,
    git_note="",
    packages=("numpy==2.0.0", "scikit-learn==1.9.0"),
    python="3.11.9",
    platform="Linux",
    machine="x86_64",
    cpu_count=8,
    memory_bytes=16 * 2**30,
    seeds={"numpy": 7},
    argv=("train.py", "--depth", "6"),
)


def main() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    target = FROZEN / f"store-{version}"
    if target.exists():
        sys.exit(f"error: {target.relative_to(ROOT)} is there already, and a released sample never changes")
    freeze(target)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{target.relative_to(ROOT)}: {size:,} bytes")


def freeze(target: Path) -> None:
    """Make a small store through the services and lay it down in the new folder `target`."""
    with TemporaryDirectory() as made:
        store, clock = Path(made), SimulatedClock(_START)
        settings = resolve_settings({"store": made, "principal": "ann"}, {}, {})
        with closing(open_app(settings, clock=clock)) as app:
            fill(app, clock)
            target.mkdir()
            app.metadata.backup(store / "snapshot.db")
        body = (store / "snapshot.db").read_bytes()
        (target / "metadata.db.gz").write_bytes(gzip.compress(body, mtime=0))  # most of its pages are empty
        shutil.copytree(store / "objects", target / "objects")
        (target / CONFIG).parent.mkdir(parents=True)
        shutil.copyfile(store / CONFIG, target / CONFIG)
        with closing(open_sample(store)) as app:
            values = json.dumps(read_values(app), indent=2, ensure_ascii=False)
        (target / "values.json").write_text(f"{values}\n")


def fill(app: App, clock: SimulatedClock) -> None:
    """Put a little of everything into the store; the clock goes on by a day with each part."""
    for part in (_add_datasets, _log_run, _run_pipeline, _release, _serve, _watch, _roll_out):
        clock.move_to(clock.now() + _DAY)
        part(app)


def _flights(rows: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    wind = random.normal(10, 4, rows).round(2)
    return pa.table(
        {
            "carrier": random.choice(["AA", "B6", "UA"], rows),
            "wind": pa.array(wind, mask=np.arange(rows) % 20 == 0),
            "late": (wind + random.normal(0, 3, rows) > 11).astype(float),
        }
    )


def _add_datasets(app: App) -> None:
    app.datasets.add_table("flights", _flights(40, 1), key="first")
    app.datasets.add_table("flights", _flights(60, 2))


def _log_run(app: App) -> None:
    now = app.clock.now()
    run = app.tracking.start_run(
        experiment="delay",
        name="sixth",
        params={"depth": "6"},
        tags={"note": "naïve 飛行"},
        environment=_ENVIRONMENT,
        key="sixth",
    )
    points = [MetricPoint("auc", 0.6 + step / 50, step, to_micros(now)) for step in range(4)]
    app.tracking.log_metrics(run.run_id, [*points, MetricPoint("loss", float("nan"), 0, to_micros(now))])
    app.tracking.log_input(run.run_id, app.datasets.get("flights@2").ref, role="train")
    app.tracking.log_artifact(run.run_id, "plots/roc.txt", b"0 0\n1 1\n")
    app.tracking.finish_run(run.run_id)


@step
def double(value: int) -> int:
    print(f"doubling {value}")
    return value * 2


@step
def spread(rows: int) -> np.ndarray:
    return np.zeros(300 * rows)  # too large for a row of the database, so it becomes an object


@pipeline
def work(value: int = 4) -> np.ndarray:
    return spread(double(value))


def _run_pipeline(app: App) -> None:
    for _ in range(2):  # the second one from the cache
        app.pipelines.run(work)


def _release(app: App) -> None:
    (run,) = app.tracking.search_runs(experiment="delay").runs
    for seed in (1, 2):
        package = _package(app, seed)
        report = app.evaluation.judge(_trial(package), _GATES)
        version = app.registry.register_version(
            "delay",
            package,
            run_id=run.run_id,
            report_id=report.report_id,
            datasets=(app.datasets.get(f"flights@{seed}").ref,),
        )
        app.registry.record_verification(version.ref, passed=True, words="8 golden requests replayed")
        app.registry.promote(version.ref, "champion", reason=f"release {seed}")
    app.registry.rollback("delay", reason="worse live")
    app.registry.promote("delay@2", "challenger", reason="to be looked at")
    app.evaluation.judge(_trial(package), (GateSpec(metric="roc_auc", at_least=0.99),))


def _package(app: App, seed: int) -> Digest:
    table = _flights(60, seed).drop_null()
    features = table.select(_FEATURES)
    signature = infer_signature(features)
    matrix = encode_rows(signature, {name: features.column(name) for name in _FEATURES})
    model = LogisticRegression().fit(matrix, table.column("late").to_numpy())
    return save_package(app.objects, build_package(model, sample=features.slice(0, 8), signature=signature))


def _trial(package: Digest) -> Trial:
    random = np.random.default_rng(3)
    labels = np.tile([0.0, 1.0], 100)
    scores = np.clip(0.3 + 0.3 * labels + random.normal(0, 0.2, 200), 0, 1)
    return Trial("delay", package, labels, scores, draws=50, seed=1)


def _serve(app: App) -> None:
    app.endpoints.declare("delay", EndpointSpec("delay@champion", RolloutSpec(canary=(0.1, 0.5))))
    first, second = _versions(app)
    packages = {first.version: first.package_digest, second.version: second.package_digest}
    app.endpoints.set_traffic("delay", (Route(1, 1.0),), packages=packages, reason="first release")
    routes = (Route(1, 0.9), Route(2, 0.1))
    revision = app.endpoints.set_traffic("delay", routes, packages=packages, reason="canary")
    publish(GatewayState(app.gateway_folder("delay")), revision.config, app.objects)


def _versions(app: App) -> tuple[ModelVersion, ModelVersion]:
    return app.registry.get("delay@1"), app.registry.get("delay@2")


def _watch(app: App) -> None:
    spec = MonitorSpec("delay", labels=LabelSpec("late", "1d"), min_rows=50, min_labels=50)
    reference = profile_table(_answered(300, 9, 0).select(["prediction", "carrier", "wind"]))
    for day, labelled in ((0, False), (0, True), (1, True), (2, True)):
        start = _START + day * _DAY
        app.monitoring.evaluate(
            "daily",
            spec,
            Window(start, start + _DAY),
            _answered(80, day, 80 if labelled else 0),
            reference=reference,
            reference_quality=0.95,
        )


def _answered(rows: int, seed: int, label_count: int) -> pa.Table:
    """Rows with answers that have little to do with the labels."""
    random, flights = np.random.default_rng(seed + 20), _flights(rows, seed)
    unknown = np.arange(rows) >= label_count
    return pa.table(
        {
            "carrier": flights.column("carrier"),
            "wind": flights.column("wind"),
            "prediction": random.random(rows),
            "version": pa.array([1] * rows, pa.int64()),
            "label": pa.array(flights.column("late").to_numpy(), mask=unknown),
        }
    )


def _roll_out(app: App) -> None:
    now = app.clock.now()
    draft = Rollout(
        rollout_id=RolloutId(""),
        endpoint="delay",
        model="delay",
        origin="submitted",
        trigger="handed in",
        champion=1,
        candidate=2,
        gated=2,
        phase="verifying",
        step=0,
        fit_before=_START,
        gate_until=now,
        started_at=now,
        phase_started_at=now,
    )
    words = Words("delay@2 was handed in.", {"rows": 200, "candidate_auc": 0.75, "passed": True})
    ended = app.automation.open_rollout(draft, "candidate_submitted", words)
    app.automation.move(ended, "refused", kind="candidate_refused", words=Words("Kept delay@1."))
    again = app.automation.open_rollout(draft, "candidate_submitted", words)
    app.automation.move(again, "shadow", kind="shadow_started", words=Words("delay@2 answers in shadow."))


if __name__ == "__main__":
    main()
