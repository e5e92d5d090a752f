"""Runs: what was tried, with what, and what came out."""

import operator
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, SupportsFloat, SupportsIndex

from paddock.kernel.errors import InvalidInput, PaddockError
from paddock.kernel.ids import RunId
from paddock.kernel.refs import DatasetRef, ModelVersionRef
from paddock.sdk.ambient import current_store
from paddock.sdk.packaging import ModelCandidate, Origin, register_model
from paddock.sdk.ports import RunRecord
from paddock.tracking import EnvironmentSnapshot, capture_environment
from paddock.wire import structs

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from paddock.models import Signature

Param = str | int | float | bool | None

_FINISHED = structs.FinishRun(status="finished")
_MAX_ARGUMENT = 65_536

# a context variable: two threads, or two steps of a pipeline, log to runs of their own
_active: ContextVar["ActiveRun | None"] = ContextVar("paddock_active_run", default=None)


def active_run() -> "ActiveRun | None":
    """Return the run whose block this thread is in, None outside of one."""
    return _active.get()


@dataclass(slots=True)
class ActiveRun:
    """A run that is being logged to, from any number of threads. What is logged is durable on return."""

    record: RunRecord
    git_commit: str = ""
    _inputs: list[structs.DatasetUse] = field(default_factory=list)
    _step: int = -1
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def run_id(self) -> RunId:
        return self.record.run_id

    @property
    def inputs(self) -> Sequence[DatasetRef]:
        """The dataset versions read so far, each once."""
        return tuple(dict.fromkeys(DatasetRef(used.name, used.version) for used in self._inputs))

    def log(self, metrics: Mapping[str, SupportsFloat], *, step: SupportsIndex | None = None) -> None:
        """Log one value of each metric at `step`, all in one write.

        Without a step they count 0, 1, 2 ... from call to call, going on behind the last one given. NaN
        and the infinities are values like any other.
        """
        values = {key: _as_number(key, value) for key, value in metrics.items()}
        if not values:
            return
        at, number = current_store().now(), self._next_step(step)
        points = [
            structs.Point(key=key, value=structs.write_number(value), step=number, at=at)
            for key, value in values.items()
        ]
        self._log(structs.LogBatch(metrics=tuple(points)))

    def log_params(self, params: Mapping[str, Param]) -> None:
        """Log parameters. A parameter is written once; another value for it is a Conflict."""
        self._log(structs.LogBatch(params=_as_text(params)))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags; an earlier value of a tag is replaced."""
        self._log(structs.LogBatch(tags=_as_text(tags)))

    def log_input(self, ref: DatasetRef, *, role: str = "") -> None:
        """Record a dataset version as an input of the run; `to_arrow` does so by itself.

        role: a name such as `train`. The same version in the same role is recorded once.
        """
        used = structs.DatasetUse(name=ref.name, version=ref.version, role=role)
        if used not in self._inputs:
            self._log(structs.LogBatch(inputs=(used,)))
            self._inputs.append(used)

    def log_artifact(self, path: str, source: bytes | str | Path) -> None:
        """Keep bytes, or the file at `source`, under `path` in the run."""
        kept = source if isinstance(source, bytes) else Path(source)
        current_store().runs.put_artifact(self.run_id, path, kept)

    def log_model(
        self,
        estimator: object,
        *,
        name: str,
        sample: "pa.Table",
        signature: "Signature | None" = None,
        features: "npt.NDArray[np.float64] | None" = None,
        code: Callable[..., object] | None = None,
        refit_of: int = 0,
        key: str = "",
    ) -> ModelVersionRef:
        """Package a fitted estimator, register it as the next version of model `name`, and return that.

        sample: some raw rows it was fitted on, the features only; up to 64 become golden requests.
        signature: read off `sample` when None; give one inferred from all rows when it has categories.
        features: what the estimator was really fed for `sample`, shape (rows, columns); None when
        that is what the signature makes of it. Golden answers are recorded from it, so a
        package that encodes rows in another way than the training code did is found out.
        code: the function that fitted it, by which a refit shows that its code is the same.
        refit_of: the version whose recipe this is fitted by again, on more rows.
        key: an idempotency key; with it the same call returns the same version.
        """
        candidate = ModelCandidate(estimator, sample, signature, features, code, self.git_commit)
        origin = Origin(self.run_id, self.inputs, refit_of)
        version = register_model(current_store(), name, candidate, origin, key=key)
        self.set_tags({"model": str(version)})
        return version

    def _log(self, batch: structs.LogBatch) -> None:
        current_store().runs.log(self.run_id, batch)

    def _next_step(self, given: SupportsIndex | None) -> int:
        with self._lock:
            self._step = self._step + 1 if given is None else operator.index(given)
            return self._step


@contextmanager
def run(
    experiment: str,
    *,
    name: str = "",
    params: Mapping[str, Param] | None = None,
    tags: Mapping[str, str] | None = None,
    seeds: Mapping[str, int] | None = None,
    key: str = "",
) -> Iterator[ActiveRun]:
    """Start a run of `experiment`; it is finished when the block ends, or failed when it raises.

    After Ctrl-C it is `killed`. A process that is killed cannot say so: its run stays `running`.
    The git commit with uncommitted changes, installed packages, Python, platform and `seeds` are
    recorded with it. A run inside the block of another one becomes its child; a new thread is in
    no block. key: an idempotency key; the same call with it goes on with the same run.

    Example:
        with pk.run("delay", params={"depth": 6}) as run:
            run.log({"auc": 0.71}, step=1)
    """
    outer = active_run()
    snapshot = capture_environment(Path.cwd(), seeds=seeds)
    request = structs.StartRun(
        experiment=experiment,
        name=name,
        params=_as_text(params or {}),
        tags=_as_text(tags or {}),
        parent_id=outer.run_id if outer else "",
        environment=_describe_environment(snapshot),
    )
    active = ActiveRun(current_store().runs.start(request, key=key), snapshot.git_commit)
    token = _active.set(active)
    try:
        yield active
    except BaseException as error:
        _end_after(active.run_id, error)
        raise
    finally:
        _active.reset(token)
    current_store().runs.finish(active.run_id, _FINISHED)


def _end_after(run_id: RunId, error: BaseException) -> None:
    """End a run whose block raised; that it cannot be ended must not hide what the block raised."""
    if isinstance(error, SystemExit) and error.code in (None, 0):
        current_store().runs.finish(run_id, _FINISHED)
        return
    status: Literal["killed", "failed"] = "killed" if isinstance(error, KeyboardInterrupt) else "failed"
    try:
        current_store().runs.finish(run_id, structs.FinishRun(status=status))
    except PaddockError as second:
        error.add_note(f"run {run_id} stays `running`: {second.message}")


def _describe_environment(found: EnvironmentSnapshot) -> structs.Environment:
    fields = {name: getattr(found, name) for name in structs.Environment.__struct_fields__}
    return structs.Environment(**fields | {"argv": tuple(each[:_MAX_ARGUMENT] for each in found.argv)})


def _as_text(values: Mapping[str, Param]) -> dict[str, str]:
    return {key: str(value) for key, value in values.items()}


def _as_number(key: str, value: SupportsFloat) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"metric `{key}` is `{str(value)[:80]}`, which is no number") from error
