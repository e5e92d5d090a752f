"""Experiments, runs, metrics and artifacts."""

from typing import Annotated, Literal

import msgspec

from paddock.wire.structs.base import Count, Int64, LongText, Number, Request, Resource, ShortText, Time

Texts = dict[ShortText, LongText]
EndStatus = Literal["finished", "failed", "killed"]
Lifecycle = Literal["active", "deleted"]


class DatasetUse(Request, frozen=True, kw_only=True):
    """A dataset version a run has read, and as what (`train`, `test`, ...)."""

    name: ShortText
    version: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
    role: ShortText = ""


class Point(Request, frozen=True, kw_only=True, gc=False):
    """One value of one metric. `at` is when it was measured; without it, when it arrived."""

    key: ShortText
    value: Number
    step: Int64 = 0
    at: Time | None = None


class Environment(Request, frozen=True, kw_only=True):
    """Code and machine of a run, as `EnvironmentSnapshot` has them; stored once per content."""

    git_commit: ShortText = ""
    git_dirty: bool = False
    git_diff: Annotated[str, msgspec.Meta(max_length=2_097_152)] = ""
    git_untracked: tuple[LongText, ...] = ()
    git_truncated: bool = False
    git_note: ShortText = ""
    packages: tuple[ShortText, ...] = ()
    python: ShortText = ""
    platform: ShortText = ""
    machine: ShortText = ""
    cpu_count: Count = 0
    memory_bytes: Count = 0
    seeds: dict[ShortText, Int64] = msgspec.field(default_factory=dict)
    argv: tuple[LongText, ...] = ()


class StartRun(Request, frozen=True, kw_only=True):
    """A new run. `run_id`: chosen by the client, so that it may log before the answer is there.

    `started_at`: for a run that is told of later than it was started.
    """

    experiment: ShortText
    name: ShortText = ""
    params: Texts = msgspec.field(default_factory=dict)
    tags: Texts = msgspec.field(default_factory=dict)
    parent_id: ShortText = ""
    run_id: ShortText = ""
    environment: Environment | None = None
    started_at: Time | None = None


class LogBatch(Request, frozen=True, kw_only=True):
    """What there is to log about a run at one moment.

    Each of the four parts is stored whole or not at all, in this order; sent again, what is stored
    already stays as it is. With an Idempotency-Key every point needs its `at`.
    """

    metrics: tuple[Point, ...] = ()
    params: Texts = msgspec.field(default_factory=dict)
    tags: Texts = msgspec.field(default_factory=dict)
    inputs: tuple[DatasetUse, ...] = ()


class FinishRun(Request, frozen=True, kw_only=True):
    """The end of a run. `ended_at`: for one that is told of later than it was."""

    status: EndStatus = "finished"
    ended_at: Time | None = None


class Artifact(Resource, frozen=True, kw_only=True):
    """A file of a run; `path` is its name inside the run."""

    path: str
    digest: str
    size_bytes: int


class DatasetInput(Resource, frozen=True, kw_only=True):
    name: str
    version: int
    role: str = ""


class Run(Resource, frozen=True, kw_only=True):
    """`metrics` are the values at the highest step; the history has a route of its own."""

    run_id: str
    experiment: str
    name: str
    status: str
    started_at: Time
    ended_at: Time | None
    parent_id: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, Number]
    inputs: tuple[DatasetInput, ...]
    artifacts: tuple[Artifact, ...]
    environment_digest: str
    principal: str
    experiment_id: str = ""
    lifecycle: Lifecycle = "active"


class RunPage(Resource, frozen=True, kw_only=True):
    """`next_cursor` is empty on the last page."""

    runs: tuple[Run, ...]
    next_cursor: str = ""


class RunEnvironment(Resource, frozen=True, kw_only=True):
    """Code and machine of a run. No environment variable and no host name is ever in it."""

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
    seeds: dict[str, int]
    argv: tuple[str, ...]


class Experiment(Resource, frozen=True, kw_only=True):
    name: str
    principal: str
    created_at: Time
    run_count: int
    last_run_at: Time
    experiment_id: str = ""


class ExperimentPage(Resource, frozen=True, kw_only=True):
    experiments: tuple[Experiment, ...]
    next_cursor: str = ""


class HistoryPoint(Resource, frozen=True, kw_only=True):
    key: str
    value: Number
    step: int
    at: Time


class MetricHistory(Resource, frozen=True, kw_only=True):
    run_id: str
    key: str
    points: tuple[HistoryPoint, ...]


class Logged(Resource, frozen=True, kw_only=True):
    """How much of a batch is now durable."""

    run_id: str
    metric_count: int
    param_count: int
    tag_count: int
    input_count: int


class RunCount(Resource, frozen=True, kw_only=True):
    """`is_exact` is false when counting has ended at `at_most`."""

    run_count: int
    is_exact: bool


class RunGroup(Resource, frozen=True, kw_only=True):
    """Runs with one value in common; `value` is null for those that have none."""

    value: str | None
    run_count: int
    metric_count: int
    mean: Number | None
    minimum: Number | None
    maximum: Number | None


class RunGroups(Resource, frozen=True, kw_only=True):
    groups: tuple[RunGroup, ...]


class KeyUse(Resource, frozen=True, kw_only=True):
    """`name` is how filters name the key; `run_count` ends at 1,000."""

    key: str
    name: str
    run_count: int


class RunKeys(Resource, frozen=True, kw_only=True):
    metrics: tuple[KeyUse, ...]
    params: tuple[KeyUse, ...]
    tags: tuple[KeyUse, ...]
    attributes: tuple[str, ...]


class ChangeRuns(Request, frozen=True, kw_only=True):
    """The same change of many runs. `tags` go with the change `tag` alone."""

    run_ids: Annotated[tuple[ShortText, ...], msgspec.Meta(min_length=1, max_length=1000)]
    change: Literal["tag", "delete", "restore"]
    tags: Texts = msgspec.field(default_factory=dict)


class RunsChanged(Resource, frozen=True, kw_only=True):
    """`changed_count`: those that were not so already."""

    run_count: int
    changed_count: int
