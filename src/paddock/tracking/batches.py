"""Adding a batch to a run inside a transaction, and showing a run with what was logged to it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import msgspec

from paddock.kernel.refs import Actor
from paddock.metadata import Json, NewEvent, Transaction
from paddock.tracking import rules
from paddock.tracking.logged_models import add_model_points
from paddock.tracking.points.keeping import append_points
from paddock.tracking.records import Run, RunBatch, RunDocument
from paddock.tracking.sql import runs
from paddock.tracking.sql.stamps import Stamp
from paddock.tracking.summaries import read_summary
from paddock.tracking.summary import (
    CONTEXT_TAG,
    OVERSIZE,
    Summary,
    decode_summary,
    described_input,
    encode_summary,
    own_input,
)

NAME_TAG = "mlflow.runName"
PARENT_TAG = "mlflow.parentRunId"


def check_batch(batch: RunBatch) -> None:
    """Raise InvalidInput with every fault of a batch, or LimitExceeded for too much of it."""
    if batch.points:
        rules.check_points(batch.points)
    if batch.params:
        rules.check_params(batch.params)
    if batch.tags:
        rules.check_tags(batch.tags)
    if batch.described_inputs:
        rules.check_described(batch.described_inputs)
    if batch.model_points:
        rules.check_points([each.point for each in batch.model_points])


def write_batch(tx: Transaction, row: runs.RunRow, batch: RunBatch, stamp: Stamp) -> None:
    """Add a checked batch to a run, and to its summary where it has one."""
    if row.summary == OVERSIZE:
        add_batch(tx, row, Summary(), batch, stamp)
        return
    before = read_summary(tx, row)
    after = add_batch(tx, row, before, batch, stamp)
    if after is not before:
        runs.set_summary(tx, row.key.run_no, encode_summary(after))


def add_batch(tx: Transaction, row: runs.RunRow, summary: Summary, batch: RunBatch, stamp: Stamp) -> Summary:
    """Add a checked batch to a run and return its summary, the very same one when nothing in it changes."""
    after = summary
    if batch.points:
        newest = append_points(tx, row.key, batch.points, stamp)
        after = after.with_metrics(newest) if newest else after
    if batch.params:
        fresh = rules.new_params(runs.get_params(tx, row.key.run_no), batch.params)
        runs.insert_params(tx, row.key, fresh, stamp)
        after = after.with_params(fresh)
    if batch.tags:
        runs.set_tags(tx, row.key, batch.tags, stamp)
        _follow_tags(tx, row, batch)
        after = after.with_tags(batch.tags)
    if batch.inputs or batch.described_inputs:
        after = _add_inputs(tx, row, after, batch, stamp)
    if batch.models_read or batch.models_made:
        runs.insert_model_links(tx, row.key.run_no, "input", batch.models_read, stamp)
        runs.insert_model_links(tx, row.key.run_no, "output", batch.models_made, stamp)
        after = after.with_models(batch.models_read, batch.models_made)
    if batch.model_points:
        add_model_points(tx, row.key, batch.model_points, stamp)
    return after


def run_of(run: Run, summary: Summary) -> Run:
    """Return the run with what its summary holds."""
    return replace(
        run,
        params=summary.params,
        tags=summary.tags,
        metrics=summary.metrics,
        inputs=summary.own_inputs,
    )


def read_document(document: RunDocument) -> Run:
    """Return the run with what its document holds; its files are listed elsewhere."""
    return run_of(document.run, decode_summary(document.summary))


def run_event(actor: Actor, kind: str, run: Run, at: datetime, data: Mapping[str, Json]) -> NewEvent:
    """Return an event of a run, as every one has it: its experiment and its name beside `data`."""
    return NewEvent(
        project_id=actor.project_id,
        principal=actor.principal,
        kind=kind,
        subject=f"run:{run.run_id}",
        event_time=at,
        data={"experiment": run.experiment, "name": run.name, **data},
    )


def _add_inputs(
    tx: Transaction, row: runs.RunRow, summary: Summary, batch: RunBatch, stamp: Stamp
) -> Summary:
    for used in batch.inputs:
        runs.insert_input(tx, row.key.run_no, used, stamp)
    for given in batch.described_inputs:
        number = runs.ensure_dataset(tx, row.key.experiment_no, given.dataset)
        context = dict(given.tags).get(CONTEXT_TAG, "")
        tags = msgspec.json.encode(given.tags).decode()
        runs.insert_described_input(tx, row.key.run_no, number, context, tags, stamp)
    return summary.with_inputs([*map(own_input, batch.inputs), *map(described_input, batch.described_inputs)])


def _follow_tags(tx: Transaction, row: runs.RunRow, batch: RunBatch) -> None:
    """Two tags of MLflow's clients say what columns say here."""
    name, parent = batch.tags.get(NAME_TAG, ""), batch.tags.get(PARENT_TAG, "")
    if name and name != row.run.name:
        runs.set_name(tx, row.key.run_no, name)
    if parent and parent != row.run.parent_id:
        runs.set_parent(tx, row.key.run_no, parent)
