"""What a champion's windows are measured against."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from loop_kit import FEATURES, MODEL, OPENED_AT, RECIPE, ROUND, SPEC, flights, labels_of, matrix_of
from loop_shop import draft
from sklearn.linear_model import LogisticRegression

from paddock.app import App, open_app, release_of
from paddock.automation.records import Words
from paddock.evaluation import score_package
from paddock.kernel.errors import NotFound
from paddock.kernel.settings import resolve_settings
from paddock.models import build_package, encode_rows, infer_signature, save_package
from paddock.registry import ModelVersion

FIT_BEFORE = OPENED_AT + ROUND


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    settings = resolve_settings({"store": str(tmp_path / "store"), "principal": "ann"}, {}, {})
    with closing(open_app(settings)) as opened:
        opened.endpoints.declare(MODEL, SPEC)
        yield opened


def release(
    app: App, fitted_on: pa.Table, *, refit_of: int = 0, datasets: tuple[str, ...] = ("rows",)
) -> ModelVersion:
    """Register a model of `fitted_on` that names the newest versions of `datasets`."""
    sample = fitted_on.select(list(FEATURES)).slice(0, 40)
    signature = infer_signature(sample)
    package = build_package(
        LogisticRegression().fit(matrix_of(fitted_on), labels_of(fitted_on)),
        sample=sample,
        signature=signature,
        features=encode_rows(signature, {name: sample[name] for name in FEATURES}),
    )
    return app.registry.register_version(
        MODEL,
        save_package(app.objects, package),
        refit_of=refit_of,
        datasets=tuple(app.datasets.get(name).ref for name in datasets),
        recipe=RECIPE,
    )


def mean_answer(app: App, version: ModelVersion, rows: pa.Table) -> float:
    return float(np.mean(score_package(app.objects, version.package_digest, rows.select(list(FEATURES)))))


def test_refit_is_measured_by_what_its_parent_said_of_the_exam(app):
    """Predictions for rows a model was fitted on are too sure; the exam's rows were new to the parent."""
    seen, exam = flights(OPENED_AT), flights(FIT_BEFORE)
    both = pa.concat_tables([seen, exam])
    app.datasets.add_table("rows", both)
    parent = release(app, seen)
    refit = release(app, both, refit_of=parent.version)
    app.automation.open_rollout(
        draft(candidate=refit.version, fit_before=FIT_BEFORE, gate_until=FIT_BEFORE + ROUND),
        "candidate_submitted",
        Words("submitted"),
    )

    found = release_of(app, refit, MODEL).profile

    assert found.column("prediction").mean == pytest.approx(mean_answer(app, parent, exam))
    assert found.column("prediction").mean != pytest.approx(mean_answer(app, refit, both))
    assert found.column("wind").mean == pytest.approx(float(np.mean(both["wind"].to_numpy())))


def test_version_that_came_by_no_rollout_is_asked_about_its_newest_dataset(app):
    """What it has seen of it is not recorded, so all of its rows count."""
    rows = flights(OPENED_AT)
    app.datasets.add_table("rows", flights(OPENED_AT - timedelta(days=9)))
    app.datasets.add_table("rows", rows)
    version = release(app, rows)

    found = release_of(app, version, MODEL).profile

    assert found.column("prediction").mean == pytest.approx(mean_answer(app, version, rows))


def test_version_without_a_dataset_cannot_be_measured_against(app):
    """The error names the version and says how datasets get recorded."""
    app.datasets.add_table("rows", flights(OPENED_AT))
    version = release(app, flights(OPENED_AT), datasets=())

    with pytest.raises(NotFound, match=r"delay@1 names no dataset"):
        release_of(app, version, MODEL)


def test_release_is_taken_from_the_newest_dataset_with_all_columns(app):
    """Raw rows read beside the engineered ones are passed over, however new they are."""
    rows = flights(OPENED_AT)
    app.datasets.add_table("rows", rows)
    app.datasets.add_table("raw", pa.table({"text": ["wind 3"]}))
    version = release(app, rows, datasets=("rows", "raw"))

    found = release_of(app, version, MODEL).profile

    assert found.column("wind").mean == pytest.approx(float(np.mean(rows["wind"].to_numpy())))


def test_columns_that_no_dataset_has_are_named(app):
    """A model of engineered features whose rows were not stored tells which columns are missing."""
    rows = flights(OPENED_AT)
    app.datasets.add_table("rows", rows.drop_columns(["wind", "snow"]))
    version = release(app, rows)

    with pytest.raises(NotFound, match=r"rows@1 lacks `wind`, `snow`"):
        release_of(app, version, MODEL)
