"""The run that is being logged to."""

import operator
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, SupportsFloat, SupportsIndex
from weakref import WeakSet

from paddock.kernel.clock import to_micros
from paddock.kernel.errors import InvalidInput, NotFound
from paddock.kernel.ids import RunId
from paddock.kernel.purity import note_impure
from paddock.kernel.refs import DatasetRef, ModelVersionRef
from paddock.sdk import media
from paddock.sdk.ambient import DOES_MORE, current_store
from paddock.sdk.course import Course
from paddock.sdk.packaging import ModelCandidate, Origin, register_model
from paddock.sdk.ports import RunRecord
from paddock.sdk.spool import Input, Params, Points, Tags
from paddock.tracking import (
    MetricPoint,
    check_artifact_path,
    check_params,
    check_points,
    check_tags,
    new_params,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from paddock.models import Signature

_FIRST_STEP, _LAST_STEP = -(2**63), 2**63 - 1

Param = str | int | float | bool | None

# a context variable: two threads, or two steps of a pipeline, log to runs of their own
current_run: ContextVar["ActiveRun | None"] = ContextVar("paddock_active_run", default=None)


def active_run() -> "ActiveRun | None":
    """Return the run whose block this thread is in, None outside of one."""
    return current_run.get()


class ActiveRun:
    """A run that is being logged to, from any number of threads, and from forked children.

    What a call has logged outlives this process once the call is back. The store has it within about a
    second, or when it can be reached again; until then nothing waits for it and nothing is raised. `flush`
    and the end of the block wait, and raise what the store has refused.
    """

    def __init__(self, record: RunRecord, course: Course, *, git_commit: str = "") -> None:
        self.record = record
        self.git_commit = git_commit
        self._course = course
        self._lock = threading.Lock()
        self._step = -1
        self._keys: set[str] = set()
        self._params: dict[str, str] = dict(record.params)
        self._inputs: list[Input] = []
        _runs.add(self)

    @property
    def run_id(self) -> RunId:
        return self.record.run_id

    @property
    def is_in_store(self) -> bool:
        """Tell whether the store has heard of this run by now."""
        return self._course.is_in_store

    @property
    def inputs(self) -> Sequence[DatasetRef]:
        """The dataset versions read so far, each once."""
        return tuple(dict.fromkeys(DatasetRef(used.name, used.version) for used in self._inputs))

    def log(self, metrics: Mapping[str, SupportsFloat], *, step: SupportsIndex | None = None) -> None:
        """Log one value of each metric at `step`. Takes microseconds.

        Without a step they count 0, 1, 2 ... from call to call, going on behind the last one given. NaN
        and the infinities are values like any other.
        """
        note_impure(DOES_MORE)
        values = self._read_values(metrics)
        if not values:
            return
        at = to_micros(self._course.now())
        with self._lock:
            number = self._step + 1 if step is None else operator.index(step)
            if not _FIRST_STEP <= number <= _LAST_STEP:
                raise InvalidInput(f"step {number} is outside of 64 bits")
            self._step = number
        self._course.append(Points(at, number, values))

    def log_params(self, params: Mapping[str, Param]) -> None:
        """Log parameters. A parameter is written once; another value for it is a Conflict.

        That is raised at once when this process has logged it, and at the end of the block when another has.
        """
        note_impure(DOES_MORE)
        texts = as_text(params)
        check_params(texts)
        with self._lock:
            fresh = dict(new_params(self._params, texts))
            self._params |= fresh
        if fresh:
            self._course.append(Params(fresh))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags; an earlier value of a tag is replaced."""
        note_impure(DOES_MORE)
        texts = as_text(tags)
        check_tags(texts)
        if texts:
            self._course.append(Tags(texts))

    def log_input(self, ref: DatasetRef, *, role: str = "") -> None:
        """Record a dataset version as an input of the run; `to_arrow` does so by itself.

        role: a name such as `train`. The same version in the same role is recorded once.
        """
        note_impure(DOES_MORE)  # also where this run has it already: the next run would not get it
        used = Input(ref.name, ref.version, role)
        with self._lock:
            if used in self._inputs:
                return
            self._inputs.append(used)
        self._course.append(used)

    def log_artifact(self, path: str, source: bytes | str | Path) -> None:
        """Keep bytes, or the file at `source`, under `path` in the run.

        Bytes go the way of everything else. A file is sent before this returns, behind what was logged
        before; where the store cannot be reached, a copy of it waits in the spool.
        """
        note_impure(DOES_MORE)
        check_artifact_path(path)
        if isinstance(source, bytes):
            self._course.keep_file(path, source)
        else:
            self._course.send_file(path, _check_file(Path(source)))

    def log_text(self, text: str, path: str, *, step: int | None = None) -> None:
        """Keep a text as the file `path`. step: keeps one for each, as `notes/step-000003.txt`."""
        self.log_artifact(media.path_at(path, step), text.encode())

    def log_dict(self, values: Mapping[str, object], path: str, *, step: int | None = None) -> None:
        """Keep values as a JSON file. step: as of `log_text`."""
        self.log_artifact(media.path_at(path, step), media.encode_values(values))

    def log_figure(self, figure: media.Figure, path: str, *, step: int | None = None) -> None:
        """Keep a figure of Matplotlib or plotly, in the format that the ending of `path` names.

        One of plotly needs no further package for `.json`, which is small, and for `.html`, which has some
        megabytes and stands by itself. step: as of `log_text`.
        """
        self.log_artifact(media.path_at(path, step), media.encode_figure(figure, path))

    def log_image(
        self, image: "media.PillowImage | npt.NDArray[np.generic]", path: str, *, step: int | None = None
    ) -> None:
        """Keep an image of Pillow, or an array as PNG. step: as of `log_text`.

        An array has the shape (rows, columns) or (rows, columns, channels), whole numbers from 0 to 255 or
        real ones from 0 to 1.
        """
        self.log_artifact(media.path_at(path, step), media.encode_image(image, path))

    def log_table(
        self, table: "pa.Table | pd.DataFrame | media.Columns", path: str, *, step: int | None = None
    ) -> None:
        """Keep an Arrow table, a pandas frame or a mapping of columns as `.parquet` or `.csv`.

        step: as of `log_text`.
        """
        self.log_artifact(media.path_at(path, step), media.encode_table(table, path))

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

        Waits for what was logged before, as `flush` does.

        sample: some raw rows it was fitted on, the features only; up to 64 become golden requests.
        signature: read off `sample` when None; give one inferred from all rows when it has categories.
        features: what the estimator was really fed for `sample`, shape (rows, columns); None when
        that is what the signature makes of it. Golden answers are recorded from it, so a
        package that encodes rows in another way than the training code did is found out.
        code: the function that fitted it, by which a refit shows that its code is the same; a version
        without it cannot be fitted again, so a pipeline of [retrain.NAME] gives it.
        refit_of: the version whose recipe this is fitted by again, on more rows.
        key: an idempotency key; with it the same call returns the same version.
        """
        self.flush()
        candidate = ModelCandidate(estimator, sample, signature, features, code, self.git_commit)
        origin = Origin(self.run_id, self.inputs, refit_of)
        version = register_model(current_store(), name, candidate, origin, key=key)
        self.set_tags({"model": str(version)})
        return version

    def flush(self) -> None:
        """Wait until the store has everything logged so far.

        Raises Unavailable when that takes longer than the setting `flush_timeout_s`, and what the store has
        refused, such as a Conflict of a parameter.
        """
        note_impure(DOES_MORE)
        self._course.flush()

    def log_system(self, values: Mapping[str, float], sample: int) -> None:
        """Log one sample of system metrics; steps of the run's own metrics do not count on from it."""
        self._course.append(Points(to_micros(self._course.now()), sample, dict(values)))

    def _read_values(self, metrics: Mapping[str, SupportsFloat]) -> dict[str, float]:
        values: dict[str, float] = {}
        for key, value in metrics.items():
            if key not in self._keys:
                _check_key(key)
                self._keys.add(key)
            values[key] = value if type(value) is float else _as_number(key, value)
        return values


def as_text(values: Mapping[str, Param]) -> dict[str, str]:
    """Return parameters or tags as the texts they are kept as.

    >>> as_text({"depth": 6, "rate": None})
    {'depth': '6', 'rate': 'None'}
    """
    return {key: str(value) for key, value in values.items()}


def _check_key(key: str) -> None:
    if not isinstance(key, str):  # what a user may do
        raise InvalidInput(f"metric key `{key!r}` is no text")
    check_points([MetricPoint(key, 0.0, 0, 0)])


def _as_number(key: str, value: SupportsFloat) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"metric `{key}` is `{str(value)[:80]}`, which is no number") from error


def _check_file(path: Path) -> Path:
    if not path.exists():
        raise NotFound(f"there is no file `{path}`")
    if not path.is_file():
        raise InvalidInput(f"`{path}` is not a regular file")
    return path


def _leave_parent() -> None:
    """In a forked child: another thread of the parent may have held a lock."""
    for run in list(_runs):
        run._lock = threading.Lock()


_runs: WeakSet[ActiveRun] = WeakSet()
os.register_at_fork(after_in_child=_leave_parent)
