"""A small world for tests of the loop: made-up flights, a trainer, and a stage with a real gateway.

Lateness follows one column at a time: `wind` for the first champion, `rain` once the endpoint is open, `snow`
after `SNOW_AT`. A model fitted on the right column is good, on another one it guesses.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from gateway_kit import Client
from sklearn.linear_model import LogisticRegression

from paddock.app import App, open_app
from paddock.automation import (
    Decision,
    GatewayTraffic,
    LabelledRows,
    LiveRows,
    Loop,
    LoopPlan,
    RetrainSpec,
    Rooms,
    Traffic,
    TrafficControl,
    TrafficStore,
    Trainer,
    TrainingRequest,
)
from paddock.datasets import Datasets
from paddock.evaluation import Trial, parse_gates
from paddock.kernel.clock import SimulatedClock, format_time, to_micros
from paddock.kernel.digest import digest_bytes
from paddock.kernel.refs import ModelVersionRef
from paddock.kernel.settings import resolve_settings
from paddock.models import WorkerPool, build_package, encode_rows, infer_signature, save_package
from paddock.objects import ObjectStore
from paddock.registry import ModelVersion, Recipe, Registry
from paddock.serving import EndpointSpec, GatewayOptions, GatewayState, GatewaySupervisor, RolloutSpec

Matrix = npt.NDArray[np.float64]

MODEL = "delay"
LABEL = "late"
FEATURES = ("wind", "rain", "snow")
OPENED_AT = datetime(2013, 4, 1, tzinfo=UTC)
SNOW_AT = datetime(2013, 4, 18, tzinfo=UTC)
ROUND = timedelta(hours=6)
LABEL_DELAY = timedelta(days=1)
ROUND_ROWS = 160
RECIPE = Recipe(*(digest_bytes(part) for part in (b"code", b"params", b"lock")))
GATES = parse_gates(
    [
        {"metric": "roc_auc", "at_least": 0.6},
        {"metric": "roc_auc", "versus": "champion", "margin": 0.0, "confidence": 0.95},
    ]
)
SPEC = EndpointSpec(
    f"{MODEL}@champion",
    RolloutSpec(
        shadow_rows=ROUND_ROWS, canary=(0.25, 0.5), hold_rows=100, hold_at_least="6h", labelled_rows=60
    ),
)
RETRAIN = RetrainSpec(
    pipeline="train", when=("cron: 0 0 * * *",), cooldown="4d", gate_window="1d", min_new="2d"
)


def flights(at: datetime, count: int = ROUND_ROWS) -> pa.Table:
    """Return the flights of the six hours from `at`, always the same ones."""
    rng = np.random.default_rng(to_micros(at) // 1_000_000)
    columns = {name: rng.normal(size=count).round(6) for name in FEATURES}
    ruling = "wind" if at < OPENED_AT else "rain" if at < SNOW_AT else "snow"
    late = rng.random(count) < 1 / (1 + np.exp(-2.5 * columns[ruling]))
    times = [at + ROUND * (place / count) for place in range(count)]
    return pa.table(
        {
            **columns,
            LABEL: late.astype(float),
            "event_time": pa.array(times, pa.timestamp("us", tz="UTC")),
            "key": [f"{at:%m%d%H}-{place}" for place in range(count)],
        }
    )


def labels_of(rows: pa.Table) -> Matrix:
    return np.asarray(rows[LABEL].to_numpy(), dtype=np.float64)


def matrix_of(rows: pa.Table) -> Matrix:
    return np.column_stack([rows[name].to_numpy() for name in FEATURES])


def register(
    objects: ObjectStore,
    registry: Registry,
    estimator: object,
    rows: pa.Table,
    *,
    order: Sequence[str] = FEATURES,
    refit_of: int = 0,
    key: str = "",
) -> ModelVersion:
    """Register a fitted estimator; `order`: how the hand-off lists the columns, which may be wrong."""
    sample = rows.select(list(FEATURES)).slice(0, 40)
    package = build_package(
        estimator,
        sample=sample,
        signature=infer_signature(rows.select(list(order))),
        features=encode_rows(infer_signature(sample), {name: sample[name] for name in FEATURES}),
    )
    digest = save_package(objects, package)
    return registry.register_version(MODEL, digest, refit_of=refit_of, recipe=RECIPE, key=key)


@dataclass(frozen=True, slots=True)
class RegressionTrainer:
    """Fits a logistic regression on the labelled rows of the request."""

    datasets: Datasets
    objects: ObjectStore
    registry: Registry

    def train(self, request: TrainingRequest) -> ModelVersionRef:
        rows = pa.concat_tables(
            self.datasets.read(str(ref)).select([*FEATURES, LABEL, "event_time"]) for ref in request.datasets
        )
        known = pc.less(rows["event_time"].cast(pa.int64()), to_micros(request.fit_before))
        rows = rows.filter(known).combine_chunks()
        estimator = LogisticRegression().fit(matrix_of(rows), labels_of(rows))
        return register(
            self.objects, self.registry, estimator, rows, refit_of=request.refit_of, key=request.key
        ).ref


@dataclass(slots=True)
class Stage:
    """One endpoint in one store, with a gateway, simulated time and a loop that can be thrown away."""

    folder: Path
    stack: ExitStack
    clock: SimulatedClock = field(default_factory=lambda: SimulatedClock(OPENED_AT - timedelta(hours=1)))
    seen: dict[str, str] = field(default_factory=dict)
    at: datetime = OPENED_AT
    app: App = field(init=False)
    workers: WorkerPool = field(init=False)
    state: GatewayState = field(init=False)
    traffic: GatewayTraffic = field(init=False)
    client: Client = field(init=False)
    loop: Loop = field(init=False)

    def __post_init__(self) -> None:
        settings = resolve_settings({"store": str(self.folder), "principal": "ann"}, {}, {})
        self.app = open_app(settings, clock=self.clock)
        self.stack.callback(self.app.close)
        self.workers = WorkerPool(self.app.objects)
        self.stack.callback(self.workers.close)
        self.app.endpoints.declare(MODEL, SPEC)
        self.release_first()
        self.state = GatewayState(self.app.gateway_folder(MODEL))
        supervisor = GatewaySupervisor(
            GatewayOptions(state=self.state.folder, port=0, shadow_wait_s=60.0, drain_grace_s=0.0)
        )
        self.stack.callback(supervisor.stop)
        app = self.app
        self.traffic = GatewayTraffic(
            TrafficStore(app.endpoints, app.registry, app.objects), self.state, supervisor
        )
        self.client = Client(supervisor.gateway.url)
        self.stack.callback(self.client.close)
        self.clock.move_to(OPENED_AT)
        self.loop = self.make_loop()
        self.loop.settle()

    @property
    def rooms(self) -> Rooms:
        app = self.app
        return Rooms(app.automation, app.evaluation, app.monitoring, app.registry, self.workers)

    @property
    def trainer(self) -> RegressionTrainer:
        return RegressionTrainer(self.app.datasets, self.app.objects, self.app.registry)

    def make_loop(
        self,
        *,
        rooms: Rooms | None = None,
        trainer: Trainer | None = None,
        traffic: TrafficControl | None = None,
        retrain: RetrainSpec | None = RETRAIN,
    ) -> Loop:
        """Return a loop as a new process would make it: nothing of it was in memory before."""
        live = LiveRows(self.state.predictions_folder)
        return Loop(
            plan=LoopPlan(MODEL, SPEC, GATES, OPENED_AT, LABEL_DELAY, retrain, seed=1),
            rooms=rooms or self.rooms,
            trainer=trainer or self.trainer,
            traffic=traffic or self.traffic,
            live=live,
            labelled=LabelledRows(f"{MODEL}-labelled", LABEL, OPENED_AT, self.app.datasets, live),
        )

    def release_first(self) -> None:
        """Make a model of the time before champion: it knows about wind, which rules no longer."""
        rows = flights(OPENED_AT - ROUND, 2000)
        estimator = LogisticRegression().fit(matrix_of(rows), labels_of(rows))
        version = register(self.app.objects, self.app.registry, estimator, rows)
        scores = estimator.predict_proba(matrix_of(rows))[:, 1]
        trial = Trial(MODEL, version.package_digest, labels_of(rows), scores, draws=100)
        report = self.app.evaluation.judge(trial, GATES)
        self.app.registry.attach_report(version.ref, report.report_id)
        self.app.registry.promote(version.ref, "champion", reason="first release")

    def hand_in(
        self, estimator: object, rows: pa.Table, reason: str, order: Sequence[str] = FEATURES
    ) -> ModelVersionRef:
        """Register a candidate of a person's and submit it."""
        version = register(self.app.objects, self.app.registry, estimator, rows, order=order)
        self.loop.submit(version.ref, reason=reason)
        return version.ref

    def labelled_before(self, end: datetime, days: int) -> pa.Table:
        """Return what a data scientist has at hand: the flights of some days before `end`, with labels."""
        start = end - timedelta(days=days)
        return pa.concat_tables(flights(start + ROUND * place) for place in range(4 * days))

    def play_round(self) -> None:
        """Send due labels, let the loop look, then let the flights of the next six hours be answered."""
        self.send_labels()
        self.look()
        self.fly()

    def look(self) -> None:
        self.loop.tick()

    def play_until_idle(self, rounds: int = 60) -> None:
        """Play until no rollout is open."""
        for _ in range(rounds):
            self.play_round()
            if self.app.automation.find_open(MODEL) is None:
                return
        raise AssertionError(f"a rollout is still open after {rounds} rounds: {self.decisions()[-1]}")

    def play_until_open(self, rounds: int = 60) -> None:
        """Play until a retraining begins."""
        for _ in range(rounds):
            before = len(self.app.automation.list_rollouts(MODEL))
            self.play_round()
            if len(self.app.automation.list_rollouts(MODEL)) > before:
                return
        raise AssertionError(f"no retraining began within {rounds} rounds")

    def send_labels(self) -> None:
        self.clock.move_to(self.at)
        due = flights(self.at - LABEL_DELAY - ROUND)
        ids = [self.seen.pop(key, "") for key in due["key"].to_pylist()]
        pairs = [pair for pair in zip(ids, due[LABEL].to_pylist(), strict=True) if pair[0]]
        if pairs:
            times = [format_time(self.at)] * len(pairs)
            body = {
                "prediction_id": [one for one, _ in pairs],
                "label": [label for _, label in pairs],
                "event_time": times,
            }
            assert self.client.ask("POST", f"/v2/models/{MODEL}/labels", body).status == 200

    def fly(self) -> None:
        rows = flights(self.at)
        keys = [str(key) for key in rows["key"].to_pylist()]
        reply = self.client.infer(
            {name: rows[name].to_pylist() for name in FEATURES},
            idempotency_key=keys,
            event_time=[format_time(moment) for moment in rows["event_time"].to_pylist()],
        )
        self.seen.update(zip(keys, reply.ids, strict=True))
        self.at += ROUND

    def decisions(self) -> tuple[Decision, ...]:
        """Return every decision so far, oldest first."""
        return tuple(reversed(self.app.automation.list_decisions(endpoint=MODEL)))

    def champion(self) -> int:
        return self.app.registry.get(f"{MODEL}@champion").version


@dataclass(slots=True)
class RecordedTraffic:
    """A TrafficControl that only remembers; `down` is raised instead while it is set."""

    moves: list[Traffic] = field(default_factory=list)
    down: Exception | None = None

    def apply(self, endpoint: str, model: str, traffic: Traffic, *, reason: str) -> None:
        if self.down is not None:
            raise self.down
        if not self.moves or self.moves[-1] != traffic:
            self.moves.append(traffic)


def without_ids(decisions: Sequence[Decision]) -> list[Decision]:
    """Return decisions without what differs from store to store: ids and places in the ledger."""
    return [
        msgspec.structs.replace(
            decision,
            rollout_id="",
            position=0,
            evidence={name: value for name, value in decision.evidence.items() if name != "report_id"},
        )
        for decision in decisions
    ]
