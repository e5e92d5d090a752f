"""What is known of experiments and runs, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import msgspec

from paddock.kernel.clock import from_micros
from paddock.kernel.digest import Digest
from paddock.kernel.ids import RunId
from paddock.kernel.refs import DatasetRef

RunStatus = Literal["running", "scheduled", "finished", "failed", "killed"]
Lifecycle = Literal["active", "deleted"]
Direction = Literal["input", "output"]

DEFAULT_EXPERIMENT = "Default"


@dataclass(frozen=True, slots=True)
class Experiment:
    """A name under which runs stand together; it comes into being with its first run, or by itself.

    experiment_id: a whole number as text, `0` for the one named `Default`. artifact_location: where clients
    keep files themselves, empty when they are kept here. run_count and last_run_at: of the active runs;
    last_run_at is created_at without one.
    """

    experiment_id: str
    name: str
    lifecycle: Lifecycle
    artifact_location: str
    principal: str
    created_at: datetime
    updated_at: datetime
    run_count: int = 0
    last_run_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class MetricPoint(msgspec.Struct, frozen=True, gc=False):
    """One measured value. NaN and the infinities are values like any other and are kept as such.

    step: where in the training it was measured, may be negative; at_micros: when, since 1970-01-01 UTC.
    """

    key: str
    value: float
    step: int
    at_micros: int

    @property
    def at(self) -> datetime:
        return from_micros(self.at_micros)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of a run. path: relative, `/` between segments."""

    path: str
    digest: Digest
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RunInput:
    """A dataset version that a run read, and in which role (`train`, `test`, ... or empty)."""

    dataset: DatasetRef
    role: str


@dataclass(frozen=True, slots=True)
class DescribedDataset:
    """A dataset that a client describes and keeps elsewhere; schema_text and profile are the client's own."""

    name: str
    digest: str
    source_type: str
    source: str
    schema_text: str = ""
    profile: str = ""


@dataclass(frozen=True, slots=True)
class DescribedInput:
    """What a run says of a dataset it has read. tags: such as `mlflow.data.context` -> `train`."""

    dataset: DescribedDataset
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ModelLink:
    """A logged model that a run has read or made, at which step of it."""

    model_id: str
    step: int = 0


@dataclass(frozen=True, slots=True)
class ModelPoint:
    """A point that a run measured of a logged model. dataset_name, dataset_digest: on what, or empty."""

    model_id: str
    point: MetricPoint
    dataset_name: str = ""
    dataset_digest: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One run with everything small about it.

    metrics: for each key the value at the highest (step, at). ended_at: None while running. user_name: who
    the client says has started it; principal: who it was. parent_id and environment_digest: empty where there
    is none. artifact_location: that of its experiment. artifacts: filled by `get_run`, empty in lists.
    """

    run_id: RunId
    experiment: str
    name: str
    status: RunStatus
    started_at: datetime
    ended_at: datetime | None
    parent_id: str
    principal: str
    environment_digest: str
    experiment_id: str = ""
    lifecycle: Lifecycle = "active"
    user_name: str = ""
    artifact_location: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    inputs: tuple[RunInput, ...] = ()
    artifacts: tuple[Artifact, ...] = ()


@dataclass(frozen=True, slots=True)
class RunBatch:
    """What one write adds to a run, all of it or nothing.

    tags: `mlflow.runName` names the run as well, and `mlflow.parentRunId` puts it below another one.
    model_points: what stands in the metrics of logged models; the run has those of them that are in `points`.
    """

    points: Sequence[MetricPoint] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[RunInput, ...] = ()
    described_inputs: tuple[DescribedInput, ...] = ()
    models_read: tuple[ModelLink, ...] = ()
    models_made: tuple[ModelLink, ...] = ()
    model_points: tuple[ModelPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class RunDocument:
    """A run, and what was logged to it as JSON; see docs/formats/run-summary.md."""

    run: Run
    summary: str


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some runs, newest first. next_cursor: give it back for the next page; empty on the last one."""

    runs: tuple[Run, ...]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class EnvironmentSnapshot:
    """In which code and on which machine a run ran. Holds no environment variable and no host name.

    git_commit: empty without a commit, then git_note says why; git_diff: of tracked files against the
    commit; git_untracked: names of files git does not know and does not ignore; git_truncated: the diff or
    the names were cut at 1 MiB together. packages: `name==version`, sorted. argv: with secrets redacted.
    """

    git_commit: str
    git_dirty: bool
    git_diff: str
    git_untracked: tuple[str, ...]
    git_truncated: bool
    git_note: str
    packages: tuple[str, ...]
    python: str
    platform: str
    machine: str
    cpu_count: int
    memory_bytes: int
    seeds: Mapping[str, int]
    argv: tuple[str, ...]
