"""What a champion looked like at its release: the measure of every window after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from paddock.datasets import Profile, profile_table
from paddock.evaluation import score_package
from paddock.kernel.clock import to_micros
from paddock.kernel.errors import NotFound
from paddock.kernel.refs import ModelVersionRef
from paddock.models import parse_manifest

if TYPE_CHECKING:
    from paddock.app import App
    from paddock.registry import ModelVersion

PREDICTION = "prediction"
MOST_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Release:
    """profile: of the features, and of predictions for rows no fit had seen; qualities: by metric."""

    version: int
    profile: Profile
    qualities: Mapping[str, float]


def release_of(app: App, version: ModelVersion, endpoint: str) -> Release:
    """Return the release of `version` from its newest dataset with all columns and its gate report.

    A model is too sure of the rows it was fitted on. So the predictions are those for the rows of its exam,
    by the version that sat it: its parent, where it is a refit. A version that is no refit, and came by no
    rollout, is asked about its newest dataset: whether it has seen it is not recorded. At most 100,000 rows
    are looked at, spread evenly. NotFound when no dataset is recorded, or none has all columns of the model.
    """
    signature = parse_manifest(app.objects.get(version.package_digest)).signature
    names = [column.name for column in signature.columns]
    rows = app.datasets.read(_dataset_with(app, version, names))
    judge = _judge_of(app, version)
    features = _thin_out(rows.select(names))
    unseen = _thin_out(_unseen(app, version, endpoint, rows).select(names))
    scores = score_package(app.objects, judge.package_digest, unseen)
    predictions = profile_table(pa.table({PREDICTION: scores}))
    profile = profile_table(features)
    whole = msgspec.structs.replace(profile, columns=(*profile.columns, *predictions.columns))
    return Release(version.version, whole, _qualities(app, version))


def _dataset_with(app: App, version: ModelVersion, names: Sequence[str]) -> str:
    """Return the newest dataset of `version` that has all columns `names`, by its schema alone."""
    if not version.datasets:
        raise NotFound(
            f"{version.ref} names no dataset, so its windows cannot be compared with anything",
            hint="read the training rows with `pk.dataset(...)` inside of the run",
        )
    lacking: list[str] = []
    nearest = ""
    for ref in map(str, reversed(version.datasets)):
        present = {each.name for each in app.datasets.get(ref).schema}
        missing = [name for name in names if name not in present]
        if not missing:
            return ref
        if not lacking or len(missing) < len(lacking):
            lacking, nearest = missing, ref
    columns = ", ".join(f"`{name}`" for name in lacking)
    raise NotFound(
        f"no dataset of {version.ref} has all columns it answers from; {nearest} lacks {columns}",
        hint="store the rows the model was fitted on as a dataset and read them with `pk.dataset(...)`",
    )


def _judge_of(app: App, version: ModelVersion) -> ModelVersion:
    """Return the version that sat the exam: the parent of a refit, else the version itself."""
    if not version.refit_of:
        return version
    return app.registry.get(ModelVersionRef(version.name, version.refit_of))


def _unseen(app: App, version: ModelVersion, endpoint: str, rows: pa.Table) -> pa.Table:
    """Keep the rows from which on a retrained version was judged; all rows when it came by no rollout."""
    rollouts = app.automation.list_rollouts(endpoint)
    fit_before = next((one.fit_before for one in rollouts if one.candidate == version.version), None)
    if fit_before is None or "event_time" not in rows.column_names:
        return rows
    late = rows.filter(pc.greater_equal(rows["event_time"].cast(pa.int64()), to_micros(fit_before)))
    return late if late.num_rows else rows


def _thin_out(rows: pa.Table) -> pa.Table:
    stride = max(1, -(-rows.num_rows // MOST_ROWS))
    return rows.take(np.arange(0, rows.num_rows, stride))


def _qualities(app: App, version: ModelVersion) -> Mapping[str, float]:
    if not version.report_id:
        return {}
    report = app.evaluation.get_report(version.report_id)
    while not report.evidence.candidate and report.gated_as:
        report = app.evaluation.get_report(report.gated_as)
    return {each.metric: each.value for each in report.evidence.candidate if each.value is not None}
