"""The store behind a server, reached over HTTP. Nothing of the store's own engine is loaded here."""

import re
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.kernel.clock import Clock, SystemClock, from_micros
from paddock.kernel.digest import Digest, digest_chunks
from paddock.kernel.errors import IntegrityError, NotFound
from paddock.kernel.ids import RunId
from paddock.kernel.refs import ModelVersionRef, parse_ref, parse_version
from paddock.sdk.ports import Destination, RunRecord
from paddock.sdk.transport import LITTLE_PATIENCE, Patience, Transport, address
from paddock.tracking import RunBatch
from paddock.wire import structs

if TYPE_CHECKING:
    import pyarrow as pa

    from paddock.models import Package

_CHUNK_BYTES = 1_048_576
_YIELD_EVERY = 1_000
_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class HttpStore:
    """The SDK's store over a server. clock: when a metric was measured is the client's to say."""

    transport: Transport
    clock: Clock = _CLOCK

    @property
    def destination(self) -> Destination:
        return Destination(self.transport.url, self.transport.project)

    @property
    def runs(self) -> "HttpRuns":
        return HttpRuns(self.transport)

    @property
    def deliveries(self) -> "HttpRuns":
        return HttpRuns(self.transport, LITTLE_PATIENCE)

    @property
    def datasets(self) -> "HttpDatasets":
        return HttpDatasets(self.transport)

    @property
    def models(self) -> "HttpModels":
        return HttpModels(self.transport)

    @property
    def rollouts(self) -> "HttpRollouts":
        return HttpRollouts(self.transport)

    def now(self) -> datetime:
        return self.clock.now()

    def close(self) -> None:
        self.transport.close()


def open_http(url: str, *, project: str = "") -> HttpStore:
    """Return the store behind the server at `url`, once it has answered.

    Raises Unavailable when nothing answers and InvalidSettings when it is no Paddock server.
    """
    transport = Transport(url, project=project)
    try:
        transport.greet()
    except BaseException:
        transport.close()
        raise
    return HttpStore(transport)


@dataclass(frozen=True, slots=True)
class HttpRuns:
    """patience: for each write, None for that of the transport."""

    transport: Transport
    patience: Patience | None = None

    def start(self, request: structs.StartRun, *, key: str) -> RunRecord:
        return self.transport.post(address("runs"), request, RunRecord, key=key, patience=self.patience)

    def log(self, run_id: RunId, batch: RunBatch, *, key: str = "") -> None:
        target = address("runs", run_id, "log")
        self.transport.post(target, _write_batch(batch), structs.Logged, key=key, patience=self.patience)

    def put_artifact(
        self, run_id: RunId, path: str, source: bytes | Path, *, key: str = ""
    ) -> structs.Artifact:
        target = address("runs", run_id, "artifacts", path)
        return self.transport.upload("PUT", target, source, structs.Artifact, key=key, patience=self.patience)

    def finish(self, run_id: RunId, request: structs.FinishRun, *, key: str = "") -> None:
        target = address("runs", run_id, "finish")
        self.transport.post(target, request, RunRecord, key=key, patience=self.patience)

    def get(self, run_id: RunId) -> RunRecord:
        return self.transport.get(address("runs", run_id), RunRecord)


@dataclass(frozen=True, slots=True)
class HttpDatasets:
    transport: Transport

    def get(self, ref: str) -> structs.DatasetVersion:
        name, selector = parse_ref("dataset", ref)
        if selector:
            number = str(parse_version("dataset", selector))
            return self.transport.get(address("datasets", name, "versions", number), structs.DatasetVersion)
        newest = self.transport.get(
            address("datasets", name, "versions"), structs.DatasetVersionPage, {"limit": "1"}
        )
        if not newest.versions:
            raise NotFound(f"dataset `{name}` has no version")
        return newest.versions[0]

    def read(self, version: structs.DatasetVersion) -> "pa.Table":
        from paddock.datasets import read_table

        path = address("datasets", version.name, "versions", str(version.version), "content")
        with tempfile.TemporaryDirectory(prefix="paddock-") as folder:
            file = Path(folder) / f"{version.name}-{version.version}.{version.format}"
            self.transport.download(path, file)
            if _digest_file(file) != version.digest:
                raise IntegrityError(f"what the server sent is not `{version.name}@{version.version}`")
            return read_table(file)

    def add_file(self, name: str, path: Path) -> structs.DatasetVersion:
        return self._add(name, path, path.name)

    def add_table(self, name: str, table: "pa.Table") -> structs.DatasetVersion:
        from paddock.datasets import write_parquet

        with tempfile.TemporaryDirectory(prefix="paddock-") as folder:
            file = Path(folder) / "table.parquet"
            write_parquet(table, file)
            return self._add(name, file, file.name)

    def _add(self, name: str, path: Path, file_name: str) -> structs.DatasetVersion:
        return self.transport.upload(
            "POST",
            address("datasets", name, "versions"),
            path,
            structs.DatasetVersion,
            {"file_name": plain_file_name(file_name)},
        )


@dataclass(frozen=True, slots=True)
class HttpModels:
    transport: Transport

    def save_package(self, package: "Package") -> Digest:
        for name, body in package.files.items():
            self._put(package.manifest.files[name], body)
        self._put(package.digest, package.body)
        return package.digest

    def register(self, name: str, request: structs.RegisterVersion, *, key: str) -> structs.ModelVersion:
        return self.transport.post(
            address("models", name, "versions"), request, structs.ModelVersion, key=key
        )

    def get(self, ref: str) -> structs.ModelVersion:
        name, selector = parse_ref("model", ref)
        if selector:
            return self.transport.get(address("models", name, "versions", selector), structs.ModelVersion)
        newest = self.transport.get(
            address("models", name, "versions"), structs.ModelVersionPage, {"limit": "1"}
        )
        if not newest.versions:
            raise NotFound(f"model `{name}` has no version")
        return newest.versions[0]

    def gate(self, ref: ModelVersionRef, request: structs.HoldGate, *, key: str) -> structs.GateReport:
        target = address("models", ref.name, "versions", str(ref.version), "gate")
        return self.transport.post(target, request, structs.GateReport, key=key, is_slow=True)

    def promote(self, name: str, request: structs.Promote, *, key: str) -> structs.AliasChange:
        return self.transport.post(
            address("models", name, "promotions"), request, structs.AliasChange, key=key
        )

    def rollback(self, name: str, request: structs.Rollback, *, key: str) -> structs.AliasChange:
        return self.transport.post(
            address("models", name, "rollbacks"), request, structs.AliasChange, key=key
        )

    def _put(self, digest: Digest, body: bytes) -> None:
        self.transport.upload("PUT", address("objects", digest), body, structs.StoredObject)


@dataclass(frozen=True, slots=True)
class HttpRollouts:
    transport: Transport

    def get(self, endpoint: str) -> structs.Rollout:
        return self.transport.get(address("endpoints", endpoint, "rollout"), structs.Rollout)

    def withdraw(self, endpoint: str, request: structs.Withdraw, *, key: str) -> structs.Rollout:
        target = address("endpoints", endpoint, "rollout", "withdrawals")
        return self.transport.post(target, request, structs.Rollout, key=key)


def plain_file_name(name: str) -> str:
    """Return `name` in the letters the server takes for file names.

    The ending stays: the format is known by it.

    >>> plain_file_name("flights of May.csv"), plain_file_name("été.csv"), plain_file_name("__.csv")
    ('flights_of_May.csv', 't_.csv', 'data.csv')
    """
    path = Path(name)
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", path.stem).lstrip("._-")[:100]
    return (stem or "data") + re.sub(r"[^A-Za-z0-9.]", "_", path.suffix)[:20]


def _write_batch(batch: RunBatch) -> structs.LogBatch:
    points: list[structs.Point] = []
    for start in range(0, len(batch.points), _YIELD_EVERY):
        points += [
            structs.Point(
                key=point.key,
                value=structs.write_number(point.value),
                step=point.step,
                at=from_micros(point.at_micros),
            )
            for point in batch.points[start : start + _YIELD_EVERY]
        ]
        time.sleep(0)  # a training thread that waits for the interpreter has it after a millisecond
    uses = [(each.dataset, each.role) for each in batch.inputs]
    return structs.LogBatch(
        metrics=tuple(points),
        params=dict(batch.params),
        tags=dict(batch.tags),
        inputs=tuple(structs.DatasetUse(name=ref.name, version=ref.version, role=role) for ref, role in uses),
    )


def _digest_file(path: Path) -> Digest:
    with path.open("rb") as file:
        return digest_chunks(iter(lambda: file.read(_CHUNK_BYTES), b""))
