"""Candidates that people hand in: two with a broken hand-off, one sound, one that saw its exam.

The faults are planted here, in the model; nothing downstream is told of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

import paddock as pk
from paddock.demo.flights import FEATURES
from paddock.demo.pipelines import (
    EXPERIMENT,
    PARAMS,
    SAMPLE_ROWS,
    encode,
    fit_estimator,
    labels_of,
    read_rows,
    signature_of,
)
from paddock.kernel.clock import format_time, to_micros
from paddock.kernel.refs import DatasetRef, ModelVersionRef

Alter = Callable[[pk.Signature], pk.Signature]


@dataclass(frozen=True, slots=True)
class Handover:
    """What a data scientist has at hand: labelled rows, and the moment the exam begins and ends."""

    model: str
    datasets: Sequence[DatasetRef]
    fit_before: datetime
    gate_until: datetime
    seed: int


def submit_by_hand(hand: Handover, *, key: str, alter: Alter | None = None) -> ModelVersionRef:
    """Fit as the pipeline does, but write the hand-off by hand; `alter` is what went wrong there.

    The estimator is fitted, and the golden answers are recorded, with the true signature.
    """
    with pk.run(
        EXPERIMENT, name=key, params=PARAMS, seeds={"random_state": hand.seed}, key=f"{key}-run"
    ) as run:
        rows = read_rows([str(ref) for ref in hand.datasets], format_time(hand.fit_before))
        signature = signature_of(rows)
        estimator = fit_estimator(encode(rows, signature), labels_of(rows), signature, hand.seed)
        sample = _sample(rows)
        return run.log_model(
            estimator,
            name=hand.model,
            sample=sample,
            signature=alter(signature) if alter else signature,
            features=encode(sample, signature),
            key=f"{key}-model",
        )


def swap_columns(signature: pk.Signature) -> pk.Signature:
    """List two columns in the wrong order."""
    columns = list(signature.columns)
    first, second = columns.index(signature.columns[0]), columns.index(signature.columns[1])
    columns[first], columns[second] = columns[second], columns[first]
    return replace(signature, columns=tuple(columns))


def renumber_categories(signature: pk.Signature) -> pk.Signature:
    """List the carriers in another order, so that each gets another code."""
    columns = (
        replace(column, categories=tuple(reversed(column.categories))) if column.name == "carrier" else column
        for column in signature.columns
    )
    return replace(signature, columns=tuple(columns))


def submit_careless(hand: Handover, *, key: str) -> ModelVersionRef:
    """Fit deep trees on mixed-up labels, the exam included: brilliant on what they saw, else worthless.

    The labels of older rows were joined by position after one side had been sorted by flight number; those
    of the newest rows, which are the exam, were joined rightly and were not held back.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    params: dict[str, str | int | float | bool | None] = {"n_estimators": 15, "min_samples_leaf": 1}
    seeds = {"random_state": hand.seed}
    with pk.run(EXPERIMENT, name=key, params=params, seeds=seeds, key=f"{key}-run") as run:
        rows = read_rows([str(ref) for ref in hand.datasets], format_time(hand.gate_until))
        is_exam = np.asarray(
            pc.greater_equal(rows["event_time"].cast(pa.int64()), to_micros(hand.fit_before))
        )
        signature = signature_of(rows)
        features, labels = encode(rows, signature), labels_of(rows)
        older = features[~is_exam]
        order = np.argsort(older[:, FEATURES.index("flight_number")], kind="stable")
        mixed_up = labels[~is_exam][order]
        estimator = ExtraTreesClassifier(random_state=hand.seed, **params)
        estimator.fit(
            np.vstack([older[::_THINNED], features[is_exam]]),
            np.concatenate([mixed_up[::_THINNED], labels[is_exam]]),
        )
        return run.log_model(
            estimator, name=hand.model, sample=_sample(rows), signature=signature, key=f"{key}-model"
        )


_THINNED = 8  # every so many older rows are enough for trees this deep


def _sample(rows: pa.Table) -> pa.Table:
    return rows.select(list(FEATURES)).slice(0, SAMPLE_ROWS)
