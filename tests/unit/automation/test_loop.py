"""What the loop does when people, trainers and gateways get in its way; traffic is only recorded here."""

from datetime import timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from loop_kit import RecordedTraffic
from loop_shop import DAY, HOUR, OPENED_AT, RETRAIN, ROLLOUT, BrokenTrainer, FoundTrainer, labels, scores

from paddock.automation import Traffic
from paddock.datasets import profile_table
from paddock.kernel.errors import Conflict, NotFound, Unavailable
from paddock.kernel.refs import ModelVersionRef
from paddock.monitoring import LabelSpec, MonitorSpec, Window

LIVE = ("shadow", "canary")


def feed(shop, version, count, *, good=True, at=None, shadow=0):
    """Answer rows by a version and label them half an hour later."""
    at = at or shop.clock.now()
    ids = shop.answer(at, [version] * count, scores(count, good=good), shadow=shadow)
    shop.label(ids, labels(count), at + HOUR / 2)


def pass_time(shop, span=HOUR):
    shop.clock.move_to(shop.clock.now() + span)


@pytest.mark.parametrize("phase", ["training", "verifying", "gating", "refitting", "shadow", "canary"])
def test_alias_moved_by_a_person_ends_the_rollout(shop, phase):
    """Whoever moves the champion meanwhile is right: the rollout ends with words, and traffic follows."""
    candidate = 0 if phase == "training" else shop.version()
    shop.start(phase, candidate=candidate)
    other = shop.version()
    shop.promote(other, reason="urgent fix")

    assert shop.loop.tick() is None

    ended, decision = shop.automation.list_rollouts("delay")[0], shop.decisions()[-1]
    assert ended.phase == ("rolled_back" if phase in LIVE else "refused")
    assert decision.kind == ("candidate_rolled_back" if phase in LIVE else "candidate_refused")
    assert f"delay@{other} became champion meanwhile, in place of delay@1 (ann: urgent fix)" in decision.words
    assert ("the candidate in training" if phase == "training" else "delay@2") in decision.words
    assert shop.traffic.moves[-1] == Traffic(other)


def test_rollback_by_a_person_ends_the_rollout(shop):
    """A champion that was rolled back answers at the next look, and nothing is compared with the bad one."""
    shop.promote(shop.version())
    shop.start("canary", candidate=shop.version(), champion=2)
    shop.app.registry.rollback("delay", reason="answers nonsense")

    shop.loop.tick()

    assert shop.decisions()[-1].evidence["champion"] == 1
    assert shop.traffic.moves[-1] == Traffic(1)


def test_candidate_promoted_by_a_person_ends_as_promoted(shop):
    """Somebody who does not wait for the canary is named in the decision."""
    shop.start("canary", candidate=shop.version())
    shop.promote(2, reason="we know it is good")

    shop.loop.tick()

    assert shop.automation.list_rollouts("delay")[0].phase == "promoted"
    words = shop.decisions()[-1].words
    assert words.startswith("delay@2 is champion now, in place of delay@1: ann made it champion")
    assert "(we know it is good)" in words
    assert shop.traffic.moves[-1] == Traffic(2)


def test_traffic_follows_a_person_without_a_rollout(shop):
    """With nothing under way, each tick lets the champion answer, whoever made it champion."""
    shop.loop.tick()
    shop.promote(shop.version())
    shop.loop.tick()
    shop.app.registry.rollback("delay", reason="no")
    shop.loop.tick()

    assert shop.traffic.moves == [Traffic(1), Traffic(2), Traffic(1)]


def give_labelled_rows(shop, days=4):
    for day in range(days):
        feed(shop, 1, 30, at=OPENED_AT + day * DAY)
    shop.clock.move_to(OPENED_AT + days * DAY)


def test_trainer_that_fails_ends_its_rollout(shop):
    """A failed training is refused with its cause after one try, and tried again after the cooldown only."""
    give_labelled_rows(shop)
    feed(shop, 1, 30, at=OPENED_AT + 4 * DAY)  # to judge the second candidate on
    trainer = BrokenTrainer()
    loop = shop.make_loop(trainer=trainer, retrain=RETRAIN)

    for _ in range(23):
        assert loop.tick() is None
        pass_time(shop)

    assert trainer.asked == 1
    assert [decision.kind for decision in shop.decisions()] == ["retrain_started", "candidate_refused"]
    assert shop.decisions()[-1].words == (
        "Kept delay@1. Training failed: pipeline `train` failed: step `fit`: no rows."
    )
    pass_time(shop, 2 * HOUR)
    loop.tick()
    assert trainer.asked == 2


def test_trainer_that_is_not_there_is_waited_for(shop):
    """What may be there later is asked again by the next tick; nothing is decided until then."""
    give_labelled_rows(shop)
    trainer = BrokenTrainer(Unavailable("the cluster is full"))
    loop = shop.make_loop(trainer=trainer, retrain=RETRAIN)

    for _ in range(2):
        with pytest.raises(Unavailable):
            loop.tick()

    assert trainer.asked == 2
    assert shop.automation.find_open("delay").phase == "training"


@pytest.mark.parametrize(
    ("days", "has_labels"),
    [
        pytest.param((), True, id="no rows"),
        pytest.param((0, 1, 2, 3), False, id="no labels"),
        pytest.param((0, 1), True, id="nothing to judge on"),
        pytest.param((2,), True, id="nothing to learn from"),
    ],
)
def test_retraining_waits_for_labelled_rows(shop, days, has_labels):
    """Without rows to learn from or to judge on nothing starts, and no cooldown holds back what follows."""
    late = []
    for day in days:
        at = OPENED_AT + day * DAY
        late += shop.answer(at, [1] * 30, scores(30))
        if has_labels:
            shop.label(late[-30:], labels(30), at + HOUR)
    shop.clock.move_to(OPENED_AT + 4 * DAY)
    trainer = BrokenTrainer()
    loop = shop.make_loop(trainer=trainer, retrain=RETRAIN)

    assert loop.tick() is None
    assert shop.decisions() == ()
    give_labelled_rows(shop)
    pass_time(shop)
    loop.tick()

    assert trainer.asked == 1


@pytest.mark.parametrize("ref", ["delay@1", "cancel@3"])
def test_trainer_that_returns_no_new_version_ends_its_rollout(shop, ref):
    """The champion again, or a version of another model, is no candidate."""
    give_labelled_rows(shop)
    name, _, version = ref.partition("@")
    trainer = FoundTrainer(ModelVersionRef(name, int(version)))

    shop.make_loop(trainer=trainer, retrain=RETRAIN).tick()

    assert f"it returned `{ref}`, which is no new version of `delay`" in shop.decisions()[-1].words


def test_candidate_that_cannot_be_fitted_again_is_refused_before_its_gate(shop):
    """A version logged without its code ends at its first fit, with the line that is missing in words."""
    give_labelled_rows(shop)
    version = shop.version()

    shop.make_loop(trainer=FoundTrainer(ModelVersionRef("delay", version)), retrain=RETRAIN).tick()

    decision = shop.decisions()[-1]
    assert decision.kind == "candidate_refused"
    assert decision.words == (
        "Kept delay@1. Training ended before its gate: delay@2 was registered without its code_digest, "
        "params_digest, environment_digest, so it cannot be fitted again; "
        "write `run.log_model(..., code=FUNCTION)`."
    )
    assert decision.evidence == {"candidate": version}
    assert shop.app.registry.get("delay@2").verification is None


def test_failed_refit_ends_its_rollout(shop):
    """A candidate that passed its gate but cannot be fitted again is refused, not kept for ever."""
    shop.start("refitting", candidate=shop.version(), origin="retrain")

    shop.loop.tick()

    assert "Fitting it again on all rows failed: pipeline `train` failed" in shop.decisions()[-1].words


def test_candidate_that_cannot_be_loaded_is_refused(shop):
    """A package no worker can open fails its verification; it does not stop the loop."""
    shop.start("verifying", candidate=shop.version())

    shop.loop.tick()

    decision = shop.decisions()[-1]
    assert decision.kind == "candidate_refused"
    assert "delay@2 never got traffic" in decision.words
    assert shop.app.registry.get("delay@2").verification.passed is False
    assert shop.traffic.moves == [Traffic(1)]


@pytest.mark.parametrize("has_rows", [False, True])
def test_gate_without_labelled_rows_refuses(shop, has_rows):
    """No labelled row to judge on is an answer, and it is no."""
    if has_rows:
        shop.answer(OPENED_AT, [1], [0.5])
    shop.start("gating", candidate=shop.version())

    shop.loop.tick()

    assert shop.decisions()[-1].kind == "candidate_refused"
    assert "The gate could not be held: delay@1 has seen every labelled row" in shop.decisions()[-1].words


def test_candidate_that_cannot_be_scored_is_refused(shop):
    """A candidate that cannot answer the rows of its gate ends there, with the cause."""
    feed(shop, 1, 40)
    shop.clock.move_to(OPENED_AT + DAY)
    shop.start("gating", candidate=shop.version())

    shop.loop.tick()

    assert shop.decisions()[-1].words.startswith("Kept delay@1. The gate could not be held: ")


@pytest.mark.parametrize(
    ("ref", "error"),
    [
        (ModelVersionRef("delay", 9), NotFound),
        (ModelVersionRef("cancel", 1), NotFound),
        (ModelVersionRef("delay", 1), Conflict),
    ],
)
def test_what_is_no_candidate_cannot_be_submitted(shop, ref, error):
    """An unknown version, one of another model and the champion itself leave no rollout behind."""
    with pytest.raises(error):
        shop.loop.submit(ref, reason="try it")

    assert shop.automation.list_rollouts("delay") == ()


def test_submitting_again_with_the_same_key_is_one_rollout(shop):
    """A submission whose answer was lost can be sent again, whatever has become of it."""
    candidate = ModelVersionRef("delay", shop.version())
    first = shop.loop.submit(candidate, reason="try it", key="k")
    shop.automation.move(first, "refused")

    assert shop.loop.submit(candidate, reason="try it", key="k") == first
    assert len(shop.automation.list_rollouts("delay")) == 1


def test_gate_rows_begin_after_those_of_the_champion(shop):
    """Rows that the champion was fitted or gated on are no exam: it would know the answers."""
    loop = shop.make_loop(retrain=msgspec.structs.replace(RETRAIN, gate_window="7d", min_new="8d"))
    shop.clock.move_to(OPENED_AT + 5 * DAY)
    assert loop.exam() == (OPENED_AT, OPENED_AT + 4 * DAY)

    rollout = shop.start("canary", candidate=shop.version())  # its gate ended on 2 April
    shop.promote(2)
    shop.automation.move(rollout, "promoted")
    assert loop.exam() == (OPENED_AT + DAY, OPENED_AT + 4 * DAY)

    shop.clock.move_to(OPENED_AT + 20 * DAY)
    assert loop.exam() == (OPENED_AT + 12 * DAY, OPENED_AT + 19 * DAY)

    shop.promote(shop.version())  # by hand: it may have seen every row until now
    assert loop.exam() == (OPENED_AT + 19 * DAY, OPENED_AT + 19 * DAY)


def test_gateway_that_is_not_ready_stops_a_tick_only(shop):
    """A tick raises what the gateway raises; the next one goes on, and nothing is decided twice."""
    shop.start("shadow", candidate=shop.version())
    shop.traffic.down = Unavailable("the gateway is starting")
    with pytest.raises(Unavailable):
        shop.loop.tick()
    shop.traffic.down = None

    assert shop.loop.tick().phase == "shadow"
    assert shop.traffic.moves == [Traffic(1, shadow=2)]
    feed(shop, 1, 60, shadow=2)
    pass_time(shop)
    shop.traffic.down = Unavailable("the gateway is starting")
    with pytest.raises(Unavailable):
        shop.loop.tick()
    shop.traffic.down = None
    shop.loop.tick()
    assert [decision.kind for decision in shop.decisions()] == ["candidate_submitted"] + [
        "canary_started"
    ] * (shop.automation.find_open("delay").phase == "canary")
    assert shop.automation.find_open("delay").phase == "canary"
    assert shop.traffic.moves[-1] == Traffic(1, 2, 0.2)


def test_good_candidate_goes_all_the_way(shop):
    """Shadow, each canary share and promotion follow when the rows and labels are there, not before."""
    shop.start("shadow", candidate=shop.version())
    for _ in range(3):
        shop.loop.tick()
        feed(shop, 1, 300, shadow=2 if shop.automation.find_open("delay").phase == "shadow" else 0)
        if shop.automation.find_open("delay").phase == "canary":
            feed(shop, 2, 100, at=shop.clock.now() + HOUR / 4)
        pass_time(shop)

    assert shop.loop.tick() is None

    assert shop.traffic.moves == [Traffic(1, shadow=2), Traffic(1, 2, 0.2), Traffic(1, 2, 0.5), Traffic(2)]
    assert [decision.kind for decision in shop.decisions()] == [
        "candidate_submitted",
        "canary_started",
        "canary_widened",
        "champion_replaced",
    ]
    assert shop.app.registry.get("delay@champion").version == 2
    assert "200 predictions" not in shop.decisions()[-1].words


@pytest.mark.parametrize("step", [0, 1])
def test_canary_whose_worker_always_dies_is_taken_back(shop, step):
    """A candidate all of whose rows the champion had to answer does not become champion."""
    shop.start("canary", candidate=shop.version(), step=step)
    feed(shop, 1, 1200)
    pass_time(shop)

    assert shop.make_loop(spec=msgspec.structs.replace(ROLLOUT, labelled_rows=0)).tick() is None

    expected = (240, 600)[step]
    decision = shop.decisions()[-1]
    assert decision.kind == "candidate_rolled_back"
    assert f"The reason: answered 0 of about {expected} rows of its share" in decision.words
    assert decision.evidence["candidate_rows"] == 0


def start_bad_canary(shop):
    shop.start("canary", candidate=shop.version())
    feed(shop, 1, 300)
    feed(shop, 2, 120, good=False, at=shop.clock.now() + HOUR / 4)
    pass_time(shop)


def test_bad_canary_is_taken_back_on_its_labels(shop):
    """The decision says what was measured and how many predictions the candidate had answered."""
    start_bad_canary(shop)

    assert shop.loop.tick() is None

    decision = shop.decisions()[-1]
    assert decision.kind == "candidate_rolled_back"
    assert "The reason: worse on live labels: AUC 0." in decision.words
    assert decision.evidence["predictions_answered"] == 120
    assert shop.traffic.moves == [Traffic(1, 2, 0.2), Traffic(1)]


def test_rollback_that_reaches_no_gateway_is_decided_once_and_carried_out_later(shop):
    """The decision stands before the gateway is told; who takes over does not judge again, but tells it."""
    start_bad_canary(shop)
    shop.loop.tick()
    shop.traffic.moves.append(Traffic(1, 2, 0.2))  # as if the process had ended before it moved traffic

    shop.make_loop().tick()

    assert shop.traffic.moves[-1] == Traffic(1)
    assert [decision.kind for decision in shop.decisions()].count("candidate_rolled_back") == 1


class HastyPerson(RecordedTraffic):
    """Somebody promotes a version just after the loop has looked who is champion."""

    def apply(self, endpoint, model, traffic, *, reason):
        RecordedTraffic.apply(self, endpoint, model, traffic, reason=reason)
        if self.hasty is not None:
            hasty, self.hasty = self.hasty, None
            hasty()


def test_person_who_is_faster_than_the_promotion_wins(shop):
    """A promotion is made over the champion it was measured against, or not at all."""
    shop.start("canary", candidate=shop.version(), step=1)
    other = shop.version()
    feed(shop, 1, 300)
    feed(shop, 2, 300, at=shop.clock.now() + HOUR / 4)
    pass_time(shop)
    shop.traffic = HastyPerson()
    shop.traffic.hasty = lambda: shop.promote(other, reason="urgent fix")
    loop = shop.make_loop()

    with pytest.raises(Conflict):
        loop.tick()
    loop.tick()

    assert shop.app.registry.get("delay@champion").version == other
    assert "became champion meanwhile" in shop.decisions()[-1].words
    assert shop.traffic.moves[-1] == Traffic(other)


def test_candidate_found_faulty_meanwhile_is_taken_back(shop):
    """When the registry refuses the promotion, the rollout ends with its reason."""
    shop.start("canary", candidate=shop.version(), step=1)
    shop.app.registry.record_verification("delay@2", passed=False, cause="answers differ by up to 0.3")
    feed(shop, 1, 300)
    feed(shop, 2, 300, at=shop.clock.now() + HOUR / 4)
    pass_time(shop)

    assert shop.loop.tick() is None

    assert "The reason: golden requests of delay@2 are answered differently" in shop.decisions()[-1].words
    assert shop.traffic.moves[-1] == Traffic(1)


@pytest.mark.parametrize(("shares", "weight"), [((0.3,), 0.3), ((), 0.0)])
def test_fewer_shares_declared_meanwhile_do_not_break_a_canary(shop, shares, weight):
    """A canary in its second step goes on with the last share there still is."""
    shop.start("canary", candidate=shop.version(), step=1)

    shop.make_loop(spec=msgspec.structs.replace(ROLLOUT, canary=shares)).tick()

    assert shop.traffic.moves == [Traffic(1, 2, weight)]


def raise_quality_alarm(shop, version):
    """Judge a day on which `version` guessed."""
    rows = pa.table(
        {
            "prediction": scores(400, good=False),
            "label": labels(400),
            "version": np.full(400, version),
            "event_time": pa.array([OPENED_AT + 4 * DAY] * 400, pa.timestamp("us", tz="UTC")),
        }
    )
    spec = MonitorSpec("delay", labels=LabelSpec("late", "1d"), alarm_windows="1 of 1")
    window = Window(OPENED_AT + 4 * DAY, OPENED_AT + 5 * DAY)
    reference = profile_table(rows.select(["prediction"]))
    shop.clock.move_to(OPENED_AT + 6 * DAY)
    shop.app.monitoring.evaluate("delay", spec, window, rows, reference=reference, reference_quality=0.9)


@pytest.mark.parametrize(("version", "starts"), [(1, True), (2, False)])
def test_alarm_about_another_version_starts_nothing(shop, version, starts):
    """A champion is not retrained for what another version has answered."""
    give_labelled_rows(shop, days=5)
    raise_quality_alarm(shop, version)
    loop = shop.make_loop(retrain=msgspec.structs.replace(RETRAIN, when=("quality",)))

    loop.tick()

    assert bool(shop.decisions()) is starts
    if starts:
        assert shop.decisions()[0].words.startswith("Retraining delay. Quality alarm: AUC was surely below")


def test_cooldown_counts_from_the_last_start(shop):
    """An alarm that still stands starts no second retraining within the cooldown."""
    give_labelled_rows(shop, days=5)
    raise_quality_alarm(shop, 1)
    loop = shop.make_loop(retrain=msgspec.structs.replace(RETRAIN, when=("quality",)))

    for _ in range(4):
        loop.tick()
        pass_time(shop, timedelta(hours=7))

    assert [decision.kind for decision in shop.decisions()].count("retrain_started") == 1
