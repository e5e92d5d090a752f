"""A loop over real services on SQLite, with traffic that is only recorded and a log written by hand."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from struct import pack

import msgspec
import numpy as np
import numpy.typing as npt
from loop_kit import RecordedTraffic

from paddock.app import open_app
from paddock.automation import (
    Automation,
    Decision,
    LabelledRows,
    LiveRows,
    Loop,
    LoopPlan,
    RetrainSpec,
    Rollout,
    Rooms,
    Trainer,
    TrainingRequest,
)
from paddock.automation.records import Origin, Phase, Words
from paddock.evaluation import GateSpec, Trial
from paddock.kernel.clock import SimulatedClock, to_micros
from paddock.kernel.errors import Conflict
from paddock.kernel.ids import RolloutId, new_id
from paddock.kernel.refs import ModelVersionRef
from paddock.kernel.settings import resolve_settings
from paddock.models import GoldenSummary, PackageManifest, Signature, WorkerPool
from paddock.prediction_log import (
    FeatureColumn,
    LabelRecord,
    PredictionRecord,
    Stage,
    append_labels,
    digest_rows,
    open_log,
    pack_features,
)
from paddock.serving import EndpointSpec, RolloutSpec

FloatArray = npt.NDArray[np.float64]

OPENED_AT = datetime(2013, 4, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
GATES = (GateSpec(metric="roc_auc", at_least=0.6),)
ROLLOUT = RolloutSpec(shadow_rows=50, canary=(0.2, 0.5), hold_rows=50, hold_at_least="1h", labelled_rows=60)
RETRAIN = RetrainSpec(
    pipeline="train", when=("cron: 0 * * * *",), cooldown="1d", gate_window="1d", min_new="2d"
)


class BrokenTrainer:
    """Fails each time with `error`, and counts how often it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error or Conflict("pipeline `train` failed: step `fit`: no rows")
        self.asked = 0

    def train(self, request: TrainingRequest) -> ModelVersionRef:
        self.asked += 1
        raise self.error


class FoundTrainer:
    """Returns a version that is there already."""

    def __init__(self, ref: ModelVersionRef) -> None:
        self.ref = ref

    def train(self, request: TrainingRequest) -> ModelVersionRef:
        return self.ref


class Shop:
    """One endpoint `delay`, champion version 1, and short ways to the states a test starts from."""

    def __init__(self, folder: Path) -> None:
        self.clock = SimulatedClock(OPENED_AT)
        folder.mkdir(parents=True, exist_ok=True)
        settings = resolve_settings({"store": str(folder / "store"), "principal": "ann"}, {}, {})
        self.app = open_app(settings, clock=self.clock)
        self.workers = WorkerPool(self.app.objects)
        self.log_folder = folder / "predictions"
        self.log_folder.mkdir()
        self.traffic = RecordedTraffic()
        self.loop = self.make_loop()

    def close(self) -> None:
        self.workers.close()
        self.app.close()

    @property
    def automation(self) -> Automation:
        return self.app.automation

    def make_loop(
        self,
        *,
        trainer: Trainer | None = None,
        spec: RolloutSpec = ROLLOUT,
        retrain: RetrainSpec | None = None,
        gates: tuple[GateSpec, ...] = GATES,
    ) -> Loop:
        app, live = self.app, LiveRows(self.log_folder)
        return Loop(
            plan=LoopPlan("delay", EndpointSpec("delay@champion", spec), gates, OPENED_AT, DAY, retrain),
            rooms=Rooms(app.automation, app.evaluation, app.monitoring, app.registry, self.workers),
            trainer=trainer or BrokenTrainer(),
            traffic=self.traffic,
            live=live,
            labelled=LabelledRows("delay-labelled", "late", OPENED_AT, app.datasets, live),
        )

    def version(self) -> int:
        """Register a version that passed its gate; its model file is a stub that no worker can load."""
        model = self.app.objects.put(f"model {new_id()}".encode())
        manifest = PackageManifest(
            signature=Signature(columns=()),
            estimator="Stub",
            types=(),
            python="3.11",
            packages=(),
            files={"model.skops": model},
            golden=GoldenSummary(1, 0.0, 1.0),
        )
        package = self.app.objects.put(msgspec.json.encode(manifest, order="sorted"))
        trial = Trial("delay", package, labels(100), scores(100), draws=20)
        report = self.app.evaluation.judge(trial, GATES)
        return self.app.registry.register_version("delay", package, report_id=report.report_id).version

    def promote(self, version: int, reason: str = "by hand") -> None:
        self.app.registry.promote(ModelVersionRef("delay", version), "champion", reason=reason)

    def start(
        self,
        phase: Phase,
        *,
        candidate: int = 0,
        step: int = 0,
        champion: int = 1,
        origin: Origin = "submitted",
    ) -> Rollout:
        """Open a rollout that stands in `phase`."""
        return self.automation.open_rollout(
            draft(
                phase=phase, candidate=candidate, gated=candidate, step=step, champion=champion, origin=origin
            ),
            "candidate_submitted",
            Words("handed in"),
        )

    def decisions(self) -> tuple[Decision, ...]:
        return tuple(reversed(self.automation.list_decisions(endpoint="delay")))

    def answer(
        self,
        at: datetime,
        versions: Sequence[int],
        predictions: Iterable[float],
        *,
        shadow: int = 0,
        keys: Sequence[str] = (),
        features: Sequence[tuple[str, Iterable[float]]] = (),
        stage: Stage = Stage.CHAMPION,
    ) -> list[str]:
        """Log one request whose rows have event times one second apart; return the prediction ids."""
        count, answers = len(versions), list(predictions)
        columns = tuple(FeatureColumn(name, "number") for name, _ in features)
        block = pack_features(columns, {name: list(values) for name, values in features}, count)
        ids = [new_id() for _ in versions]
        times = [to_micros(at) + place * 1_000_000 for place in range(count)]
        record = PredictionRecord(
            model="delay",
            received_at=to_micros(at),
            features=block,
            prediction_ids=b"".join(bytes.fromhex(one) for one in ids),
            event_times=pack(f"<{count}q", *times),
            versions=pack(f"<{count}I", *versions),
            stages=bytes([stage] * count),
            predictions=pack(f"<{count}d", *answers),
            keys=tuple(keys),
            digests=digest_rows(block, count) if keys else b"",
            shadow_version=shadow,
            shadow_predictions=pack(f"<{count}d", *answers) if shadow else b"",
        )
        log = open_log(self.log_folder)
        asyncio.run(log.append(record))
        log.close()
        return ids

    def label(self, ids: Sequence[str], values: Iterable[float], at: datetime) -> None:
        count = len(ids)
        record = LabelRecord(
            received_at=to_micros(at),
            prediction_ids=b"".join(bytes.fromhex(one) for one in ids),
            labels=pack(f"<{count}d", *values),
            event_times=pack(f"<{count}q", *[to_micros(at)] * count),
        )
        append_labels(self.log_folder, record)


def draft(**given: object) -> Rollout:
    """Return a rollout of candidate 2 that may be opened."""
    plain = Rollout(
        rollout_id=RolloutId(""),
        endpoint="delay",
        model="delay",
        origin="submitted",
        trigger="better, says ann",
        champion=1,
        candidate=2,
        gated=2,
        phase="verifying",
        step=0,
        fit_before=OPENED_AT,
        gate_until=OPENED_AT + DAY,
        started_at=OPENED_AT,
        phase_started_at=OPENED_AT,
    )
    return msgspec.structs.replace(plain, **given)


def labels(count: int) -> FloatArray:
    """Return 0, 1, 0, 1 ..."""
    return np.tile([0.0, 1.0], (count + 1) // 2)[:count]


def scores(count: int, *, good: bool = True) -> FloatArray:
    """Return answers that mostly fit `labels`, or that fit them no better than chance."""
    rng = np.random.default_rng(count)
    return np.clip(0.5 + (labels(count) - 0.5) * (0.4 if good else 0.0) + rng.normal(0, 0.1, count), 0, 1)
