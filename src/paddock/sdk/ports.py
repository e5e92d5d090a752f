"""What the calls of the SDK need of a store.

Requests and answers are the structs of `paddock.wire`, but for a batch, of which the points are many.
Every write may be repeated under its key and is then one effect; without a key a store chooses one where
it needs it.
"""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from paddock.kernel.digest import Digest
from paddock.kernel.ids import RunId
from paddock.kernel.refs import ModelVersionRef
from paddock.tracking import RunBatch
from paddock.wire import structs

if TYPE_CHECKING:
    import pyarrow as pa

    from paddock.models import Package


class RunRecord(msgspec.Struct, frozen=True):
    """What there is to know of a run while it is logged to. parent_id: empty where there is none."""

    run_id: RunId
    experiment: str
    name: str
    parent_id: str
    params: dict[str, str]


class Destination(msgspec.Struct, frozen=True):
    """Where runs are kept: the address of a server, a folder, or a database without its password.

    project and principal: whose name they are written in; empty for the server's own.
    """

    address: str
    project: str = ""
    principal: str = ""


class RunStore(Protocol):
    """Runs. What a write was given is durable when it returns."""

    def start(self, request: structs.StartRun, *, key: str) -> RunRecord:
        """Start a run; the same request under the same key again returns that run."""
        ...

    def log(self, run_id: RunId, batch: RunBatch, *, key: str = "") -> None:
        """Add all metrics, parameters, tags and inputs of a batch, or nothing."""
        ...

    def put_artifact(
        self, run_id: RunId, path: str, source: bytes | Path, *, key: str = ""
    ) -> structs.Artifact:
        """Keep bytes, or a local file, under `path`; a file of that path is replaced."""
        ...

    def finish(self, run_id: RunId, request: structs.FinishRun, *, key: str = "") -> None: ...

    def get(self, run_id: RunId) -> RunRecord: ...


class DatasetStore(Protocol):
    """Dataset versions. Bytes that are stored already are not stored again."""

    def get(self, ref: str) -> structs.DatasetVersion:
        """Return the version of `flights@3`, or the newest one for `flights`."""
        ...

    def read(self, version: structs.DatasetVersion) -> "pa.Table":
        """Return the rows, verified against the version's digest."""
        ...

    def add_file(self, name: str, path: Path) -> structs.DatasetVersion: ...

    def add_table(self, name: str, table: "pa.Table") -> structs.DatasetVersion: ...


class ModelStore(Protocol):
    """Packages, model versions and aliases."""

    def save_package(self, package: "Package") -> Digest:
        """Store the files, then the manifest, each verified by digest; return the manifest's."""
        ...

    def register(self, name: str, request: structs.RegisterVersion, *, key: str) -> structs.ModelVersion: ...

    def get(self, ref: str) -> structs.ModelVersion:
        """Return the version of `delay@7` or `delay@champion`, or the newest one for `delay`."""
        ...

    def gate(self, ref: ModelVersionRef, request: structs.HoldGate, *, key: str) -> structs.GateReport:
        """Hold a version against the gates of the request, and let it stand on the report.

        Without gates in it those count that are declared where the store is.
        """
        ...

    def promote(self, name: str, request: structs.Promote, *, key: str) -> structs.AliasChange: ...

    def rollback(self, name: str, request: structs.Rollback, *, key: str) -> structs.AliasChange: ...


class RolloutStore(Protocol):
    """The rollouts of endpoints."""

    def get(self, endpoint: str) -> structs.Rollout:
        """Return the newest rollout, open or ended."""
        ...

    def withdraw(self, endpoint: str, request: structs.Withdraw, *, key: str) -> structs.Rollout: ...


class Store(Protocol):
    """Where the calls of a process go to. Safe to share between threads, not between processes."""

    @property
    def destination(self) -> Destination:
        """Where this is, so that what is kept for it can be delivered later."""
        ...

    @property
    def runs(self) -> RunStore: ...

    @property
    def deliveries(self) -> RunStore:
        """The runs, for a caller that comes again by itself: no call waits long for a store that is away."""
        ...

    @property
    def datasets(self) -> DatasetStore: ...

    @property
    def models(self) -> ModelStore: ...

    @property
    def rollouts(self) -> RolloutStore: ...

    def now(self) -> datetime:
        """Return the time at which something is measured."""
        ...

    def close(self) -> None: ...
