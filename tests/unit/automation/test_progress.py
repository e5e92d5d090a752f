"""What a rollout waits for, told to whoever looks from outside."""

import msgspec
import pytest
from loop_shop import HOUR, OPENED_AT, ROLLOUT, labels, scores

from paddock.automation import get_progress
from paddock.kernel.errors import NotFound
from paddock.serving import EndpointSpec


@pytest.fixture
def endpoint(shop):
    return shop.app.endpoints.declare("delay", EndpointSpec("delay@champion", ROLLOUT))


def progress_of(shop, endpoint):
    return get_progress(shop.automation, endpoint, shop.log_folder)


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("training", "its training to end"),
        ("verifying", "its golden requests to be replayed"),
        ("gating", "its gate to be held"),
        ("refitting", "the gated recipe to be fitted again on all labelled rows"),
    ],
)
def test_each_phase_says_what_is_done_in_it(shop, endpoint, phase, words):
    """Before there is traffic the phase itself is what is waited for."""
    opened = shop.start(phase, candidate=2)

    found = progress_of(shop, endpoint)

    assert (found.rollout_id, found.phase, found.waits_for) == (opened.rollout_id, phase, words)
    assert found.is_open


def test_live_phase_counts_what_came(shop, endpoint):
    """Shadow and canary tell the rows, or labels, that are there and those that are asked for."""
    shop.start("shadow", candidate=2)
    shop.answer(OPENED_AT, [1] * 30, scores(30), shadow=2)
    shop.clock.move_to(OPENED_AT + HOUR)
    assert progress_of(shop, endpoint).waits_for == "30 of 50 shadow rows"

    shop.automation.move(shop.automation.find_open("delay"), "canary")
    ids = shop.answer(OPENED_AT + HOUR, [2] * 50, scores(50))
    shop.label(ids[:10], labels(10), OPENED_AT + HOUR)
    shop.clock.move_to(OPENED_AT + 2 * HOUR)
    assert progress_of(shop, endpoint).waits_for == "10 of 60 labelled candidate rows"


def test_stage_that_is_through_waits_for_the_loop(shop, endpoint):
    """When rows and labels are there only the loop has not looked yet."""
    shop.start("shadow", candidate=2)
    shop.answer(OPENED_AT, [1] * 60, scores(60), shadow=2)
    shop.clock.move_to(OPENED_AT + HOUR)

    assert progress_of(shop, endpoint).waits_for == "the loop's next look"


def test_log_on_another_machine_is_not_taken_for_empty(shop, endpoint):
    """Without the log here, nothing is counted."""
    shop.start("canary", candidate=2)

    found = get_progress(shop.automation, endpoint, shop.log_folder / "none")

    assert found.waits_for == "rows and labels that are logged on another machine"


def test_ended_rollout_waits_for_nothing(shop, endpoint):
    """The newest rollout is shown after its end, too; before the first one there is none."""
    with pytest.raises(NotFound, match="no candidate was on its way to endpoint `delay` yet"):
        progress_of(shop, endpoint)
    shop.start("canary", candidate=2)
    ended = shop.automation.withdraw("delay", reason="no")

    found = progress_of(shop, endpoint)

    assert (found.is_open, found.waits_for) == (False, "")
    assert {name: getattr(found, name) for name in msgspec.structs.asdict(ended)} == msgspec.structs.asdict(
        ended
    )
