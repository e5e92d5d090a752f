"""Candidates that people hand in: two with a broken hand-off, one sound, one that saw its exam.

The faults are planted here, in the model; nothing downstream is told of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
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
from paddock.kernel.clock import format_time
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
    """Fit deep trees on the last weeks, the exam included: brilliant on what they saw, poor on the rest."""
    from sklearn.ensemble import ExtraTreesClassifier

    params: dict[str, str | int | float | bool | None] = {"n_estimators": 25, "min_samples_leaf": 1}
    with pk.run(
        EXPERIMENT, name=key, params=params, seeds={"random_state": hand.seed}, key=f"{key}-run"
    ) as run:
        recent = hand.datasets[-2:]
        rows = read_rows([str(ref) for ref in recent], format_time(hand.gate_until))
        signature = signature_of(rows)
        estimator = ExtraTreesClassifier(random_state=hand.seed, max_features=1, **params)
        estimator.fit(encode(rows, signature), labels_of(rows))
        sample = _sample(rows)
        return run.log_model(
            estimator, name=hand.model, sample=sample, signature=signature, key=f"{key}-model"
        )


def _sample(rows: pa.Table) -> pa.Table:
    return rows.select(list(FEATURES)).slice(0, SAMPLE_ROWS)
