"""What a champion looked like at its release: the measure of every window after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paddock.datasets import Profile, profile_table
from paddock.evaluation import score_package
from paddock.kernel.errors import NotFound
from paddock.models import parse_manifest

if TYPE_CHECKING:
    from paddock.app import App
    from paddock.registry import ModelVersion

PREDICTION = "prediction"
MOST_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Release:
    """profile: of the features and of the predictions on the rows it was fitted on; qualities: by metric."""

    version: int
    profile: Profile
    qualities: Mapping[str, float]


def release_of(app: App, version: ModelVersion) -> Release:
    """Return the release of `version` from its newest dataset and its gate report.

    At most 100,000 rows are scored, spread evenly over the dataset. NotFound when no dataset is recorded.
    """
    if not version.datasets:
        raise NotFound(
            f"{version.ref} names no dataset, so its windows cannot be compared with anything",
            hint="read the training rows with `pk.dataset(...)` inside of the run",
        )
    signature = parse_manifest(app.objects.get(version.package_digest)).signature
    rows = app.datasets.read(str(version.datasets[-1]))
    features = rows.select([column.name for column in signature.columns])
    stride = max(1, -(-features.num_rows // MOST_ROWS))
    sample = features.take(list(range(0, features.num_rows, stride)))
    scores = score_package(app.objects, version.package_digest, sample)
    return Release(
        version.version, profile_table(sample.append_column(PREDICTION, [scores])), _qualities(app, version)
    )


def _qualities(app: App, version: ModelVersion) -> Mapping[str, float]:
    if not version.report_id:
        return {}
    report = app.evaluation.get_report(version.report_id)
    while not report.evidence.candidate and report.gated_as:
        report = app.evaluation.get_report(report.gated_as)
    return {each.metric: each.value for each in report.evidence.candidate if each.value is not None}
