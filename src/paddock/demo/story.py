"""`paddock demo`: from nothing to a year of production, and on with it after a crash."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

import msgspec
import pyarrow as pa

from paddock import sdk
from paddock.app import App, LoopParts, build_loop, build_trainer, open_app
from paddock.automation import (
    Declaration,
    GatewayTraffic,
    Loop,
    TrafficStore,
    Watch,
    parse_declaration,
    profile_stretches,
)
from paddock.datasets import profile_table
from paddock.demo.aside import run_aside
from paddock.demo.calendar import HOUR, LABEL_DELAY, OPENED_AT, ROUND, Schedule, rounds
from paddock.demo.client import GatewayClient
from paddock.demo.flights import read_year, split_months
from paddock.demo.memory import MemoryWatch, give_back
from paddock.demo.options import FIRST_MONTH, DemoOptions
from paddock.demo.plot import SCENES, Plot
from paddock.demo.release import MODEL, ingest, reference_rows, release_first
from paddock.demo.replay import Replay
from paddock.demo.report import DemoReport, build_report
from paddock.demo.show import Show
from paddock.kernel.clock import SimulatedClock
from paddock.kernel.errors import AlreadyExists, NotFound, StoreInUse
from paddock.kernel.settings import Settings
from paddock.models import WorkerPool
from paddock.pipelines import load_pipeline
from paddock.serving import GatewayOptions, GatewayState, GatewaySupervisor

CHECKPOINT = "demo.json"


class Checkpoint(msgspec.Struct, frozen=True):
    """Where a demo stands: options that must not change, and the first round not yet played."""

    until: str
    seed: int
    next_round: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class Stage:
    """What a demo runs on."""

    app: App
    clock: SimulatedClock
    plan: Declaration
    options: DemoOptions
    months: dict[int, pa.Table]
    show: Show
    workers: WorkerPool

    @property
    def checkpoint_path(self) -> Path:
        return self.app.store.folder / CHECKPOINT


def run_demo(settings: Settings, options: DemoOptions) -> int:
    """Play the demo in the store that `settings` name; return the exit code.

    Raises StoreInUse when another demo runs there, AlreadyExists when the store holds one that was not
    asked to be resumed, NotFound when there is none to resume.
    """
    last_month = options.last_month

    # A fit takes 2.4 s so. With threads that never spin while they wait it is 8 s, and beside a busy process
    # with the 300,000 turns that are the default it is 117 s
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    with ExitStack() as stack:
        folder = stack.enter_context(_own_folder(settings))
        _check_start(folder, options)
        show = stack.enter_context(Show(settings, serve=options.serve))
        memory = stack.enter_context(MemoryWatch())
        clock = SimulatedClock(datetime.fromisoformat("2013-04-01T00:00:00+00:00"))
        app = stack.enter_context(closing(open_app(settings, clock=clock)))
        sdk.connect(app)
        stack.callback(sdk.disconnect)
        with show.step("Reading the flights of 2013"):
            months = split_months(read_year())
        workers = stack.enter_context(WorkerPool(app.objects))
        stage = Stage(app, clock, _read_plan(options.seed), options, months, show, workers)
        report = _play(stage, stack, last_month, memory)
        show.report(report)
        if options.report:
            options.report.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
        if options.serve:
            show.stay()
    return 0


def _play(stage: Stage, stack: ExitStack, last_month: int, memory: MemoryWatch) -> DemoReport:
    started = time.monotonic()
    app, show, seed = stage.app, stage.show, stage.options.seed
    with show.step("Storing January to March as dataset versions"):
        ingest(app, stage.months, range(1, 4))
    with show.step("Fitting, gating on March, refitting, releasing the first champion"):
        release = release_first(app, stage.workers, stage.plan, seed)
    with show.step("Profiling the first quarter as the monitors' reference"):
        yardstick = run_aside(lambda: reference_rows(app, stage.months, seed))
        reference = profile_table(yardstick.drop_columns("event_time"))
    flights = pa.concat_tables([stage.months[month] for month in range(FIRST_MONTH, last_month + 1)])
    schedule = Schedule(flights.sort_by([("event_time", "ascending"), ("key", "ascending")]))
    with show.step("Starting the gateway"):
        state = GatewayState(app.gateway_folder(MODEL))
        supervisor = _start_gateway(app, state, stack)
    loop = _make_loop(stage, state, supervisor)
    watches = tuple(
        Watch(
            name=name,
            spec=spec,
            opened_at=OPENED_AT,
            reference=reference,
            reference_quality=release.quality,
            monitoring=app.monitoring,
            clock=stage.clock,
            live=loop.live,
            stretches=profile_stretches(yardstick, reference, spec.window),
        )
        for name, spec in stage.plan.monitor.items()
    )
    plot = Plot(loop, app, seed)
    client = GatewayClient(lambda: supervisor.gateway.url, MODEL)
    replay = Replay(schedule, stage.clock, client, loop, watches, plot.hand_in)
    before = _read_checkpoint(stage.checkpoint_path)
    _replay_rounds(stage, replay, before, state, started)
    seconds = (before.seconds if before else 0.0) + time.monotonic() - started
    with show.step("Computing the report"):
        return build_report(
            app,
            release,
            schedule,
            state.predictions_folder,
            months=range(FIRST_MONTH, last_month + 1),
            planted=[scene.planted for scene in SCENES],
            handed_in=plot.rollouts(),
            seconds=seconds,
            peak_rss_mb=memory.peak_mb,
        )


def _replay_rounds(
    stage: Stage, replay: Replay, before: Checkpoint | None, state: GatewayState, started: float
) -> None:
    begin = before.next_round if before else OPENED_AT
    stage.clock.move_to(begin)
    if before:
        replay.recall(state.predictions_folder, begin)
    replay.loop.settle()
    elapsed = before.seconds if before else 0.0
    end = replay.schedule.ends_at
    ingested = FIRST_MONTH - 1
    with stage.show.progress(replay.schedule.row_count) as advance:
        advance(replay.schedule.between(OPENED_AT, begin).num_rows, begin)
        for at in rounds(begin, end):
            ingested = _ingest_past(stage, at, ingested)
            advance(replay.play_round(at), at)
            seconds = elapsed + time.monotonic() - started
            if at.hour < ROUND // HOUR:  # once a day
                give_back()
            _write_checkpoint(stage, Checkpoint(stage.options.until, stage.options.seed, at + ROUND, seconds))
    for at in rounds(end, end + LABEL_DELAY + ROUND):  # nothing flies, the last labels come
        replay.look(at)


def _ingest_past(stage: Stage, at: datetime, ingested: int) -> int:
    """Store the months that are over by `at` as dataset versions; return the last one stored."""
    while ingested + 1 < at.month:
        ingested += 1
        ingest(stage.app, stage.months, range(ingested, ingested + 1))
    return ingested


def _start_gateway(app: App, state: GatewayState, stack: ExitStack) -> GatewaySupervisor:
    settings = app.settings
    options = GatewayOptions(
        state=state.folder,
        host=settings.text("host"),
        port=0,
        max_batch_rows=settings.whole("max_batch_rows"),
        worker_threads=settings.whole("worker_threads"),
        worker_timeout_s=settings.real("worker_timeout_s"),
        shadow_wait_s=settings.real("worker_timeout_s"),  # every shadow answer counts: same seed, same report
        idempotency_keys=400_000,  # a resumed demo sends whole rounds again
    )
    supervisor = GatewaySupervisor(options)
    stack.callback(supervisor.stop)
    return supervisor


def _make_loop(stage: Stage, state: GatewayState, supervisor: GatewaySupervisor) -> Loop:
    app, plan, seed = stage.app, stage.plan, stage.options.seed
    app.endpoints.declare(MODEL, plan.endpoint[MODEL])

    trainer = build_trainer(app, plan, MODEL, load_pipeline)
    traffic = GatewayTraffic(TrafficStore(app.endpoints, app.registry, app.objects), state, supervisor)
    return build_loop(app, plan, MODEL, LoopParts(trainer, traffic, stage.workers, OPENED_AT, seed))


def _read_plan(seed: int) -> Declaration:
    """Return the demo's declaration; its pipeline is given the demo's seed."""
    source = files("paddock.demo").joinpath("paddock.toml")
    plan = parse_declaration(source.read_text(), source="the demo's paddock.toml")
    train = plan.pipeline["train"]
    seeded = msgspec.structs.replace(train, params={**train.params, "seed": seed})
    return msgspec.structs.replace(plan, pipeline={**plan.pipeline, "train": seeded})


@contextmanager
def _own_folder(settings: Settings) -> Iterator[Path]:
    """Hold the store's folder, so that no second demo writes into it."""
    folder = Path(settings.text("store"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "demo.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise StoreInUse(
                f"another demo runs in `{folder}` (process {lock.read(20).strip() or 'unknown'})",
                hint="paddock demo --store ANOTHER_FOLDER",
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield folder


def _check_start(folder: Path, options: DemoOptions) -> None:
    held = _read_checkpoint(folder / CHECKPOINT)
    has_store = (folder / "metadata.db").exists()
    if options.resume and not has_store:
        raise NotFound(f"`{folder}` holds no demo to resume", hint="paddock demo")
    if not options.resume and has_store:
        raise AlreadyExists(
            f"`{folder}` holds a store already",
            hint="paddock demo --resume, or paddock demo --store ANOTHER_FOLDER",
        )
    if held and (held.until, held.seed) != (options.until, options.seed):
        raise AlreadyExists(
            f"the demo in `{folder}` was started with --until {held.until} --seed {held.seed}",
            hint=f"paddock demo --resume --until {held.until} --seed {held.seed}",
        )


def _read_checkpoint(path: Path) -> Checkpoint | None:
    return msgspec.json.decode(path.read_bytes(), type=Checkpoint) if path.exists() else None


def _write_checkpoint(stage: Stage, checkpoint: Checkpoint) -> None:
    temporary = stage.checkpoint_path.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.encode(checkpoint))
    temporary.replace(stage.checkpoint_path)
