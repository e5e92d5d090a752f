"""Runs: what was tried, with what, and what came out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import InvalidInput
from paddock.kernel.ids import RunId
from paddock.kernel.refs import DatasetRef, ModelVersionRef
from paddock.sdk.ambient import active_run, current_app
from paddock.tracking import MetricPoint, Run, RunStatus, capture_environment

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from paddock.models import Signature

Param = str | int | float | bool | None


@dataclass(slots=True)
class ActiveRun:
    """A run that is being logged to. Metrics are on disk when `log` returns."""

    record: Run
    inputs: list[DatasetRef] = field(default_factory=list)
    _step: int = -1

    @property
    def run_id(self) -> RunId:
        return self.record.run_id

    def log(self, metrics: Mapping[str, float], *, step: int | None = None) -> None:
        """Log one value of each metric at `step`; without one, steps count 0, 1, 2 ..."""
        self._step = self._step + 1 if step is None else step
        app = current_app()
        now = app.clock.now()
        points = [MetricPoint(key, float(value), self._step, now) for key, value in metrics.items()]
        app.tracking.log_metrics(self.run_id, points)

    def log_params(self, params: Mapping[str, Param]) -> None:
        """Log parameters. A parameter is written once; another value for it is a Conflict."""
        current_app().tracking.log_params(self.run_id, _as_text(params))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags; an earlier value of a tag is replaced."""
        current_app().tracking.set_tags(self.run_id, tags)

    def log_input(self, ref: DatasetRef, *, role: str = "") -> None:
        """Record a dataset version as an input of the run; `to_arrow` does so by itself."""
        current_app().tracking.log_input(self.run_id, ref, role=role)
        if ref not in self.inputs:
            self.inputs.append(ref)

    def log_artifact(self, path: str, source: bytes | str | Path) -> None:
        """Keep bytes, or the file at `source`, under `path` in the run."""
        tracking = current_app().tracking
        if isinstance(source, bytes):
            tracking.log_artifact(self.run_id, path, source)
        else:
            tracking.log_artifact_file(self.run_id, path, Path(source))

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
        from paddock.models import build_package, infer_signature, save_package
        from paddock.registry import Recipe

        app = current_app()
        code_digest = _fingerprint(code)
        package = build_package(
            estimator,
            sample=sample,
            signature=signature or infer_signature(sample),
            features=features,
            code=code_digest or self.record.tags.get("git_commit", ""),
        )
        digest = save_package(app.objects, package)
        version = app.registry.register_version(
            name,
            digest,
            run_id=self.run_id,
            refit_of=refit_of,
            datasets=tuple(self.inputs),
            recipe=Recipe(
                code_digest=code_digest,
                params_digest=_digest_pairs(app.tracking.get_run(self.run_id).params),
                environment_digest=digest_bytes("\n".join(package.manifest.packages).encode()),
            ),
            key=key,
        )
        self.set_tags({"model": str(version.ref)})
        return version.ref


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

    The git commit with uncommitted changes, installed packages, Python, platform and `seeds` are
    recorded with it. A run inside the block of another one becomes its child. key: an idempotency key;
    the same call with it goes on with the same run.

    Example:
        with pk.run("delay", params={"depth": 6}) as run:
            run.log({"auc": 0.71}, step=1)
    """
    tracking = current_app().tracking
    outer = active_run.get()
    record = tracking.start_run(
        experiment=experiment,
        name=name,
        params=_as_text(params or {}),
        tags=dict(tags or {}),
        parent_id=outer.run_id if outer else "",
        environment=capture_environment(Path.cwd(), seeds=seeds),
        key=key,
    )
    active = ActiveRun(record)
    token = active_run.set(active)
    status: RunStatus = "failed"
    try:
        yield active
        status = "finished"
    except KeyboardInterrupt:
        status = "killed"
        raise
    finally:
        active_run.reset(token)
        tracking.finish_run(record.run_id, status)


def _as_text(params: Mapping[str, Param]) -> dict[str, str]:
    return {key: str(value) for key, value in params.items()}


def _digest_pairs(pairs: Mapping[str, str]) -> str:
    return digest_bytes("\n".join(f"{key}={pairs[key]}" for key in sorted(pairs)).encode())


def _fingerprint(code: Callable[..., object] | None) -> str:
    if code is None:
        return ""
    from paddock.pipelines import fingerprint

    found = fingerprint(code)
    if not found.digest:
        raise InvalidInput(f"the code of `{code.__name__}` has no fingerprint: {found.problem}")
    return found.digest
