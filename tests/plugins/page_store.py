"""Half a year of a made-up model, put into a real store through the services, for tests of the pages.

One model is watched, retrained, refused and rolled back; another has no monitor, a third no champion.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from paddock.app import App, open_app
from paddock.automation import Rollout
from paddock.automation.records import DecisionKind, Json, Phase, Words
from paddock.datasets import Profile, profile_table
from paddock.evaluation import GateReport, Trial, parse_gates
from paddock.kernel.clock import SimulatedClock, to_micros
from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.ids import RolloutId
from paddock.kernel.refs import ModelVersionRef
from paddock.kernel.settings import resolve_settings
from paddock.monitoring import LabelSpec, MonitorSpec, Window
from paddock.registry import ModelVersion, Recipe
from paddock.serving import EndpointSpec, Route
from paddock.tracking import EnvironmentSnapshot, MetricPoint

START = datetime(2026, 5, 4, tzinfo=UTC)
WEEK = timedelta(weeks=1)
WEEKS = 26
CARRIERS = ("AA", "B6", "DL", "EV", "UA", "WN")
FEATURES = ("distance", "wind", "temp", "carrier")
RECIPE = Recipe(*(digest_bytes(part) for part in (b"code", b"depth=6", b"lock")))
GATES = parse_gates(
    [
        {"metric": "roc_auc", "at_least": 0.65},
        {"metric": "roc_auc", "versus": "champion", "margin": 0.0, "confidence": 0.9},
        {"metric": "roc_auc", "slice": "carrier", "at_least": 0.6, "min_rows": 300},
    ]
)
FULL_GATES = (*GATES, *parse_gates([{"latency_p99_ms": 20}]))
HOSTILE = '<script>alert("x")</script>=1+1'

FloatArray = npt.NDArray[np.float64]


def open_page_app(folder: Path, *, at: datetime = START) -> tuple[App, SimulatedClock]:
    """Return an app over `folder` and the clock it takes the time from."""
    clock = SimulatedClock(at)
    settings = resolve_settings({"store": str(folder), "principal": "ann"}, {}, {})
    return open_app(settings, clock=clock), clock


def fill_page_store(folder: Path) -> None:
    """Put the whole story into the store in `folder`."""
    app, clock = open_page_app(folder)
    try:
        Story(app, clock).tell()
    finally:
        app.close()


def flights(seed: int, count: int, *, skill: float = 1.0, warmer: float = 0.0) -> pa.Table:
    """Return rows whose label follows `score` with strength `skill`."""
    rng = np.random.default_rng(seed)
    wind, temp = rng.normal(size=count), rng.normal(15 + warmer, 6, count)
    carrier = rng.choice(len(CARRIERS), count, p=(0.1, 0.25, 0.2, 0.2, 0.2, 0.05))
    signal = 0.8 * wind + 0.25 * carrier - 1.6
    late = rng.random(count) < 1 / (1 + np.exp(-skill * signal))
    return pa.table(
        {
            "distance": rng.gamma(2.0, 500.0, count),
            "wind": wind,
            "temp": temp,
            "carrier": np.array(CARRIERS)[carrier],
            "prediction": 1 / (1 + np.exp(-signal)),
            "label": late.astype(float),
        }
    )


@dataclass
class Story:
    """The story, told act by act; the clock only moves forward."""

    app: App
    clock: SimulatedClock

    def tell(self) -> None:
        self._data_and_runs()
        self._first_release()
        for number in range(WEEKS):
            self._week(number)
        self._other_models()

    def _data_and_runs(self) -> None:
        for seed in (1, 2):
            self.app.datasets.add_table("flights", flights(seed, 2000 * seed).select([*FEATURES, "label"]))
        environment = EnvironmentSnapshot(
            git_commit="4f2c9e1a" * 5,
            git_dirty=True,
            git_diff="--- a/train.py\n+++ b/train.py\n@@ -1,2 +1,2 @@\n-depth = 4\n+depth = 6\n",
            git_untracked=("notes.md",),
            git_truncated=False,
            git_note="",
            packages=tuple(f"package{number}==1.{number}" for number in range(60)),
            python="3.11.9",
            platform="Linux",
            machine="x86_64",
            cpu_count=8,
            memory_bytes=16 * 2**30,
            seeds={"numpy": 7},
            argv=("train.py", "--depth", "6"),
        )
        for number in range(14):
            self._run(number, environment)

    def _run(self, number: int, environment: EnvironmentSnapshot) -> None:
        tracking = self.app.tracking
        run = tracking.start_run(
            experiment="delay" if number % 4 else "price",
            params={"depth": str(2 + number % 5), "rate": f"{0.05 * (1 + number % 3):g}", "rows": "all"},
            tags={"note": HOSTILE, "owner": "ann"},
            environment=environment,
        )
        points = [
            MetricPoint("auc", 0.72 - 0.3 / (step + 1) + 0.002 * number, step, to_micros(self.clock.now()))
            for step in range(40)
        ]
        tracking.log_metrics(run.run_id, [*points, MetricPoint("loss", 0.4, 0, to_micros(self.clock.now()))])
        tracking.log_input(run.run_id, self.app.datasets.get("flights@1").ref, role="train")
        tracking.log_artifact(run.run_id, "plots/roc.txt", b"0 0\n1 1\n")
        self.clock.move_to(self.clock.now() + timedelta(minutes=7))
        if number != 13:
            tracking.finish_run(run.run_id, "failed" if number == 5 else "finished")

    def _first_release(self) -> None:
        first = self.release("delay", "first", seed=5)
        self.app.registry.promote(first.ref, "champion", reason="First release")
        self.app.endpoints.declare("delay", EndpointSpec("delay@champion"))
        self.set_traffic((Route(1, 1.0),), 0, "First release")

    def _week(self, number: int) -> None:
        self.clock.move_to(START + timedelta(days=1) + (number + 2) * WEEK)
        decayed = 8 <= number < 13
        version = 1 if number < 14 else 3
        warm = 9.0 if 4 <= number < 20 else 0.0
        rows = flights(100 + number, 1500, skill=0.35 if decayed else 1.0, warmer=warm)
        self.watch("delay-weekly", "7d", number, rows, version, labelled=number != 17)
        if number % 4 == 3:
            self.watch_month(number, version)
        if number == 6:
            self._refused()
        if number == 11:
            self._replaced()
        if number == 19:
            self._rolled_back()
        if number == WEEKS - 1:
            self._in_progress()

    def watch(
        self, monitor: str, size: str, week: int, rows: pa.Table, version: int, *, labelled: bool = True
    ) -> None:
        start = START + week * WEEK
        rows = rows.append_column("version", pa.array([version] * rows.num_rows, pa.int64()))
        if not labelled:
            place = rows.column_names.index("label")
            rows = rows.set_column(place, "label", pa.nulls(rows.num_rows, pa.float64()))
        self.app.monitoring.evaluate(
            monitor,
            MonitorSpec(endpoint="delay", window=size, labels=LabelSpec("late", "7d"), tolerance=0.03),
            Window(start, start + (WEEK if size == "7d" else 4 * WEEK)),
            rows,
            reference=_reference(),
            reference_quality=0.71,
        )

    def watch_month(self, week: int, version: int) -> None:
        skill = 0.5 if week in (11, 15) else 1.0
        self.watch("delay-monthly", "28d", week - 3, flights(300 + week, 6000, skill=skill), version)

    def _refused(self) -> None:
        rollout = self.open("retrain", "Schedule `0 3 * * 1`: 21 days of new labels", candidate=0)
        version = self.release("delay", "worse", seed=6, champion="delay@champion", skill=0.2)
        report = self.app.evaluation.get_report(version.report_id)
        self.app.automation.move(
            rollout,
            "refused",
            candidate=version.version,
            gated=version.version,
            kind="candidate_refused",
            words=Words(
                f"Kept delay@1. {report.words}.",
                {"report_id": report.report_id, "rows": report.rows, "passed": False},
            ),
        )

    def _replaced(self) -> None:
        rollout = self.open("retrain", "Quality alarm: AUC was surely below 0.680 in 2 of the last 3 windows")
        version = self.release("delay", "better", seed=7, champion="delay@champion", skill=2.0)
        rollout = self.step(rollout, "shadow", "shadow_started", f"{version.ref} answers in shadow", version)
        self.set_traffic((Route(1, 1.0),), version.version, "shadow")
        rollout = self.step(rollout, "canary", "canary_started", f"{version.ref} answers 5% of the requests")
        self.set_traffic((Route(1, 0.95), Route(version.version, 0.05)), 0, "canary")
        words = "not worse on live labels: AUC 0.731 on 412 of its rows, champion 0.655 on 7,902"
        self.app.registry.promote(version.ref, "champion", reason=words)
        self.set_traffic((Route(version.version, 1.0),), 0, words)
        sentence = f"{version.ref} is champion now, in place of delay@1: {words}"
        self.step(rollout, "promoted", "champion_replaced", sentence, evidence={"candidate_auc": 0.731})

    def _rolled_back(self) -> None:
        rollout = self.open("submitted", "a new feature")
        version = self.release("delay", "submitted", seed=8, champion="delay@champion", skill=2.5)
        rollout = self.step(rollout, "canary", "canary_started", f"{version.ref} answers 5%", version)
        sentence = f"Took {version.ref} back; delay@3 answers everything again. It was worse on live labels"
        self.step(
            rollout,
            "rolled_back",
            "candidate_rolled_back",
            sentence,
            evidence={"candidate_auc": 0.61, "champion_auc": 0.72, "predictions_answered": 231},
        )

    def _in_progress(self) -> None:
        rollout = self.open("retrain", "Schedule `0 3 * * 1`: 28 days of new labels")
        version = self.release("delay", "next", seed=9, champion="delay@champion", skill=2.5)
        self.app.registry.promote(version.ref, "challenger", reason="passed its gates")
        moved = self.step(rollout, "canary", "canary_started", f"{version.ref} answers 25%", version)
        self.set_traffic((Route(3, 0.75), Route(version.version, 0.25)), 0, f"rollout in phase {moved.phase}")

    def _other_models(self) -> None:
        price = self.release("price", "price", seed=10)
        self.app.registry.promote(price.ref, "champion", reason="First release")
        churn = self.release("churn", "churn", seed=11)
        self.app.registry.record_verification(churn.ref, passed=False, cause="columns are swapped: a and b")

    def release(
        self, model: str, label: str, *, seed: int, champion: str = "", skill: float = 1.0
    ) -> ModelVersion:
        """Register a version with a gate report; `skill` above 1 makes it better than the champion."""
        package = self.package(label, seed=seed)
        report = self._judge(model, package, seed, champion, skill)
        run = self.app.tracking.search_runs(experiment="delay", limit=1).runs[0]
        version = self.app.registry.register_version(
            model,
            package,
            run_id=run.run_id,
            report_id=report.report_id,
            datasets=(self.app.datasets.get("flights@1").ref,),
            recipe=RECIPE,
        )
        self.app.registry.record_verification(version.ref, passed=True, words="40 golden requests replayed")
        return self.app.registry.get(version.ref)

    def _judge(self, model: str, package: Digest, seed: int, champion: str, skill: float) -> GateReport:
        rows = flights(seed, 4000)
        labels, scores = _floats(rows, "label"), _floats(rows, "prediction")
        noise = np.random.default_rng(seed).normal(size=len(scores))
        candidate = np.clip(scores + 0.12 * (skill - 1) * (labels - 0.5) + 0.01 * noise, 0, 1)
        current = self.app.registry.get(champion).version if champion else 0
        return self.app.evaluation.judge(
            Trial(
                model=model,
                candidate_digest=package,
                labels=labels,
                candidate_scores=candidate,
                champion_scores=scores if champion else None,
                champion_version=current,
                slices={"carrier": tuple(rows.column("carrier").to_pylist())},
                datasets=(self.app.datasets.get("flights@2").ref,),
                seed=seed,
                draws=100,
            ),
            FULL_GATES if model == "churn" else GATES,
        )

    def package(self, label: str, *, seed: int) -> Digest:
        """Fit a small model, and store it as a package that no other `label` has."""
        from sklearn.linear_model import LogisticRegression

        from paddock.models import build_package, encode_rows, infer_signature, save_package

        table = flights(seed, 500)
        rows = table.select(FEATURES)
        signature = infer_signature(rows)
        matrix = encode_rows(signature, {name: rows.column(name) for name in FEATURES})
        model = LogisticRegression(max_iter=1000).fit(matrix, _floats(table, "label"))
        package = build_package(
            model, sample=rows.slice(0, 20), signature=signature, code=digest_bytes(label.encode())
        )
        return save_package(self.app.objects, package)

    def open(self, origin: str, trigger: str, *, candidate: int = 0) -> Rollout:
        now = self.clock.now()
        draft = Rollout(
            rollout_id=RolloutId(""),
            endpoint="delay",
            model="delay",
            origin="retrain" if origin == "retrain" else "submitted",
            trigger=trigger,
            champion=self.app.registry.get("delay@champion").version,
            candidate=candidate,
            gated=candidate,
            phase="training",
            step=0,
            fit_before=now - 2 * WEEK,
            gate_until=now - WEEK,
            started_at=now,
            phase_started_at=now,
        )
        kind: DecisionKind = "retrain_started" if origin == "retrain" else "candidate_submitted"
        return self.app.automation.open_rollout(draft, kind, Words(f"Retraining delay. {trigger}."))

    def step(
        self,
        rollout: Rollout,
        phase: Phase,
        kind: DecisionKind,
        sentence: str,
        version: ModelVersion | None = None,
        *,
        evidence: dict[str, Json] | None = None,
    ) -> Rollout:
        self.clock.move_to(self.clock.now() + timedelta(hours=20))
        figures = evidence or {"rows": 2000, "candidate_rows": 104}
        return self.app.automation.move(
            rollout,
            phase,
            candidate=version.version if version else 0,
            kind=kind,
            words=Words(f"{sentence}.", figures),
        )

    def set_traffic(self, routes: tuple[Route, ...], shadow: int, reason: str) -> None:
        named = {route.version for route in routes} | ({shadow} - {0})
        self.app.endpoints.set_traffic(
            "delay",
            routes,
            packages={
                each: self.app.registry.get(ModelVersionRef("delay", each)).package_digest for each in named
            },
            shadow_version=shadow,
            reason=reason,
        )


def fill_with_far_too_much(
    folder: Path, *, runs: int = 10_000, windows: int = 400, columns: int = 120
) -> None:
    """Put more into the store than any page can show at once."""
    app, clock = open_page_app(folder)
    try:
        for number in range(runs):
            app.tracking.start_run(
                experiment=f"experiment-with-a-rather-long-name-{number % 40}",
                name=f"run-{number}-" + "long-" * (number % 12),
                params={f"param{place}": f"{number * place}" * (1 + number % 7) for place in range(8)},
            )
        wide = pa.table({f"column_{place:03d}": np.arange(200.0) * place for place in range(columns)})
        app.datasets.add_table("wide", wide)
        base = Story(app, clock)
        package = base.package("many", seed=1)
        for number in range(min(300, runs)):
            app.registry.register_version(f"model-{number:03d}", package)
            app.registry.register_version("many-versions", package)
        _fill_windows(app, clock, windows, columns)
    finally:
        app.close()


def _fill_windows(app: App, clock: SimulatedClock, windows: int, columns: int) -> None:
    rng = np.random.default_rng(1)
    names = [f"feature_with_a_long_name_{place:03d}" for place in range(columns)]

    def table(count: int) -> pa.Table:
        # of two values: a window is judged faster, and its page is as large
        features = {name: np.round(rng.random(count)) for name in names}
        fixed = {"prediction": rng.random(count), "label": np.round(rng.random(count))}
        return pa.table({**features, **fixed, "version": np.ones(count, dtype=np.int64)})

    reference = profile_table(table(2000).drop_columns(["label", "version"]))
    spec = MonitorSpec(endpoint="wide", window="1d", min_rows=50, min_labels=50)
    spec = msgspec.structs.replace(spec, labels=LabelSpec("late"))
    rows = table(200)
    for day in range(windows):
        start = START + timedelta(days=day)
        clock.move_to(start + timedelta(days=1))
        app.monitoring.evaluate(
            "wide",
            spec,
            Window(start, start + timedelta(days=1)),
            rows,
            reference=reference,
            reference_quality=0.5,
        )


@cache
def _reference() -> Profile:
    return profile_table(flights(99, 10_000).select([*FEATURES, "prediction"]))


def _floats(table: pa.Table, name: str) -> FloatArray:
    return np.asarray(table.column(name).to_numpy(), dtype=np.float64)
