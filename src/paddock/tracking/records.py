"""What is known of experiments and runs, as values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from paddock.kernel.digest import Digest
from paddock.kernel.ids import RunId
from paddock.kernel.refs import DatasetRef

RunStatus = Literal["running", "finished", "failed", "killed"]
MetricKind = Literal["number", "nan", "inf", "-inf"]


@dataclass(frozen=True, slots=True)
class Experiment:
    """A name under which runs stand together; it comes into being with its first run."""

    name: str
    principal: str
    created_at: datetime
    run_count: int
    last_run_at: datetime


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One measured value. NaN and the infinities are values like any other and are kept as such.

    step: where in the training it was measured, may be negative; at: when, aware.
    """

    key: str
    value: float
    step: int
    at: datetime


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
class Run:
    """One run with everything small about it.

    metrics: for each key the value at the highest (step, at). ended_at: None while running.
    parent_id and environment_digest: empty where there is none.
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
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    inputs: tuple[RunInput, ...] = ()
    artifacts: tuple[Artifact, ...] = ()


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


def encode_value(value: float) -> tuple[MetricKind, float]:
    """Return the form in which a metric's value is stored: every store keeps finite numbers alike.

    >>> encode_value(float("nan")), encode_value(0.5)
    (('nan', 0.0), ('number', 0.5))
    """
    if math.isnan(value):
        return "nan", 0.0
    if math.isinf(value):
        return ("inf" if value > 0 else "-inf"), 0.0
    return "number", float(value)


def decode_value(kind: str, value: float) -> float:
    """Return the value that `encode_value` was given.

    >>> decode_value("-inf", 0.0)
    -inf
    """
    return value if kind == "number" else float(kind)
