"""The loops that paddock.toml declares, put together from the services of one store."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.app.endpoints import gateway_options
from paddock.app.releases import Release, release_of
from paddock.automation import (
    Declaration,
    LabelledRows,
    LiveRows,
    Loop,
    LoopPlan,
    PipelineTrainer,
    Rooms,
    TrafficControl,
    Watch,
    parse_declaration,
    sweep_rehearsals,
)
from paddock.kernel.durations import parse_duration
from paddock.kernel.errors import InvalidSettings, NotFound, PaddockError
from paddock.kernel.refs import parse_ref
from paddock.models import WorkerPool
from paddock.monitoring import LabelSpec, MonitorSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from paddock.app import App
    from paddock.automation import Trainer, TrainingRequest
    from paddock.kernel.refs import ModelVersionRef
    from paddock.pipelines import Pipeline

    FindPipeline = Callable[[str], Pipeline[..., object]]

log = logging.getLogger("paddock.app")


@dataclass(slots=True)
class EndpointLoop:
    """One endpoint's monitors and its loop. What this process remembers, another finds in the store."""

    app: App
    loop: Loop
    monitors: Mapping[str, MonitorSpec]
    _release: Release | None = None
    _looked_at: dict[str, datetime] = field(default_factory=dict)
    _problems: tuple[str, ...] = ()

    def tick(self) -> bool:
        """Judge the windows that are due, then what follows; return whether all of that went well.

        A problem is told once and tried again. One of a monitor keeps neither the other monitors nor
        rollouts and traffic from going on.
        """
        works: list[Callable[[], object]] = [partial(self._watch, name) for name in self.monitors]
        problems: list[str] = []
        for work in (*works, self.loop.tick):
            try:
                work()
            except PaddockError as error:
                if error.message not in (*self._problems, *problems):
                    fields = {"endpoint": self.loop.plan.endpoint, "reason": error.message}
                    log.warning("loop.waits", extra=fields)
                problems.append(error.message)
        self._problems = tuple(problems)
        return not problems

    def _watch(self, name: str) -> None:
        spec, release = self.monitors[name], self._champions_release()
        watch = Watch(
            name=name,
            spec=spec,
            opened_at=self.loop.plan.opened_at,
            reference=release.profile,
            reference_quality=release.qualities.get(spec.metric, float("nan")),
            monitoring=self.app.monitoring,
            clock=self.app.clock,
            live=self.loop.live,
        )
        looks_at = self.app.clock.now()
        since = self._looked_at.get(name) or self._judged_until(name, spec)
        watch.tick(since)
        watch.revise(since, release.version)
        self._looked_at[name] = looks_at

    def _champions_release(self) -> Release:
        champion = self.app.registry.get_packaged(f"{self.loop.plan.model}@champion")
        if self._release is None or self._release.version != champion.version:
            self._release = release_of(self.app, champion, self.loop.plan.endpoint)
        return self._release

    def _judged_until(self, name: str, spec: MonitorSpec) -> datetime:
        """Return the moment after which windows may wait for the first look of this process."""
        try:
            newest = self.app.monitoring.list_windows(name, limit=1)[0]
        except NotFound:
            return self.loop.plan.opened_at
        delay = parse_duration(spec.labels.delay) if spec.labels else timedelta(0)
        return max(self.loop.plan.opened_at, newest.end - delay - (newest.end - newest.start))


def read_declaration(path: Path) -> Declaration:
    """Return what the file declares; NotFound when there is none."""
    if not path.is_file():
        raise NotFound(
            f"there is no `{path.name}` in {path.resolve().parent}, so nothing is declared",
            hint="declare [endpoint.NAME], [monitor.NAME] and [retrain.NAME] in it",
        )
    try:
        return parse_declaration(path.read_text(), source=path.name)
    except UnicodeDecodeError as error:
        raise InvalidSettings(f"`{path.name}` is not UTF-8") from error


@dataclass(frozen=True, slots=True)
class LoopParts:
    """What a loop is given beside its declaration.

    opened_at: event time of the endpoint's first request, None for when it was declared.
    """

    trainer: Trainer
    traffic: TrafficControl
    workers: WorkerPool
    opened_at: datetime | None = None
    seed: int = 0


def build_endpoint_loop(app: App, declaration: Declaration, name: str, parts: LoopParts) -> EndpointLoop:
    """Return the loop of a declared endpoint, with the monitors that watch it."""
    return EndpointLoop(app, build_loop(app, declaration, name, parts), _monitors(declaration, name))


def build_loop(app: App, declaration: Declaration, name: str, parts: LoopParts) -> Loop:
    """Return the loop of the endpoint `name`, which must be declared in the store too.

    What rehearsals of killed loops have left in the endpoint's folder is removed.
    """
    sweep_rehearsals(app.gateway_folder(name))
    endpoint = app.endpoints.get_endpoint(name)
    model, _ = parse_ref("model", endpoint.spec.model)
    labels = _labels(declaration, name)
    declared_model = declaration.model.get(model)
    plan = LoopPlan(
        endpoint=name,
        spec=endpoint.spec,
        gates=declared_model.gates if declared_model else (),
        opened_at=parts.opened_at or endpoint.created_at,
        label_delay=parse_duration(labels.delay) if labels else timedelta(0),
        retrain=declaration.retrain.get(name),
        seed=parts.seed,
        gateway=gateway_options(app, name, 0),
    )
    rooms = Rooms(app.automation, app.evaluation, app.monitoring, app.registry, parts.workers)
    live = LiveRows(app.gateway_folder(name) / "predictions")
    label_name = labels.column if labels else "label"
    kept = LabelledRows(f"{name}-labelled", label_name, plan.opened_at, app.datasets, live)
    return Loop(plan, rooms, parts.trainer, parts.traffic, live, kept)


def build_trainer(app: App, declaration: Declaration, name: str, find: FindPipeline) -> Trainer:
    """Return who fits candidates for the endpoint `name`; find: turns an entry into a pipeline.

    Where no retraining is declared, candidates are only submitted by people.
    """
    retrain = declaration.retrain.get(name)
    if retrain is None:
        return _NoTrainer()
    spec = declaration.pipeline[retrain.pipeline]
    parallel = app.settings.whole("parallel_steps")
    return PipelineTrainer(app.pipelines, find(spec.entry), dict(spec.params), parallel)


class _NoTrainer:
    def train(self, request: TrainingRequest) -> ModelVersionRef:
        raise NotFound(f"no pipeline is declared that fits `{request.model}`", hint="declare [retrain.NAME]")


def _monitors(declaration: Declaration, name: str) -> Mapping[str, MonitorSpec]:
    return {key: spec for key, spec in declaration.monitor.items() if spec.endpoint == name}


def _labels(declaration: Declaration, name: str) -> LabelSpec | None:
    return next((spec.labels for spec in _monitors(declaration, name).values() if spec.labels), None)
