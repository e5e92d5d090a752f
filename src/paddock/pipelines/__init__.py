"""Pipelines: plain functions as steps, their graph, its cache, and a record of every run.

- A step's output is used again only for the same code (all first-party code it reaches), the same content of
  its inputs and the same installed packages; what cannot be told is not cached, and the reason is recorded.
- Nor is a step that writes to the store, or asks it for what may be another thing next time.
- A cached output is verified byte by byte before it is used.
- A step sees its inputs as they come back from the store, whether the step before ran or was cached.
- Nothing is pickled.
"""

from paddock.pipelines.decorators import AnyPipeline, Pipeline, Step, load_pipeline, pipeline, step
from paddock.pipelines.fingerprint import Fingerprint, fingerprint
from paddock.pipelines.records import (
    PipelinePage,
    PipelineRun,
    PipelineStatus,
    StepInput,
    StepRun,
    StepState,
)
from paddock.pipelines.serializers import NoSerializerError, register_serializer
from paddock.pipelines.service import Pipelines, run_pipeline

__all__ = [
    "AnyPipeline",
    "Fingerprint",
    "NoSerializerError",
    "Pipeline",
    "PipelinePage",
    "PipelineRun",
    "PipelineStatus",
    "Pipelines",
    "Step",
    "StepInput",
    "StepRun",
    "StepState",
    "fingerprint",
    "load_pipeline",
    "pipeline",
    "register_serializer",
    "run_pipeline",
    "step",
]
