"""From live rows to the evidence of a stage."""

import math
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from loop_shop import DAY, HOUR, OPENED_AT, draft

from paddock.automation.records import Rollout
from paddock.automation.seen import canary_evidence, evidence_since

CANARY_AT = OPENED_AT + DAY
CANARY = draft(phase="canary", started_at=OPENED_AT, phase_started_at=CANARY_AT)


def rows(
    at: Sequence[timedelta],
    *,
    version: int,
    prediction: Sequence[float],
    shadow: Sequence[float | None] | None = None,
    label: Sequence[float | None],
) -> pa.Table:
    """Return live rows at these times after the opening; shadow: what candidate 2 said unseen."""
    count = len(at)
    return pa.table(
        {
            "event_time": pa.array([OPENED_AT + each for each in at], pa.timestamp("us", tz="UTC")),
            "version": pa.array([version] * count, pa.int64()),
            "prediction": pa.array(prediction, pa.float64()),
            "shadow_version": pa.array([2 if shadow else 0] * count, pa.int64()),
            "shadow_prediction": pa.array(shadow or [None] * count, pa.float64()),
            "label": pa.array(label, pa.float64()),
        }
    )


def shadowed(count: int, label: Sequence[float | None]) -> pa.Table:
    """Return rows of the shadow in which the champion is always wrong and the candidate always right."""
    truth = np.arange(count) % 2
    return rows(
        [HOUR * place for place in range(count)],
        version=1,
        prediction=(1.0 - truth).tolist(),
        shadow=truth.astype(float).tolist(),
        label=label,
    )


def test_labels_of_shadow_answers_count_in_the_first_canary_step():
    """They come while the canary waits, and say of the candidate what a few canary rows cannot."""
    before = shadowed(8, [0.0, 1.0] * 4)
    step = rows([DAY, DAY + HOUR], version=2, prediction=[0.9, 0.1], label=[1.0, 0.0])

    found = canary_evidence(pa.concat_tables([before, step]), CANARY, HOUR)

    assert (found.rows, found.candidate_rows) == (2, 2)
    assert (found.candidate.rows, found.champion.rows) == (10, 8)
    assert (found.candidate.value, found.champion.value) == (1.0, 0.0)


def test_shadow_answers_without_label_or_answer_do_not_count():
    """What is not labelled yet, or was not answered in time, measures nothing."""
    table = shadowed(4, [0.0, 1.0, None, 1.0])
    missing = pa.array([0.0, 1.0, 0.0, None], pa.float64())
    table = table.set_column(table.column_names.index("shadow_prediction"), "shadow_prediction", missing)

    found = canary_evidence(table, CANARY, HOUR)

    assert (found.candidate.rows, found.champion.rows) == (2, 3)


def test_shadow_of_another_candidate_does_not_count():
    """The rows of an earlier rollout may lie in the same days."""
    table = shadowed(4, [0.0, 1.0, 0.0, 1.0])
    other = pa.array([7] * 4, pa.int64())
    table = table.set_column(table.column_names.index("shadow_version"), "shadow_version", other)

    assert canary_evidence(table, CANARY, HOUR).candidate.rows == 0


def test_rows_that_both_have_answered_are_compared_in_pairs():
    """What makes both models err on the rows of the shadow is no reason to doubt their difference."""
    rng = np.random.default_rng(4)
    truth = np.arange(400) % 2
    champion = truth + rng.normal(0, 1, 400)
    candidate = champion + rng.normal(0, 0.1, 400)
    times = [HOUR * place / 20 for place in range(400)]
    shared = rows(
        times, version=1, prediction=champion.tolist(), shadow=candidate.tolist(), label=truth.tolist()
    )
    apart = [
        rows([DAY + at for at in times], version=version, prediction=scores.tolist(), label=truth.tolist())
        for version, scores in ((1, champion), (2, candidate))
    ]

    paired = canary_evidence(shared, CANARY, HOUR)
    unpaired = canary_evidence(pa.concat_tables(apart), CANARY, HOUR)

    assert (paired.candidate, paired.champion) == (unpaired.candidate, unpaired.champion)
    added = math.hypot(paired.candidate.standard_error, paired.champion.standard_error)
    assert unpaired.standard_error == pytest.approx(added)
    assert paired.standard_error < 0.2 * added
    both = canary_evidence(pa.concat_tables([shared, *apart]), CANARY, HOUR)
    assert paired.standard_error < both.standard_error < unpaired.standard_error


@pytest.mark.parametrize(
    ("rollout", "since"),
    [
        (draft(phase="shadow", started_at=OPENED_AT, phase_started_at=CANARY_AT), CANARY_AT),
        (CANARY, OPENED_AT),
        (draft(phase="canary", step=1, started_at=OPENED_AT, phase_started_at=CANARY_AT), CANARY_AT),
    ],
)
def test_only_the_first_canary_step_looks_back_at_the_shadow(rollout: Rollout, since):
    """Later steps are judged by their own rows, and the shadow by itself."""
    assert evidence_since(rollout) == since
