"""What decisions say: whole sentences, each with one end."""

from datetime import timedelta

import pytest
from loop_shop import draft

from paddock.automation.records import Exposure, StageVerdict, Trigger
from paddock.automation.rules import TriggerEvidence, decide_trigger
from paddock.automation.specs import RetrainSpec
from paddock.automation.words import say_promoted, say_refused, say_retraining, say_shadow, say_taken_back
from paddock.kernel.clock import EPOCH

QUOTED = "step `fit` failed: ValueError: Input X contains NaN."


@pytest.mark.parametrize(
    "say",
    [
        lambda: say_refused(draft(), f"Training failed: {QUOTED}", {}),
        lambda: say_shadow(draft(), 2, QUOTED),
        lambda: say_promoted(draft(), QUOTED, {}),
        lambda: say_retraining(draft(), Trigger("quality", QUOTED)),
    ],
    ids=["refused", "shadow", "promoted", "retraining"],
)
def test_quoted_error_brings_its_own_period(say):
    """An error that ends with a period is quoted as it stands, and the sentence ends there."""
    text = say().text

    assert text.endswith("contains NaN.")


def test_exposure_is_told_in_its_own_unit():
    """One prediction in half an hour is neither `1 predictions` nor `0 days`."""
    words = say_taken_back(draft(), StageVerdict("fail", QUOTED), Exposure(1, timedelta(minutes=30)))

    assert words.text == (
        "Took delay@2 back; delay@1 answers everything again. The reason: step `fit` failed: ValueError: "
        "Input X contains NaN. It had answered 1 prediction in 30 minutes."
    )


def test_new_labels_of_less_than_a_day_are_not_none():
    """A schedule that runs by the minute tells minutes."""
    now = EPOCH + timedelta(hours=1)
    seen = TriggerEvidence(now, EPOCH, now, now - timedelta(minutes=20), (), ())
    spec = RetrainSpec(
        pipeline="train", when=("cron: * * * * *",), cooldown="1m", gate_window="5m", min_new="10m"
    )

    trigger = decide_trigger(spec, seen)

    assert trigger is not None
    assert trigger.words == "Schedule `* * * * *`: 20 minutes of new labels"
