"""What a run has read and made: datasets that clients describe, and logged models."""

import msgspec

from paddock.app import App
from paddock.kernel.errors import InvalidInput
from paddock.mlflow_api.answers import EMPTY
from paddock.mlflow_api.binding import LOG, Face
from paddock.mlflow_api.bodies import Int64, Message, Part, require
from paddock.mlflow_api.rules import check_length
from paddock.mlflow_api.runs import Pair, about_run, log_batch
from paddock.tracking import DescribedDataset, DescribedInput, ModelLink, RunBatch
from paddock.wire import Answer, Call, RouteSpec

MAX_DATASETS = 1_000
MAX_NAME_LETTERS = 500
MAX_DIGEST_LETTERS = 36
MAX_SOURCE_LETTERS = 65_535
MAX_SCHEMA_LETTERS = 1_048_575
MAX_PROFILE_LETTERS = 16_777_215
MAX_INPUT_TAG_KEY_LETTERS = 255
MAX_INPUT_TAG_LETTERS = 500

_MODELS_TAG = "mlflow.log-model.history"
_OF_MODEL = ("artifact_path", "flavors", "run_id", "utc_time_created")


class Dataset(Part, frozen=True):
    name: str = ""
    digest: str = ""
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""


class DatasetInput(Part, frozen=True):
    tags: tuple[Pair, ...] = ()
    dataset: Dataset = Dataset()


class ModelInput(Part, frozen=True):
    model_id: str = ""


class ModelOutput(Part, frozen=True):
    model_id: str = ""
    step: Int64 = 0


class LogInputs(Message, frozen=True):
    run_id: str = ""
    datasets: tuple[DatasetInput, ...] = ()
    models: tuple[ModelInput, ...] = ()


class LogOutputs(Message, frozen=True):
    run_id: str = ""
    models: tuple[ModelOutput, ...] = ()


class LogModel(Message, frozen=True):
    run_id: str = ""
    model_json: str = ""


def routes(face: Face) -> tuple[RouteSpec, ...]:
    """Return the routes of inputs and outputs."""
    at = "/mlflow/runs"
    return (
        *face.routes("POST", f"{at}/log-inputs", LOG, log_inputs, "Log what a run has read", LogInputs),
        *face.routes("POST", f"{at}/outputs", LOG, log_outputs, "Log what a run has made", LogOutputs),
        *face.routes("POST", f"{at}/log-model", LOG, log_model, "Note a model (older clients)", LogModel),
    )


def log_inputs(app: App, call: Call) -> Answer:
    wanted = call.read(LogInputs)
    require(wanted, "run_id")
    if len(wanted.datasets) > MAX_DATASETS:
        raise InvalidInput(
            f"A request can contain at most {MAX_DATASETS} datasets. Got {len(wanted.datasets)}."
        )
    read = [_read_input(given, f"datasets[{place}].") for place, given in enumerate(wanted.datasets)]
    for place, model in enumerate(wanted.models):
        require(model, "model_id", path=f"models[{place}].")
    links = tuple(ModelLink(model.model_id) for model in wanted.models)
    log_batch(app, wanted.run_id, RunBatch(described_inputs=tuple(read), models_read=links))
    return EMPTY


def log_outputs(app: App, call: Call) -> Answer:
    wanted = call.read(LogOutputs)
    require(wanted, "run_id")
    for place, model in enumerate(wanted.models):
        require(model, "model_id", path=f"models[{place}].")
    links = tuple(ModelLink(model.model_id, model.step) for model in wanted.models)
    log_batch(app, wanted.run_id, RunBatch(models_made=links))
    return EMPTY


def log_model(app: App, call: Call) -> Answer:
    wanted = call.read(LogModel)
    require(wanted, "run_id", "model_json")
    model = _decode_object(wanted.model_json)
    missing = sorted(set(_OF_MODEL) - set(model))
    if missing:
        raise InvalidInput(f"Model json is missing mandatory fields: {', '.join(missing)}")
    run = about_run(app, wanted.run_id, lambda: app.tracking.get_run(wanted.run_id))
    known = msgspec.json.decode(run.tags.get(_MODELS_TAG, "[]"), type=list[msgspec.Raw])
    noted = msgspec.json.encode([*known, {name: model[name] for name in _OF_MODEL}])
    log_batch(app, wanted.run_id, RunBatch(tags={_MODELS_TAG: noted.decode()}))
    return EMPTY


def _read_input(given: DatasetInput, path: str) -> DescribedInput:
    dataset = given.dataset
    require(dataset, "name", "digest", "source_type", "source", path=f"{path}dataset.")
    check_length(dataset.name, MAX_NAME_LETTERS, "name")
    check_length(dataset.digest, MAX_DIGEST_LETTERS, "digest")
    check_length(dataset.source, MAX_SOURCE_LETTERS, "source")
    check_length(dataset.schema, MAX_SCHEMA_LETTERS, "schema")
    check_length(dataset.profile, MAX_PROFILE_LETTERS, "profile")
    for place, tag in enumerate(given.tags):
        require(tag, "key", path=f"{path}tags[{place}].")
        check_length(tag.key, MAX_INPUT_TAG_KEY_LETTERS, "key")
        check_length(tag.value, MAX_INPUT_TAG_LETTERS, "value")
    described = DescribedDataset(
        dataset.name, dataset.digest, dataset.source_type, dataset.source, dataset.schema, dataset.profile
    )
    return DescribedInput(described, tuple((tag.key, tag.value) for tag in given.tags))


def _decode_object(text: str) -> dict[str, msgspec.Raw]:
    try:
        return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise InvalidInput(f"Malformed model info. {text[:200]} is not a valid JSON object.") from error
