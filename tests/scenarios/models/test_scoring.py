"""Scores for a gate come from the model's own worker."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from paddock.evaluation import score_package
from paddock.kernel.errors import InvalidRows
from paddock.models import build_package, encode_rows, infer_signature, save_package
from paddock.objects import MemoryBackend, ObjectStore


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(21)
    return pa.table(
        {
            "late": (rng.random(300) < 0.3).astype(float),
            "distance": rng.normal(1000, 300, 300),
            "carrier": rng.choice(["AA", "DL", "UA"], 300),
        }
    )


@pytest.fixture(scope="module")
def packed(table):
    """A fitted model stored as a package, its address, and its answers in this process."""
    rows = table.drop_columns(["late"])
    signature = infer_signature(rows)
    features = encode_rows(signature, {name: rows.column(name) for name in signature.names})
    model = LogisticRegression().fit(features, table.column("late").to_numpy())
    objects = ObjectStore(MemoryBackend())
    digest = save_package(objects, build_package(model, sample=rows.slice(0, 50), signature=signature))
    return objects, digest, model.predict_proba(features)[:, 1]


def test_scores_are_those_of_the_fitted_model(packed, table):
    """Every row gets the fitted model's answer, in order, however the rows are cut into batches."""
    objects, digest, answers = packed

    for batch_rows in (7, 300, 10_000):
        scores = score_package(objects, digest, table, batch_rows=batch_rows)
        np.testing.assert_array_equal(scores, answers)


def test_no_rows_have_no_scores(packed, table):
    """An empty table is answered with nothing."""
    objects, digest, _ = packed

    assert score_package(objects, digest, table.slice(0, 0)).shape == (0,)


def test_rows_that_do_not_fit_are_refused(packed, table):
    """A column the model needs and the table lacks is named."""
    objects, digest, _ = packed

    with pytest.raises(InvalidRows, match="distance"):
        score_package(objects, digest, table.drop_columns(["distance"]))
