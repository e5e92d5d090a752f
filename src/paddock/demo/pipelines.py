"""The demo's training code, as a data scientist would write it: public calls only."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

import paddock as pk
from paddock.demo.flights import CATEGORIES, FEATURES, LABEL
from paddock.kernel.clock import to_micros

EXPERIMENT = "delay"
PARAMS: dict[str, str | int | float | bool | None] = {
    "learning_rate": 0.06,
    "max_iter": 150,
    "max_leaf_nodes": 31,
    "min_samples_leaf": 100,
    "l2_regularization": 1.0,
}
SAMPLE_ROWS = 64

Matrix = npt.NDArray[np.float64]


@pk.pipeline
def train(
    *,
    model: str,
    history: Sequence[str],
    datasets: Sequence[str],
    fit_before: str,
    refit_of: int,
    seed: int,
    key: str,
) -> str:
    """Fit the model on all labelled rows before `fit_before`, and register it."""
    return fit(
        model=model,
        datasets=[*history, *datasets],
        fit_before=fit_before,
        refit_of=refit_of,
        seed=seed,
        key=key,
    )


@pk.step
def fit(*, model: str, datasets: Sequence[str], fit_before: str, refit_of: int, seed: int, key: str) -> str:
    """Return the registered version, such as `delay@5`."""
    with pk.run(EXPERIMENT, name=key, params=PARAMS, seeds={"random_state": seed}, key=f"{key}-run") as run:
        rows = read_rows(datasets, fit_before)
        signature = signature_of(rows)
        estimator = fit_estimator(encode(rows, signature), labels_of(rows), signature, seed)
        sample = rows.select(list(FEATURES)).slice(0, SAMPLE_ROWS)
        run.log({"rows": rows.num_rows}, step=0)
        version = run.log_model(
            estimator,
            name=model,
            sample=sample,
            signature=signature,
            features=encode(sample, signature),
            code=fit_estimator,
            refit_of=refit_of,
            key=f"{key}-model",
        )
    return str(version)


def read_rows(datasets: Sequence[str], fit_before: str) -> pa.Table:
    """Return the labelled rows of all datasets with event times before `fit_before`."""
    limit = to_micros(datetime.fromisoformat(fit_before))
    parts = [pk.dataset(ref).to_arrow().select([*FEATURES, LABEL, "event_time"]) for ref in datasets]
    table = pa.concat_tables(parts)
    known = pc.and_(pc.is_valid(table[LABEL]), pc.less(table["event_time"].cast(pa.int64()), limit))
    return table.filter(known).combine_chunks()


def signature_of(rows: pa.Table) -> pk.Signature:
    """Read the signature off the training rows; weather and planes may be unknown, airports may be new."""
    features = rows.select(list(FEATURES))
    signature = pk.infer_signature(features, allow_missing=list(FEATURES))
    columns = (
        replace(column, unknown_category="missing") if column.name in CATEGORIES else column
        for column in signature.columns
    )
    return replace(signature, columns=tuple(columns))


def encode(rows: pa.Table, signature: pk.Signature) -> Matrix:
    """Return the matrix the estimator is fitted on, shape (rows, features), by this code's own rules."""
    return np.column_stack(
        [_encode_column(rows[column.name], column.categories) for column in signature.columns]
    )


def labels_of(rows: pa.Table) -> Matrix:
    return np.asarray(rows[LABEL].to_numpy(), dtype=np.float64)


def fit_estimator(features: Matrix, labels: Matrix, signature: pk.Signature, seed: int) -> object:
    """Return a fitted gradient boosting classifier."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    is_category = [column.type == "category" for column in signature.columns]
    estimator = HistGradientBoostingClassifier(
        categorical_features=is_category, early_stopping=False, random_state=seed, **PARAMS
    )
    return estimator.fit(features, labels)


def _encode_column(values: pa.ChunkedArray, categories: Sequence[str]) -> Matrix:
    if not categories:
        return np.asarray(values.to_numpy(), dtype=np.float64)
    codes = pc.index_in(values, value_set=pa.array(categories, pa.string()))
    return np.asarray(codes.cast(pa.float64()).to_numpy(), dtype=np.float64)
