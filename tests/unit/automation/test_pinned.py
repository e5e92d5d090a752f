"""Rows that were asked of one version are in the log, and nothing that judges the traffic looks at them."""

from datetime import timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from loop_shop import DAY, HOUR, OPENED_AT, RETRAIN, ROLLOUT, BrokenTrainer, labels, scores

from paddock.automation import LiveRows, Watch, get_progress
from paddock.datasets import profile_table
from paddock.monitoring import LabelSpec, MonitorSpec
from paddock.prediction_log import Stage
from paddock.serving import EndpointSpec


def answer(shop, version, predictions, at=OPENED_AT, *, stage=Stage.PINNED, label_at=None):
    """Log answers by a version and label them 0, 1, 0, 1 ... half an hour later."""
    count = len(predictions)
    ids = shop.answer(at, [version] * count, predictions, features=[("wind", range(count))], stage=stage)
    shop.label(ids, labels(count), label_at or at + HOUR / 2)


def test_live_rows_are_those_of_the_traffic(shop):
    """However rows are asked for, with or without features, pinned ones are left out."""
    answer(shop, 1, [0.1, 0.2], stage=Stage.CHAMPION)
    answer(shop, 2, [0.3], OPENED_AT + HOUR / 60, stage=Stage.CANARY)
    answer(shop, 1, [0.4], OPENED_AT + HOUR / 30, stage=Stage.FALLBACK)
    answer(shop, 2, [0.5, 0.6], OPENED_AT + HOUR / 20)
    live, until = LiveRows(shop.log_folder), OPENED_AT + DAY

    for rows in (
        live.since(OPENED_AT, until),
        live.once_since(OPENED_AT, until),
        live.between(OPENED_AT, until, until),
    ):
        assert rows["prediction"].to_pylist() == [0.1, 0.2, 0.3, 0.4]
        assert rows["label"].to_pylist() == [0.0, 1.0, 0.0, 0.0]
    assert live.count_labelled(OPENED_AT, until, until) == 4


def test_what_is_kept_to_train_on_is_the_traffic(shop):
    """A row that somebody asked of two versions beside the traffic is not learnt from twice."""
    answer(shop, 1, [0.1] * 3, stage=Stage.CHAMPION)
    answer(shop, 1, [0.1] * 3, OPENED_AT + HOUR / 60)

    (ref,) = shop.loop.labelled.keep_until(OPENED_AT + HOUR, OPENED_AT + DAY)

    assert shop.app.datasets.read(str(ref))["wind"].to_pylist() == [0.0, 1.0, 2.0]


def test_retraining_does_not_start_on_pinned_rows(shop):
    """Labelled rows to learn from and to be judged on are those of the traffic."""
    for day in range(4):
        answer(shop, 1, scores(30), OPENED_AT + day * DAY)
    shop.clock.move_to(OPENED_AT + 4 * DAY)

    shop.make_loop(trainer=BrokenTrainer(), retrain=RETRAIN).tick()

    assert shop.decisions() == ()


def test_gate_is_not_held_on_pinned_rows(shop):
    """A candidate is not examined on rows that somebody chose for a version."""
    answer(shop, 1, scores(40))
    shop.clock.move_to(OPENED_AT + DAY)
    shop.start("gating", candidate=shop.version())

    shop.loop.tick()

    assert "delay@1 has seen every labelled row" in shop.decisions()[-1].words


def test_canary_is_not_judged_by_pinned_answers(shop):
    """Neither side's AUC, and none of the counts, knows of rows that were asked of one version."""
    shop.start("canary", candidate=shop.version())
    answer(shop, 1, scores(300), stage=Stage.CHAMPION)
    answer(shop, 2, scores(120), OPENED_AT + HOUR / 4, stage=Stage.CANARY)
    for version in (1, 2):
        answer(shop, version, 1.0 - scores(400), OPENED_AT + version * HOUR / 3, label_at=OPENED_AT + HOUR)
    shop.clock.move_to(OPENED_AT + HOUR)

    shop.loop.tick()

    widened = shop.decisions()[-1]
    assert widened.kind == "canary_widened"
    assert (widened.evidence["rows"], widened.evidence["candidate_rows"]) == (420, 120)
    assert min(widened.evidence["candidate_auc"], widened.evidence["champion_auc"]) > 0.9


def test_pinned_answers_do_not_stand_in_for_a_dead_canary(shop):
    """A candidate that answers only whoever asks for it does not answer its share of the traffic."""
    shop.start("canary", candidate=shop.version())
    answer(shop, 1, scores(1200), stage=Stage.FALLBACK)
    answer(shop, 2, scores(500), OPENED_AT + HOUR / 4)
    shop.clock.move_to(OPENED_AT + HOUR)

    shop.make_loop(spec=msgspec.structs.replace(ROLLOUT, labelled_rows=0)).tick()

    taken_back = shop.decisions()[-1]
    assert "The reason: answered 0 of about 240 rows of its share" in taken_back.words
    assert taken_back.evidence["predictions_answered"] == 0


def test_exposure_counts_what_callers_were_given(shop):
    """What was asked of the candidate on purpose is no exposure, neither in number nor in time."""
    shop.start("canary", candidate=shop.version())
    answer(shop, 2, scores(50))
    answer(shop, 1, scores(300), OPENED_AT + DAY, stage=Stage.CHAMPION)
    answer(shop, 2, scores(120, good=False), OPENED_AT + DAY + HOUR / 4, stage=Stage.CANARY)
    shop.clock.move_to(OPENED_AT + DAY + HOUR)

    shop.loop.tick()

    taken_back = shop.decisions()[-1]
    assert taken_back.kind == "candidate_rolled_back"
    assert taken_back.evidence["predictions_answered"] == 120
    assert taken_back.evidence["hours"] == 0


def test_progress_waits_for_rows_of_the_traffic(shop):
    """Who looks from outside is told the count that the loop goes by."""
    endpoint = shop.app.endpoints.declare("delay", EndpointSpec("delay@champion", ROLLOUT))
    shop.start("canary", candidate=2)
    answer(shop, 2, scores(500))
    shop.clock.move_to(OPENED_AT + HOUR)

    assert get_progress(shop.automation, endpoint, shop.log_folder).waits_for == "0 of 50 rows"


@pytest.mark.parametrize("pinned", [0, 500])
def test_monitor_measures_the_traffic(shop, pinned):
    """Rows, drift, label coverage and quality of a window are the same whatever was asked of one version."""
    reference = profile_table(pa.table({"prediction": scores(2000), "wind": np.arange(2000.0) % 300}))
    answer(shop, 1, scores(300), stage=Stage.CHAMPION)
    if pinned:
        answer(shop, 2, 1.0 - scores(pinned), OPENED_AT + HOUR)
        shop.answer(
            OPENED_AT + 2 * HOUR, [2] * 9, [9.0] * 9, features=[("wind", [-1.0] * 9)], stage=Stage.PINNED
        )
    watch = Watch(
        name="delay",
        spec=MonitorSpec("delay", labels=LabelSpec("late", "1h")),
        opened_at=OPENED_AT,
        reference=reference,
        reference_quality=0.95,
        monitoring=shop.app.monitoring,
        clock=shop.clock,
        live=LiveRows(shop.log_folder),
    )
    shop.clock.move_to(OPENED_AT + DAY + timedelta(hours=2))

    facts = watch.tick(OPENED_AT)[0].facts

    assert [(each.version, each.rows) for each in facts.versions] == [(1, 300)]
    assert (facts.rows, facts.due_count, facts.due_label_count, facts.label_count) == (300, 300, 300, 300)
    assert facts.quality.rows == 300
    assert facts.quality.value > 0.9
    assert max(facts.prediction.psi, facts.features[0].psi) < 0.2
