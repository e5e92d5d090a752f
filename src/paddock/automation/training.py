"""Training by a declared pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass

from paddock.automation.ports import TrainingRequest
from paddock.kernel.clock import format_time
from paddock.kernel.errors import InvalidInput
from paddock.kernel.refs import ModelVersionRef, parse_ref, parse_version
from paddock.pipelines import Pipeline, Pipelines


@dataclass(frozen=True, slots=True)
class PipelineTrainer:
    """Calls a pipeline with `model`, `datasets`, `fit_before`, `refit_of` and `key`, and its declared params.

    The pipeline registers a version with that key and returns its name, such as `delay@5`.
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
