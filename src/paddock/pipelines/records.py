"""What is known of pipeline runs and their steps, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from paddock.kernel.errors import Conflict

PipelineStatus = Literal["running", "succeeded", "failed", "killed"]
StepState = Literal["queued", "running", "succeeded", "cached", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class StepInput:
    """One argument of a step.

    digest: of the content, empty when it has none (then the step is not cached);
    source: name of the step it comes from, or empty for a plain value.
    """

    name: str
    digest: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class StepRun:
    """One step of one pipeline run.

    name: the step's, with `#2`, `#3` ... when it stands in the pipeline more than once. position: order of
    the calls, from 0. cache_key: empty when the step could not be cached. output_kind: the serializer;
    output_digest, log_digest: empty when nothing is stored. started_at: None until it starts; ended_at: until
    it ends. reason: why it ran or did not, in words; for a failed step the error.
    """

    step_run_id: str
    pipeline_run_id: str
    position: int
    name: str
    state: StepState = "queued"
    cache_key: str = ""
    code_digest: str = ""
    inputs: tuple[StepInput, ...] = ()
    output_kind: str = ""
    output_digest: str = ""
    output_bytes: int = 0
    log_digest: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """What a pipeline returned; absent for a run that failed or was read back from the store."""

    value: object


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """One run of a pipeline.

    params: as text, for people; reason: why it failed, in words; cause: what the pipeline function itself
    raised, absent for a run whose steps failed or that was read back from the store.
    """

    pipeline_run_id: str
    pipeline: str
    status: PipelineStatus
    params: Mapping[str, str]
    principal: str
    started_at: datetime
    ended_at: datetime | None = None
    reason: str = ""
    steps: tuple[StepRun, ...] = ()
    returned: Output | None = field(default=None, compare=False, repr=False)
    cause: BaseException | None = field(default=None, compare=False, repr=False)

    @property
    def output(self) -> object:
        """What the pipeline function returned, with values where it had steps.

        Raises Conflict when the run did not succeed, from what its function raised, or was read from the
        store (then each step's value is at `Pipelines.load_output`).
        """
        if self.returned is not None:
            return self.returned.value
        if self.status == "succeeded":
            raise Conflict(
                f"pipeline run `{self.pipeline_run_id}` was read from the store, without values",
                hint="Pipelines.load_output(step_run_id)",
            )
        detail = f": {self.reason}" if self.reason else ""
        raise Conflict(
            f"pipeline `{self.pipeline}` {_SENTENCE[self.status]}{detail}", pipeline=self.pipeline
        ) from self.cause

    def get_step(self, name: str) -> StepRun:
        """Return the step run of that name, or raise KeyError."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class PipelinePage:
    """Some pipeline runs without their steps, newest first. next_cursor: empty on the last page."""

    runs: tuple[PipelineRun, ...]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A step's output that may be used again: same code, inputs and packages, same output."""

    cache_key: str
    step: str
    step_run_id: str
    output_kind: str
    output_digest: str
    output_bytes: int
    code_digest: str
    inputs_digest: str
    environment_digest: str


_SENTENCE: Mapping[PipelineStatus, str] = {
    "running": "has not ended",
    "succeeded": "succeeded",
    "failed": "failed",
    "killed": "was interrupted",
}
