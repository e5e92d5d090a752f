"""A person ends a rollout: the row, the decision, and what the loop makes of it."""

import threading

import pytest
from loop_kit import RecordedTraffic
from loop_shop import DAY, HOUR, OPENED_AT, RETRAIN, FoundTrainer, draft, labels, scores

from paddock.automation import BackgroundTrainer, Traffic
from paddock.automation.records import Words
from paddock.kernel.errors import Conflict, IdempotencyConflict, InvalidInput, NotFound
from paddock.kernel.refs import Actor, ModelVersionRef


@pytest.mark.parametrize(
    ("phase", "ended"),
    [
        ("training", "refused"),
        ("verifying", "refused"),
        ("gating", "refused"),
        ("refitting", "refused"),
        ("shadow", "rolled_back"),
        ("canary", "rolled_back"),
    ],
)
def test_withdrawal_ends_the_rollout_in_every_phase(shop, phase, ended):
    """What had traffic is rolled back, anything else refused, and no rollout is open after it."""
    shop.start(phase, candidate=2, step=1 if phase == "canary" else 0)
    shop.clock.move_to(OPENED_AT + HOUR)

    withdrawn = shop.automation.withdraw("delay", reason="complaints since noon")

    assert (withdrawn.phase, withdrawn.phase_started_at) == (ended, OPENED_AT + HOUR)
    assert shop.automation.find_open("delay") is None
    assert shop.automation.list_rollouts("delay") == (withdrawn,)


@pytest.mark.parametrize(
    ("phase", "candidate", "words"),
    [
        (
            "canary",
            2,
            "bob withdrew delay@2 in phase canary; delay@1 answers everything again. The reason: no more.",
        ),
        (
            "training",
            0,
            "bob withdrew the candidate in training in phase training; delay@1 stays champion. "
            "The reason: no more.",
        ),
    ],
)
def test_decision_names_who_and_why(shop, phase, candidate, words):
    """The decision of a withdrawal has the principal and the reason, and is the event of the same write."""
    shop.start(phase, candidate=candidate)
    bob = shop.app.acting_as(Actor(shop.app.actor.project_id, "bob"))

    bob.automation.withdraw("delay", reason="no more.")

    decision = shop.decisions()[-1]
    assert (decision.kind, decision.words) == ("candidate_withdrawn", words)
    assert decision.evidence["principal"] == "bob"
    event = shop.app.metadata.latest_events(shop.app.actor.project_id, kind="decision.", limit=1)[0]
    assert (event.principal, event.subject) == ("bob", "endpoint:delay")


def test_nothing_to_withdraw_is_told(shop):
    """Without an open rollout there is an error with the next command, and no event."""
    with pytest.raises(NotFound, match="endpoint `delay` has no rollout in progress") as told:
        shop.automation.withdraw("delay", reason="no")

    assert told.value.hint == "paddock rollout show delay"
    assert shop.decisions() == ()


def test_withdrawal_needs_a_reason(shop):
    """An empty reason explains nothing to whoever reads the history."""
    shop.start("canary", candidate=2)

    with pytest.raises(InvalidInput, match="for a reason"):
        shop.automation.withdraw("delay", reason=" ")

    assert shop.automation.find_open("delay") is not None


def test_same_key_withdraws_once(shop):
    """A withdrawal whose answer was lost is sent again without ending the next rollout."""
    shop.start("canary", candidate=2)
    first = shop.automation.withdraw("delay", reason="no", key="k")
    shop.start("canary", candidate=3)

    assert shop.automation.withdraw("delay", reason="no", key="k") == first
    with pytest.raises(IdempotencyConflict):
        shop.automation.withdraw("delay", reason="another", key="k")
    assert shop.automation.find_open("delay").candidate == 3


def test_racing_withdrawals_tell_once(shop):
    """Of four people who withdraw at the same moment one does, and three are told that none is open."""
    shop.start("canary", candidate=2)
    start, results = threading.Barrier(4), []

    def race():
        start.wait()
        try:
            results.append(shop.automation.withdraw("delay", reason="no").phase)
        except NotFound:
            results.append("none open")

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == ["none open"] * 3 + ["rolled_back"]
    assert [each.kind for each in shop.decisions()].count("candidate_withdrawn") == 1


@pytest.mark.parametrize("phase", ["shadow", "canary"])
def test_next_look_gives_traffic_back(shop, phase):
    """After a withdrawal the champion answers everything from the loop's next look on."""
    shop.start(phase, candidate=shop.version())
    shop.loop.settle()
    shop.automation.withdraw("delay", reason="no")

    assert shop.loop.settle() is None

    assert shop.traffic.moves[-1] == Traffic(1)
    assert len(shop.traffic.moves) == 2


class WithdrawnMeanwhile(RecordedTraffic):
    """Somebody withdraws the candidate just after the loop has let it have its traffic."""

    automation = None

    def apply(self, endpoint, model, traffic, *, reason):
        RecordedTraffic.apply(self, endpoint, model, traffic, reason=reason)
        if self.automation is not None:
            automation, self.automation = self.automation, None
            automation.withdraw(endpoint, reason="complaints")


def give_good_rows(shop, version):
    at = shop.clock.now()
    ids = shop.answer(at, [version] * 300, scores(300))
    shop.label(ids, labels(300), at + HOUR / 2)


@pytest.mark.parametrize("step", [0, 1])
def test_withdrawal_between_two_steps_of_a_tick_stands(shop, step):
    """A loop that was about to widen or to promote does not: the person's word is the last one."""
    shop.start("canary", candidate=shop.version(), step=step)
    give_good_rows(shop, 1)
    give_good_rows(shop, 2)
    shop.clock.move_to(OPENED_AT + HOUR)
    shop.traffic = WithdrawnMeanwhile()
    shop.traffic.automation = shop.automation
    loop = shop.make_loop()

    with pytest.raises(Conflict):
        loop.tick()
    loop.tick()

    assert shop.app.registry.get("delay@champion").version == 1
    assert shop.automation.list_rollouts("delay")[0].phase == "rolled_back"
    assert shop.decisions()[-1].kind == "candidate_withdrawn"
    assert shop.traffic.moves[-1] == Traffic(1)


def test_another_candidate_can_follow(shop):
    """A withdrawal makes room: the next candidate is taken at once."""
    shop.start("canary", candidate=2)
    shop.automation.withdraw("delay", reason="no")

    opened = shop.automation.open_rollout(draft(candidate=3), "candidate_submitted", Words("handed in"))

    assert shop.automation.find_open("delay") == opened


class PatientTrainer(FoundTrainer):
    """Returns its version when it is let go on."""

    def __init__(self, ref):
        FoundTrainer.__init__(self, ref)
        self.is_free = threading.Event()

    def train(self, request):
        assert self.is_free.wait(60)
        return FoundTrainer.train(self, request)


def test_training_that_ends_after_the_withdrawal_is_left_aside(shop):
    """A version that comes out of a training nobody wants any more is neither gated nor served."""
    for day in range(4):
        at = OPENED_AT + day * DAY
        shop.label(shop.answer(at, [1] * 30, scores(30)), labels(30), at + HOUR / 2)
    shop.clock.move_to(OPENED_AT + 4 * DAY)
    patient = PatientTrainer(ModelVersionRef("delay", shop.version()))
    trainer = BackgroundTrainer(patient)
    loop = shop.make_loop(trainer=trainer, retrain=RETRAIN)
    assert loop.tick().phase == "training"
    shop.automation.withdraw("delay", reason="wrong data")
    patient.is_free.set()
    assert trainer.wait(60)

    assert loop.tick() is None

    assert [each.kind for each in shop.decisions()] == ["retrain_started", "candidate_withdrawn"]
    assert shop.automation.list_rollouts("delay")[0].phase == "refused"
    assert shop.traffic.moves == [Traffic(1)]
