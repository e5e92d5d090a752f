"""A model in its own process, asked synchronously and from an event loop."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from paddock.kernel.errors import InvalidInput, InvalidRows, LimitExceeded, WorkerFailed
from paddock.models import (
    AsyncModelWorker,
    ModelWorker,
    Output,
    Package,
    build_package,
    decode_golden,
    infer_signature,
    materialize_package,
    save_package,
    verify_package,
)
from paddock.models.records import GOLDEN_FILE
from paddock.models.worker import client
from paddock.objects import MemoryBackend, ObjectStore


def lay_out(package: Package, folder: Path) -> Path:
    objects = ObjectStore(MemoryBackend())
    materialize_package(objects, save_package(objects, package), folder)
    return folder


def test_worker_answers_like_the_estimator(trained: SimpleNamespace, worker: ModelWorker) -> None:
    """Answers are bit for bit those of the estimator in the training process."""
    expected = trained.estimator.predict_proba(trained.features)[:, 1]

    assert np.array_equal(worker.predict(trained.features), expected)
    assert np.array_equal(worker.predict(trained.features[:1]), expected[:1])
    assert np.array_equal(worker.predict(np.asfortranarray(trained.features)), expected)
    assert worker.predict(trained.features[:0]).shape == (0,)


def test_raw_rows_are_encoded_by_the_signature(trained: SimpleNamespace, worker: ModelWorker) -> None:
    """Raw rows give the answers of their matrix; a bad row names its column and the worker goes on."""
    rows = {name: trained.table[name] for name in trained.table.column_names}

    assert np.array_equal(worker.predict_rows(rows), worker.predict(trained.features))
    with pytest.raises(InvalidRows, match="`hour` is missing"):
        worker.predict_rows({name: values for name, values in rows.items() if name != "hour"})


def test_matrix_of_another_shape_is_refused(
    trained: SimpleNamespace, worker: ModelWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A matrix with other columns, or beyond a frame, never reaches the worker."""
    with pytest.raises(InvalidInput, match="5 columns"):
        worker.predict(trained.features[:, :4])
    monkeypatch.setattr(client, "MAX_PAYLOAD_BYTES", 100)
    with pytest.raises(LimitExceeded):
        worker.predict(trained.features)


def test_refused_rows_leave_the_worker_usable_until_it_is_closed(tmp_path: Path) -> None:
    """What the estimator raises reaches the caller, the next request is answered, a closed one says so."""
    table = pa.table({"x": [0.0, 1.0, 2.0, 3.0]})
    estimator = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    package = build_package(estimator, sample=table, signature=infer_signature(table))

    with ModelWorker(lay_out(package, tmp_path)) as worker:
        with pytest.raises(InvalidInput, match="NaN"):
            worker.predict(np.array([[np.nan]]))

        assert worker.predict(np.array([[2.0]])) == estimator.predict_proba([[2.0]])[0, 1]
    worker.close()
    with pytest.raises(WorkerFailed, match="was closed"):
        worker.predict(np.array([[2.0]]))


def test_estimator_fitted_on_a_frame_is_fed_frames(tmp_path: Path) -> None:
    """A pipeline over named text columns gets a DataFrame again, missing values and all."""
    table = pa.table(
        {
            "wind": [1.0, None, 3.0, 2.0],
            "carrier": ["UA", "AA", "UA", None],
            "hour": [7, 8, 9, 10],
            "holiday": [True, False, True, True],
        }
    )
    frame = pd.DataFrame(
        {
            "carrier": pd.array(["UA", "AA", "UA", None], dtype="str"),
            "hour": [7, 8, 9, 10],
            "wind": [1.0, np.nan, 3.0, 2.0],
            "holiday": [True, False, True, True],
        }
    )
    estimator = make_pipeline(
        ColumnTransformer(
            [
                ("texts", OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
                ("numbers", StandardScaler(), ["hour", "wind", "holiday"]),
            ]
        ),
        HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=1),
    ).fit(frame, [0.1, 0.2, 0.3, 0.4])
    signature = infer_signature(table, output=Output("value", "value"))
    package = build_package(estimator, sample=table, signature=signature)

    report = verify_package(lay_out(package, tmp_path))

    assert package.manifest.input == "frame"
    golden = decode_golden(package.files[GOLDEN_FILE])
    assert np.array_equal(golden.recorded_answers(), estimator.predict(frame))
    assert report.passed
    assert report.checked_rows == 4


def test_many_requests_in_flight_are_answered_in_order(
    package_folder: Path, trained: SimpleNamespace
) -> None:
    """Requests sent without waiting each get their own answer, whatever becomes of the ones between them."""
    row = {name: trained.table[name][:1].to_pylist() for name in trained.table.column_names}
    expected = trained.estimator.predict_proba(trained.features)[:, 1]

    async def ask() -> list[np.ndarray]:
        worker = await AsyncModelWorker.start(package_folder)
        asking = [asyncio.create_task(worker.predict(trained.features[at : at + 2])) for at in range(100)]
        cancelled = asyncio.create_task(worker.predict(trained.features))
        with pytest.raises(InvalidRows, match="`hour`"):
            await worker.predict_rows(row | {"hour": ["x"]})
        while worker.in_flight < 101:
            await asyncio.sleep(0)
        cancelled.cancel()
        await worker.close()
        assert all(task.done() for task in asking)
        assert not worker.failed.done()
        with pytest.raises(WorkerFailed, match="was closed"):
            await worker.predict(trained.features)
        return await asyncio.gather(*asking)

    answers = asyncio.run(ask())

    assert all(np.array_equal(answer, expected[at : at + 2]) for at, answer in enumerate(answers))


def has_mapped(pid: int, library: str) -> bool:
    return f"/{library}/" in Path(f"/proc/{pid}/maps").read_text()


def test_worker_of_a_matrix_model_never_loads_pandas(trained: SimpleNamespace, worker: ModelWorker) -> None:
    """Pandas is 80 MB in each worker, and scikit-learn takes what it finds; it must find none, ever."""
    worker.predict(trained.features)

    assert has_mapped(worker.pid, "sklearn")
    assert not has_mapped(worker.pid, "pandas")


def test_matrix_model_that_hands_frames_on_inside_has_its_pandas(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    """A part that was told to answer with frames goes on doing so."""
    scaled = StandardScaler().set_output(transform="pandas")
    features = trained.features
    booster = HistGradientBoostingClassifier(max_iter=3, random_state=0)
    estimator = make_pipeline(scaled, booster).fit(features, features[:, 4])
    package = build_package(estimator, sample=trained.table, signature=trained.signature, features=features)

    with ModelWorker(lay_out(package, tmp_path)) as worker:
        answers = worker.predict(features)

        assert np.array_equal(answers, estimator.predict_proba(features)[:, 1])
        assert has_mapped(worker.pid, "pandas")
