"""Answers in MLflow's form. A run is put together from bytes: what was logged to it is kept as it is sent."""

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from paddock.kernel.clock import to_micros
from paddock.tracking import Experiment, Run, RunDocument, artifact_root
from paddock.wire import Answer

EMPTY = Answer(b"{}")

_NEW_RUN = (
    b'{"run":{"info":%b,"data":{"metrics":[],"params":[],"tags":%b},'
    b'"inputs":{"dataset_inputs":[],"model_inputs":[]},"outputs":{"model_outputs":[]}}}'
)


class Field(msgspec.Struct, frozen=True, gc=False):
    """A key and its value, as MLflow writes params and tags."""

    key: str
    value: str


class RunInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run is, without what was logged to it. Times are milliseconds."""

    run_id: str
    run_uuid: str
    run_name: str
    experiment_id: str
    user_id: str
    status: str
    start_time: int
    artifact_uri: str
    lifecycle_stage: str
    end_time: int | None = None


class ExperimentInfo(msgspec.Struct, frozen=True):
    """An experiment. Times are milliseconds; workspace: the project."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    creation_time: int
    last_update_time: int
    tags: list[Field]
    workspace: str


def answer_as(name: str, value: object) -> Answer:
    """Return `value` under its name, as most answers are."""
    return Answer(b'{"%b":%b}' % (name.encode(), msgspec.json.encode(value)))


def answer_run(document: RunDocument) -> Answer:
    """Return a run with what was logged to it."""
    return Answer(b'{"run":%b}' % run_body(document))


def answer_new_run(run: Run, *, artifact_location: str) -> Answer:
    """Return a run that was just started. artifact_location: that of its experiment."""
    tags = [Field(key, value) for key, value in run.tags.items()]
    info = run_info(replace(run, artifact_location=artifact_location))
    return Answer(_NEW_RUN % (msgspec.json.encode(info), msgspec.json.encode(tags)))


def run_body(document: RunDocument) -> bytes:
    """Return a run as JSON: its info, and its summary as it is kept."""
    info = msgspec.json.encode(run_info(document.run))
    return b'{"info":%b,%b' % (info, document.summary[1:].encode())


def answer_page(name: str, rows: Iterable[bytes], next_page_token: str) -> Answer:
    """Return rows that are JSON already. next_page_token: empty on the last page."""
    token = b',"next_page_token":%b' % msgspec.json.encode(next_page_token) if next_page_token else b""
    return Answer(b'{"%b":[%b]%b}' % (name.encode(), b",".join(rows), token))


def run_info(run: Run) -> RunInfo:
    """Return what MLflow's clients know of a run."""
    return RunInfo(
        run_id=run.run_id,
        run_uuid=run.run_id,
        run_name=run.name,
        experiment_id=run.experiment_id,
        user_id=run.user_name,
        status=run.status.upper(),
        start_time=to_micros(run.started_at) // 1000,
        artifact_uri=f"{artifact_root(run.experiment_id, run.artifact_location)}/{run.run_id}/artifacts",
        lifecycle_stage=run.lifecycle,
        end_time=None if run.ended_at is None else to_micros(run.ended_at) // 1000,
    )


def experiment_info(experiment: Experiment, project: str) -> ExperimentInfo:
    """Return what MLflow's clients know of an experiment."""
    return ExperimentInfo(
        experiment_id=experiment.experiment_id,
        name=experiment.name,
        artifact_location=artifact_root(experiment.experiment_id, experiment.artifact_location),
        lifecycle_stage=experiment.lifecycle,
        creation_time=to_micros(experiment.created_at) // 1000,
        last_update_time=to_micros(experiment.updated_at) // 1000,
        tags=[Field(key, value) for key, value in experiment.tags.items()],
        workspace=project,
    )
