"""Rollouts move by compare-and-set, one at a time for each endpoint; decisions are read from the ledger."""

import threading

import pytest
from loop_shop import DAY, OPENED_AT, draft

from paddock.automation.records import Words
from paddock.kernel.errors import Conflict, IdempotencyConflict
from paddock.kernel.refs import Actor, ProjectId

WORDS = Words("handed in", {"rows": 3, "auc": 0.5, "passed": True, "cause": None})


def open_one(shop, key="", **given):
    return shop.automation.open_rollout(draft(**given), "candidate_submitted", WORDS, key=key)


def test_open_rollout_is_found_until_it_ends(shop):
    """An endpoint has its open rollout; when it ends there is none, and it stays in the list."""
    opened = open_one(shop)

    assert shop.automation.find_open("delay") == opened
    ended = shop.automation.move(opened, "refused")
    assert shop.automation.find_open("delay") is None
    assert shop.automation.list_rollouts("delay") == (ended,)
    assert not ended.is_open


def test_every_field_is_read_back(shop):
    """A rollout comes out of the store as it went in."""
    opened = open_one(shop, origin="retrain", trigger="“quality” alarm", phase="canary", step=1)

    assert shop.automation.list_rollouts("delay") == (opened,)
    assert opened.started_at == opened.phase_started_at == OPENED_AT
    assert (opened.origin, opened.trigger, opened.phase, opened.step) == (
        "retrain",
        "“quality” alarm",
        "canary",
        1,
    )


def test_second_rollout_is_refused_while_one_is_open(shop):
    """One at a time: the second is told what is in progress, and leaves nothing behind."""
    open_one(shop)

    with pytest.raises(Conflict, match="endpoint `delay` has a rollout in progress: version 2 is in phase"):
        open_one(shop, candidate=3)

    assert len(shop.automation.list_rollouts("delay")) == 1
    assert len(shop.decisions()) == 1


def test_other_endpoints_and_projects_have_their_own(shop):
    """The limit is for each endpoint of each project, and one project does not see another's."""
    open_one(shop)
    open_one(shop, endpoint="cancel")
    other = shop.app.acting_as(Actor(ProjectId("other"), "bob")).automation

    assert other.find_open("delay") is None
    assert other.list_decisions() == ()
    other.open_rollout(draft(), "candidate_submitted", WORDS)
    assert len(shop.automation.list_rollouts("delay")) == 1


def test_champion_is_no_candidate(shop):
    """A rollout of the version that is champion already is refused."""
    with pytest.raises(Conflict, match="`delay@1` is champion already"):
        open_one(shop, candidate=1)


def test_same_key_opens_once(shop):
    """A repeated request gives the first rollout, even an ended one; with another candidate it conflicts."""
    first = open_one(shop, key="k")
    shop.automation.move(first, "refused")

    assert open_one(shop, key="k") == first
    with pytest.raises(IdempotencyConflict):
        open_one(shop, key="k", candidate=3)
    assert len(shop.automation.list_rollouts("delay")) == 1


def test_racing_threads_open_one(shop):
    """Of eight that start a rollout at the same moment one does, and seven get Conflict."""
    start, results = threading.Barrier(8), []

    def race(candidate):
        start.wait()
        try:
            results.append(open_one(shop, candidate=candidate).candidate)
        except Conflict:
            results.append("conflict")

    threads = [threading.Thread(target=race, args=(number + 2,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results.count("conflict") == 7
    assert len(shop.automation.list_rollouts("delay")) == 1
    assert [decision.kind for decision in shop.decisions()] == ["candidate_submitted"]


@pytest.mark.parametrize(
    ("moved", "then"),
    [
        (("gating", {}), ("refused", {})),
        (("canary", {"step": 1}), ("canary", {"step": 2})),
        (("refused", {}), ("promoted", {})),
        (("verifying", {"candidate": 5}), ("gating", {})),
    ],
)
def test_move_from_a_place_it_has_left_is_a_conflict(shop, moved, then):
    """Two loops that hold the same rollout: the second move is refused, and its decision not told."""
    rollout = open_one(shop)
    current = shop.automation.move(rollout, moved[0], **moved[1])

    with pytest.raises(Conflict, match="was moved by another process meanwhile"):
        shop.automation.move(rollout, then[0], kind="candidate_refused", words=WORDS, **then[1])

    assert shop.automation.list_rollouts("delay") == (current,)
    assert len(shop.decisions()) == 1


def test_racing_threads_move_once(shop):
    """Of eight loops that make the same move one does."""
    rollout, start, results = open_one(shop), threading.Barrier(8), []

    def race():
        start.wait()
        try:
            shop.automation.move(rollout, "gating", kind="shadow_started", words=WORDS)
            results.append("moved")
        except Conflict:
            results.append("conflict")

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == ["conflict"] * 7 + ["moved"]
    assert len(shop.decisions()) == 2


def test_move_keeps_what_it_is_not_told(shop):
    """Candidate and gated version stay unless they are given; the phase begins now."""
    rollout = open_one(shop)
    shop.clock.move_to(OPENED_AT + DAY)

    moved = shop.automation.move(rollout, "shadow", candidate=7)

    assert (moved.candidate, moved.gated, moved.champion) == (7, 2, 1)
    assert (moved.started_at, moved.phase_started_at) == (OPENED_AT, OPENED_AT + DAY)


def test_decisions_are_a_view_of_the_ledger(shop):
    """A decision is the event that was written with the move: words, evidence, time and place."""
    rollout = open_one(shop)
    shop.clock.move_to(OPENED_AT + DAY)
    shop.automation.move(rollout, "gating")  # tells nobody
    shop.automation.move(
        shop.automation.find_open("delay"), "refused", kind="candidate_refused", words=Words("Kept it.")
    )

    refused, submitted = shop.automation.list_decisions(endpoint="delay")

    assert (submitted.kind, submitted.words, submitted.evidence) == (
        "candidate_submitted",
        "handed in",
        {"rows": 3, "auc": 0.5, "passed": True, "cause": None},
    )
    assert (refused.at, submitted.at) == (OPENED_AT + DAY, OPENED_AT)
    assert refused.rollout_id == rollout.rollout_id
    events = shop.app.metadata.events(shop.app.actor.project_id, kind="decision.")
    assert [event.position for event in events] == [submitted.position, refused.position]
    assert [event.kind for event in events] == ["decision.candidate_submitted", "decision.candidate_refused"]


def test_decisions_are_listed_newest_first_and_by_endpoint(shop):
    """A page takes the newest of all endpoints, or of one."""
    open_one(shop)
    open_one(shop, endpoint="cancel")

    assert [decision.endpoint for decision in shop.automation.list_decisions()] == ["cancel", "delay"]
    assert [decision.endpoint for decision in shop.automation.list_decisions(limit=1)] == ["cancel"]
    assert [decision.endpoint for decision in shop.automation.list_decisions(endpoint="delay")] == ["delay"]
