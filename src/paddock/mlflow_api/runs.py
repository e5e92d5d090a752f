"""Runs: made, read, renamed, ended, deleted and restored, with their params and tags."""

from collections.abc import Callable, Mapping
from typing import TypeVar, get_args

from paddock.app import App
from paddock.kernel.clock import from_micros
from paddock.kernel.errors import Conflict, InvalidInput, NotFound, PaddockError
from paddock.kernel.ids import RunId, new_id
from paddock.mlflow_api.answers import EMPTY, answer_as, answer_new_run, answer_run, run_info
from paddock.mlflow_api.binding import LOG, READ, Face
from paddock.mlflow_api.bodies import Enumerated, Int64, Message, OfRun, Part, require, run_id_of
from paddock.mlflow_api.errors import invalid_value, missing_value, not_active
from paddock.mlflow_api.experiments import find_experiment
from paddock.mlflow_api.rules import MAX_PARAM_LETTERS, MAX_TAG_LETTERS, changed_params, check_key, micros_of
from paddock.tracking import RunBatch, RunStatus, default_run_name
from paddock.wire import Answer, Call, RouteSpec

T = TypeVar("T")

NAME_TAG = "mlflow.runName"

_DEFAULT_EXPERIMENT_ID = "0"
_STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)  # in the order of MLflow's numbers, from 1


class Pair(Part, frozen=True):
    """A param or a tag."""

    key: str = ""
    value: str = ""


class CreateRun(Message, frozen=True):
    experiment_id: str = ""
    user_id: str = ""
    run_name: str = ""
    start_time: Int64 | None = None
    tags: tuple[Pair, ...] = ()


class UpdateRun(OfRun, frozen=True):
    status: Enumerated = None
    end_time: Int64 | None = None
    run_name: str = ""


class OnePair(OfRun, frozen=True):
    """A param or a tag of a run."""

    key: str = ""
    value: str = ""


def routes(face: Face) -> tuple[RouteSpec, ...]:
    """Return the routes of runs."""
    at = "/mlflow/runs"
    return (
        *face.routes("POST", f"{at}/create", LOG, create, "Start a run", CreateRun),
        *face.routes("GET", f"{at}/get", READ, get, "Get a run", OfRun),
        *face.routes("POST", f"{at}/update", LOG, update, "Rename a run, or set its status", UpdateRun),
        *face.routes("POST", f"{at}/delete", LOG, delete, "Delete a run", OfRun),
        *face.routes("POST", f"{at}/restore", LOG, restore, "Restore a run", OfRun),
        *face.routes("POST", f"{at}/log-parameter", LOG, log_param, "Log a param", OnePair),
        *face.routes("POST", f"{at}/set-tag", LOG, set_tag, "Set a tag", OnePair),
        *face.routes("POST", f"{at}/delete-tag", LOG, delete_tag, "Delete a tag", OnePair),
    )


def create(app: App, call: Call) -> Answer:
    wanted = call.read(CreateRun)
    experiment = find_experiment(app, wanted.experiment_id or _DEFAULT_EXPERIMENT_ID)
    if experiment.lifecycle != "active":
        raise not_active("experiment", experiment.experiment_id)
    tags = read_tags(wanted.tags)
    run_id = RunId(new_id())
    name = _choose_name(wanted.run_name, tags) or default_run_name(experiment.name, run_id)
    start = wanted.start_time
    run = app.tracking.start_run(
        experiment=experiment.name,
        name=name,
        tags={**tags, NAME_TAG: name},
        run_id=run_id,
        user_name=wanted.user_id,
        started_at=None if start is None else from_micros(micros_of(start, "start_time")),
    )
    return answer_new_run(run, artifact_location=experiment.artifact_location)


def get(app: App, call: Call) -> Answer:
    run_id = run_id_of(call.read(OfRun))
    return answer_run(about_run(app, run_id, lambda: app.tracking.get_document(run_id)))


def update(app: App, call: Call) -> Answer:
    wanted = call.read(UpdateRun)
    run_id = run_id_of(wanted)
    status = None if wanted.status is None else _read_status(wanted.status)
    end = wanted.end_time
    ended_at = None if end is None else from_micros(micros_of(end, "end_time"))
    if wanted.run_name:
        log_batch(app, run_id, RunBatch(tags={NAME_TAG: wanted.run_name}))
    if status is not None:
        about_run(app, run_id, lambda: app.tracking.update_run(run_id, status=status, ended_at=ended_at))
    document = about_run(app, run_id, lambda: app.tracking.get_document(run_id))
    if document.run.lifecycle != "active":
        raise not_active("run", run_id)
    return answer_as("run_info", run_info(document.run))


def delete(app: App, call: Call) -> Answer:
    run_id = run_id_of(call.read(OfRun))
    about_run(app, run_id, lambda: app.tracking.delete_run(run_id))
    return EMPTY


def restore(app: App, call: Call) -> Answer:
    run_id = run_id_of(call.read(OfRun))
    about_run(app, run_id, lambda: app.tracking.restore_run(run_id))
    return EMPTY


def log_param(app: App, call: Call) -> Answer:
    wanted = call.read(OnePair)
    run_id = run_id_of(wanted)
    require(wanted, "key")
    check_key(wanted.key, "key", "Param key")
    log_batch(app, run_id, RunBatch(params={wanted.key: wanted.value[:MAX_PARAM_LETTERS]}))
    return EMPTY


def set_tag(app: App, call: Call) -> Answer:
    wanted = call.read(OnePair)
    run_id = run_id_of(wanted)
    require(wanted, "key")
    check_key(wanted.key, "key", "key")
    log_batch(app, run_id, RunBatch(tags={wanted.key: wanted.value[:MAX_TAG_LETTERS]}))
    return EMPTY


def delete_tag(app: App, call: Call) -> Answer:
    wanted = call.read(OnePair)
    run_id = run_id_of(wanted)
    require(wanted, "key")

    def act() -> None:
        try:
            app.tracking.delete_tag(run_id, wanted.key)
        except NotFound as error:
            if not _has_run(app, run_id):
                raise
            raise NotFound(f"No tag with name: {wanted.key} in run with id {run_id}") from error

    about_run(app, run_id, act)
    return EMPTY


def log_batch(app: App, run_id: str, batch: RunBatch) -> None:
    """Add a batch to a run; what cannot be added is told in MLflow's words."""
    about_run(app, run_id, lambda: app.tracking.log_batch(run_id, batch), batch.params)


def about_run(app: App, run_id: str, act: Callable[[], T], params: Mapping[str, str] | None = None) -> T:
    """Return what `act` returns; what it raises about the run is told in MLflow's words.

    params: those that are to be set.
    """
    try:
        return act()
    except NotFound as error:
        if _has_run(app, run_id):  # something else is missing
            raise
        raise NotFound(f"Run with id={run_id[:64]} not found") from error
    except Conflict as error:
        raise _explain(app, run_id, params or {}, error) from error


def read_tags(pairs: tuple[Pair, ...]) -> dict[str, str]:
    """Return tags by key, the last one of each; values are cut to what MLflow keeps."""
    return _read_pairs(pairs, "tags", "key", MAX_TAG_LETTERS)


def read_params(pairs: tuple[Pair, ...]) -> dict[str, str]:
    """Return params by key; values are cut to what MLflow keeps."""
    return _read_pairs(pairs, "params", "Param key", MAX_PARAM_LETTERS)


def _read_pairs(pairs: tuple[Pair, ...], field: str, kind: str, most_letters: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for place, pair in enumerate(pairs):
        path = f"{field}[{place}].key"
        if not pair.key:
            raise missing_value(path)
        found[check_key(pair.key, path, kind)] = pair.value[:most_letters]
    return found


def _choose_name(run_name: str, tags: Mapping[str, str]) -> str:
    tagged = tags.get(NAME_TAG, "")
    if run_name and tagged and run_name != tagged:
        raise InvalidInput(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
            f"(run_name='{run_name}', mlflow.runName='{tagged}')."
        )
    return run_name or tagged


def _read_status(status: str | int) -> RunStatus:
    number = int(status) if str(status).isdecimal() else 0
    if 1 <= number <= len(_STATUSES):
        return _STATUSES[number - 1]
    for known in _STATUSES:
        if known.upper() == status:
            return known
    names = ", ".join(known.upper() for known in _STATUSES)
    raise invalid_value("status", status, f"It must be one of {names}.")


def _has_run(app: App, run_id: str) -> bool:
    try:
        app.tracking.get_status(run_id)
    except NotFound:
        return False
    return True


def _explain(app: App, run_id: str, params: Mapping[str, str], error: Conflict) -> PaddockError:
    """Return what keeps a run from being changed: it is deleted, or has other values of these params."""
    run = app.tracking.get_run(run_id)
    if run.lifecycle != "active":
        return not_active("run", run_id)
    stored = run.params
    clashes = [(key, stored[key], new) for key, new in params.items() if stored.get(key, new) != new]
    return changed_params(run_id, clashes) if clashes else error
