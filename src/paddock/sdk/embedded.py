"""The store in this process: a folder, or PostgreSQL, reached through the services of an `App`."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from paddock.app import App
from paddock.kernel.digest import Digest, parse_digest
from paddock.kernel.ids import RunId
from paddock.kernel.refs import DatasetRef, ModelVersionRef, parse_ref, parse_version
from paddock.sdk.places import destination_of
from paddock.sdk.ports import Destination, RunRecord
from paddock.tracking import EnvironmentSnapshot, RunBatch
from paddock.wire import structs

if TYPE_CHECKING:
    import pyarrow as pa

    from paddock.models import Package

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EmbeddedStore:
    """The SDK's store over an open app; it closes the app only if the app owns its store."""

    app: App

    @property
    def destination(self) -> Destination:
        return destination_of(self.app.settings, self.app.actor)

    @property
    def runs(self) -> "EmbeddedRuns":
        return EmbeddedRuns(self.app)

    @property
    def deliveries(self) -> "EmbeddedRuns":
        return self.runs

    @property
    def datasets(self) -> "EmbeddedDatasets":
        return EmbeddedDatasets(self.app)

    @property
    def models(self) -> "EmbeddedModels":
        return EmbeddedModels(self.app)

    @property
    def rollouts(self) -> "EmbeddedRollouts":
        return EmbeddedRollouts(self.app)

    def now(self) -> datetime:
        return self.app.clock.now()

    def close(self) -> None:
        self.app.close()


@dataclass(frozen=True, slots=True)
class EmbeddedRuns:
    app: App

    def start(self, request: structs.StartRun, *, key: str) -> RunRecord:
        run = self.app.tracking.start_run(
            experiment=request.experiment,
            name=request.name,
            params=request.params,
            tags=request.tags,
            parent_id=request.parent_id,
            environment=_read_environment(request.environment),
            run_id=RunId(request.run_id) if request.run_id else None,
            started_at=request.started_at,
            key=key,
        )
        return _view(run, RunRecord)

    def log(self, run_id: RunId, batch: RunBatch, *, key: str = "") -> None:
        self.app.tracking.log_batch(run_id, batch, key=key)

    def put_artifact(
        self, run_id: RunId, path: str, source: bytes | Path, *, key: str = ""
    ) -> structs.Artifact:
        tracking = self.app.tracking
        if isinstance(source, Path):
            return _view(tracking.log_artifact_file(run_id, path, source, key=key), structs.Artifact)
        return _view(tracking.log_artifact(run_id, path, source, key=key), structs.Artifact)

    def finish(self, run_id: RunId, request: structs.FinishRun, *, key: str = "") -> None:
        self.app.tracking.finish_run(run_id, request.status, ended_at=request.ended_at, key=key)

    def get(self, run_id: RunId) -> RunRecord:
        return _view(self.app.tracking.get_run(run_id), RunRecord)


@dataclass(frozen=True, slots=True)
class EmbeddedDatasets:
    app: App

    def get(self, ref: str) -> structs.DatasetVersion:
        return _view(self.app.datasets.get(ref), structs.DatasetVersion)

    def read(self, version: structs.DatasetVersion) -> "pa.Table":
        return self.app.datasets.read(f"{version.name}@{version.version}")

    def add_file(self, name: str, path: Path) -> structs.DatasetVersion:
        return _view(self.app.datasets.add_file(name, path), structs.DatasetVersion)

    def add_table(self, name: str, table: "pa.Table") -> structs.DatasetVersion:
        return _view(self.app.datasets.add_table(name, table), structs.DatasetVersion)


@dataclass(frozen=True, slots=True)
class EmbeddedModels:
    app: App

    def save_package(self, package: "Package") -> Digest:
        from paddock.models import save_package

        return save_package(self.app.objects, package)

    def register(self, name: str, request: structs.RegisterVersion, *, key: str) -> structs.ModelVersion:
        from paddock.registry import Recipe

        version = self.app.registry.register_version(
            name,
            parse_digest(request.package_digest),
            run_id=request.run_id,
            refit_of=request.refit_of,
            report_id=request.report_id,
            datasets=tuple(_read_dataset(text) for text in request.datasets),
            recipe=_view(request.recipe, Recipe),
            key=key,
        )
        return _view(version, structs.ModelVersion)

    def get(self, ref: str) -> structs.ModelVersion:
        return _view(self.app.registry.get(ref), structs.ModelVersion)

    def gate(self, ref: ModelVersionRef, request: structs.HoldGate, *, key: str) -> structs.GateReport:
        from paddock.app import Exam, hold_gate, read_gates
        from paddock.evaluation import GateSpec
        from paddock.models import WorkerPool

        sent = tuple(_view(each, GateSpec) for each in request.gates)
        exam = Exam(request.rows, request.label, sent or read_gates(Path("paddock.toml"), ref.name))
        with WorkerPool(self.app.objects) as workers:
            return _view(hold_gate(self.app, workers, ref, exam, key=key), structs.GateReport)

    def promote(self, name: str, request: structs.Promote, *, key: str) -> structs.AliasChange:
        change = self.app.registry.promote(
            ModelVersionRef(name, request.version),
            request.alias,
            reason=request.reason,
            expected_version=request.expected_version,
            key=key,
        )
        return _view(change, structs.AliasChange)

    def rollback(self, name: str, request: structs.Rollback, *, key: str) -> structs.AliasChange:
        return _view(self.app.registry.rollback(name, reason=request.reason, key=key), structs.AliasChange)


@dataclass(frozen=True, slots=True)
class EmbeddedRollouts:
    app: App

    def get(self, endpoint: str) -> structs.Rollout:
        from paddock.automation import get_progress

        found = self.app.endpoints.get_endpoint(endpoint)
        predictions = self.app.gateway_folder(found.name) / "predictions"
        return _view(get_progress(self.app.automation, found, predictions), structs.Rollout)

    def withdraw(self, endpoint: str, request: structs.Withdraw, *, key: str) -> structs.Rollout:
        name = self.app.endpoints.get_endpoint(endpoint).name
        return _view(self.app.automation.withdraw(name, reason=request.reason, key=key), structs.Rollout)


def _view(record: object, kind: type[T]) -> T:
    """Return `record` as a `kind` whose fields are attributes of the record, at every level."""
    return msgspec.convert(record, kind, from_attributes=True)


def _read_environment(given: structs.Environment | None) -> EnvironmentSnapshot | None:
    if given is None:
        return None
    return EnvironmentSnapshot(**{name: getattr(given, name) for name in given.__struct_fields__})


def _read_dataset(text: str) -> DatasetRef:
    name, version = parse_ref("dataset", text)
    return DatasetRef(name, parse_version("dataset", version))
