"""Training by a declared pipeline, and beside the loop."""

import threading
from collections.abc import Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass

from paddock.automation.ports import Trainer, TrainingRequest
from paddock.kernel.clock import format_time
from paddock.kernel.errors import InvalidInput
from paddock.kernel.refs import ModelVersionRef, parse_ref, parse_version
from paddock.pipelines import Pipeline, Pipelines


@dataclass(frozen=True, slots=True)
class PipelineTrainer:
    """Calls a pipeline with `model`, `datasets`, `fit_before`, `refit_of` and `key`, and its declared params.

    The pipeline registers a version with that key and returns its name, such as `delay@5`. What each
    argument means to who writes it stands in docs/guides/retraining.md.
    """

    pipelines: Pipelines
    pipeline: Pipeline[..., object]
    params: Mapping[str, object]
    parallel: int

    def train(self, request: TrainingRequest) -> ModelVersionRef:
        given = {
            **self.params,
            "model": request.model,
            "datasets": [str(ref) for ref in request.datasets],
            "fit_before": format_time(request.fit_before),
            "refit_of": request.refit_of,
            "key": request.key,
        }
        output = self.pipelines.run(self.pipeline, given, parallel=self.parallel, key=request.key).output
        if not isinstance(output, str):
            raise InvalidInput(
                f"pipeline `{self.pipeline.name}` returned {type(output).__name__}, not a model version",
                hint="return str(run.log_model(...))",
            )
        name, version = parse_ref("model", output)
        return ModelVersionRef(name, parse_version("model", version))


class BackgroundTrainer:
    """Lets `inner` train in a thread of its own for each key, so that who asks need not wait.

    One for each loop. The threads end with the process: who takes over asks again, under the same key.
    """

    def __init__(self, inner: Trainer) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._work: dict[str, Future[ModelVersionRef | None]] = {}

    def train(self, request: TrainingRequest) -> ModelVersionRef | None:
        """Return None until the training has ended; then once what it returned, or raise what it raised.

        Asked again after that, it trains again.
        """
        with self._lock:
            work = self._work.get(request.key)
            if work is None:
                self._start(request)
                return None
            if not work.done():
                return None
            del self._work[request.key]
        return work.result()

    def wait(self, timeout_s: float) -> bool:
        """Wait for every training under way; return whether all have ended in time."""
        with self._lock:
            work = tuple(self._work.values())
        return not wait(work, timeout_s).not_done

    def _start(self, request: TrainingRequest) -> None:
        # what nobody came for, as its rollout has ended meanwhile, is let go here
        self._work = {key: work for key, work in self._work.items() if not work.done()}
        work: Future[ModelVersionRef | None] = Future()
        self._work[request.key] = work
        name = f"training {request.key}"
        threading.Thread(target=self._run, args=(request, work), name=name, daemon=True).start()

    def _run(self, request: TrainingRequest, work: "Future[ModelVersionRef | None]") -> None:
        try:
            work.set_result(self._inner.train(request))
        except BaseException as error:  # noqa: BLE001 - carried to the thread that asks, and raised there
            work.set_exception(error)
