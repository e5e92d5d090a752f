"""Which version may become champion, and how an alias moves."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from paddock.kernel.clock import EPOCH
from paddock.kernel.errors import Conflict, InvalidInput, NotFound, PaddockError, PromotionRefused


def refit(shop, parent, *, verified=True, gated=True, attach=True):
    """Register a refit of `parent`, replayed and gated as its parent, as far as asked."""
    package = shop.package()
    version = shop.registry.register_version("delay", package, refit_of=parent.version, recipe=parent.recipe)
    if verified is not None:
        cause = "" if verified else "columns `a` and `b` are swapped"
        shop.registry.record_verification(version.ref, passed=verified, cause=cause)
    if gated and attach:
        report = shop.evaluation.judge_refit(
            shop.evaluation.get_report(parent.report_id),
            package,
            parent_version=parent.version,
            verified=bool(verified),
        )
        shop.registry.attach_report(version.ref, report.report_id)
    return version


def test_passed_version_becomes_champion(shop):
    """A version with a passed report is promoted, and the move says everything about itself."""
    version = shop.released()

    move = shop.registry.promote(version.ref, "champion", reason="first release")

    assert shop.registry.get("delay@champion").version == 1
    assert shop.registry.get("delay@1").aliases == ("champion",)
    assert (move.from_version, move.to_version, move.kind, move.sequence) == (0, 1, "promoted", 1)
    assert (move.reason, move.principal, move.report_id) == ("first release", "ann", version.report_id)
    assert shop.registry.list_models()[0].champion == 1


def test_version_without_report_is_refused(shop):
    """Without a gate report nothing is promoted, to either alias."""
    version = shop.registry.register_version("delay", shop.package())

    for alias in ("champion", "challenger"):
        with pytest.raises(PromotionRefused, match="delay@1 has no gate report"):
            shop.registry.promote(version.ref, alias, reason="please")

    assert shop.registry.alias_history("delay") == ()


def test_failed_report_is_refused_with_its_words(shop):
    """A report that did not pass stops the promotion, and its words are the reason."""
    package = shop.package()
    report = shop.judge(package, good=False)
    version = shop.registry.register_version("delay", package, report_id=report.report_id)

    with pytest.raises(PromotionRefused, match=r"did not pass: Candidate's AUC is 0\.500"):
        shop.registry.promote(version.ref, "champion", reason="please")


def test_failed_verification_stops_a_passed_version(shop):
    """A version whose golden requests are answered differently is refused, with the cause."""
    version = shop.released()
    shop.registry.record_verification(version.ref, passed=False, cause="category `UA` is encoded as 3")

    with pytest.raises(PromotionRefused, match="category `UA` is encoded as 3"):
        shop.registry.promote(version.ref, "champion", reason="please")


@pytest.mark.parametrize("attach", [True, False])
def test_verified_refit_stands_on_its_parents_report(shop, attach):
    """A refit with replayed golden requests is promoted on the report of the version it repeats."""
    parent = shop.released()
    version = refit(shop, parent, attach=attach)

    move = shop.registry.promote(version.ref, "champion", reason="refit on all rows")

    assert shop.registry.get("delay@champion").version == 2
    report = shop.evaluation.get_report(move.report_id)
    assert parent.report_id in (report.report_id, report.gated_as)


def test_refit_that_was_not_replayed_is_refused(shop):
    """A refit needs its own golden requests answered, not only its parent's report."""
    version = refit(shop, shop.released(), verified=None, attach=False)

    with pytest.raises(PromotionRefused, match="golden requests of delay@2 were not replayed"):
        shop.registry.promote(version.ref, "champion", reason="please")


def test_refit_that_answers_differently_is_refused(shop):
    """A refit whose replay failed is refused with the cause."""
    version = refit(shop, shop.released(), verified=False)

    with pytest.raises(PromotionRefused, match="columns `a` and `b` are swapped"):
        shop.registry.promote(version.ref, "champion", reason="please")


def test_refit_of_a_failed_version_is_refused(shop):
    """Fitting a version again does not mend its failed gate."""
    package = shop.package()
    report = shop.judge(package, good=False)
    parent = shop.released()
    failed = shop.registry.register_version(
        "delay", package, report_id=report.report_id, recipe=parent.recipe
    )
    version = refit(shop, failed, attach=False)

    with pytest.raises(PromotionRefused, match="gate report of delay@2 did not pass"):
        shop.registry.promote(version.ref, "champion", reason="please")


def test_refit_of_a_refit_is_refused(shop):
    """A chain of refits would drift ever further from what was measured."""
    first = refit(shop, shop.released())
    first = shop.registry.get(first.ref)
    second = refit(shop, first, attach=False)

    with pytest.raises(PromotionRefused, match="delay@2 is a refit itself"):
        shop.registry.promote(second.ref, "champion", reason="please")


def test_report_gated_as_a_parent_does_not_carry_a_version_that_is_no_refit(shop):
    """A report that borrows its parent's measurements counts for refits only."""
    parent = shop.released()
    package = shop.package()
    report = shop.evaluation.judge_refit(
        shop.evaluation.get_report(parent.report_id), package, parent_version=1, verified=True
    )
    version = shop.registry.register_version("delay", package, report_id=report.report_id)

    with pytest.raises(PromotionRefused, match="is no refit"):
        shop.registry.promote(version.ref, "champion", reason="please")


def test_incomplete_package_is_not_promoted(shop):
    """A version whose package has lost an object cannot become champion."""
    version = shop.released()
    shop.lose_model_file(version.package_digest)

    with pytest.raises(PromotionRefused, match="package of `delay@1` lacks object"):
        shop.registry.promote(version.ref, "champion", reason="please")


def test_move_says_whether_there_was_a_way_back(shop):
    """Each move records whether the version left behind could still be taken back."""
    first, second, third = shop.released(), shop.released(), shop.released()
    ways = [shop.registry.promote(first.ref, "champion", reason="r").way_back]
    ways.append(shop.registry.promote(second.ref, "champion", reason="r").way_back)
    shop.lose_model_file(second.package_digest)

    ways.append(shop.registry.promote(third.ref, "champion", reason="r").way_back)

    assert ways == ["none", "ready", "broken"]


@pytest.mark.parametrize("alias", ["Champion", "chalenger", "prod", "1"])
def test_unknown_alias_is_refused(shop, alias):
    """There are two aliases, and nothing is promoted to a third."""
    version = shop.released()

    with pytest.raises(InvalidInput, match=f"`{alias}` is not an alias"):
        shop.registry.promote(version.ref, alias, reason="please")


@pytest.mark.parametrize(
    ("alias", "command"),
    [
        ("champion", "paddock models promote delay@2"),
        ("challenger", "paddock models promote delay@2 challenger"),
    ],
)
def test_name_alone_is_not_promoted(shop, alias, command):
    """Which version is meant is said; the error tells which there are, and the command for the newest."""
    shop.released()
    shop.released()

    with pytest.raises(InvalidInput, match="`delay` names no version of the model; there are 1 to 2") as told:
        shop.registry.promote("delay", alias, reason="please")

    assert told.value.hint == command
    assert shop.registry.alias_history("delay", alias) == ()
    with pytest.raises(NotFound, match="there is no model `fare`"):
        shop.registry.promote("fare", alias, reason="please")


@pytest.mark.parametrize("reason", ["", "  "])
def test_move_without_a_reason_is_refused(shop, reason):
    """Whoever moves an alias says why."""
    version = shop.champion()

    with pytest.raises(InvalidInput, match="for a reason"):
        shop.registry.promote(version.ref, "challenger", reason=reason)
    with pytest.raises(InvalidInput, match="for a reason"):
        shop.registry.rollback("delay", reason=reason)


def test_promoting_the_champion_again_changes_nothing(shop):
    """An alias that points there already is not moved, and its history does not grow."""
    version = shop.champion(reason="first")

    again = shop.registry.promote(version.ref, "champion", reason="second")

    assert again.reason == "first"
    assert shop.registry.alias_history("delay") == (again,)
    assert shop.kinds("model.promoted") == ["model.promoted"]


def test_challenger_becomes_champion_by_name(shop):
    """A ref by alias is followed when the move is made, and the aliases are independent."""
    shop.champion()
    second = shop.released()
    shop.registry.promote(second.ref, "challenger", reason="shadow")

    shop.registry.promote("delay@challenger", "champion", reason="better live")

    assert shop.registry.get("delay@champion").version == 2
    assert shop.registry.get("delay@2").aliases == ("challenger", "champion")
    shop.registry.clear_challenger("delay", reason="done")
    assert shop.registry.get("delay@2").aliases == ("champion",)
    with pytest.raises(NotFound, match="has no challenger"):
        shop.registry.clear_challenger("delay", reason="done")


def test_rollback_goes_back_step_by_step(shop):
    """Rolling back twice goes back two champions, never forth to the one just left."""
    for _ in range(3):
        shop.champion()

    moves = [shop.registry.rollback("delay", reason="worse live") for _ in range(2)]

    assert [(move.from_version, move.to_version) for move in moves] == [(3, 2), (2, 1)]
    with pytest.raises(Conflict, match="no earlier champion"):
        shop.registry.rollback("delay", reason="worse live")


def test_rollback_after_a_new_champion_skips_the_one_taken_back(shop):
    """After 1, 2, back to 1, then 3, the way back from 3 leads to 1."""
    shop.champion()
    shop.champion()
    shop.registry.rollback("delay", reason="worse live")
    shop.champion()

    assert shop.registry.rollback("delay", reason="worse live").to_version == 1


def test_rollback_to_an_incomplete_package_is_refused(shop):
    """The way back is not taken when the earlier champion can no longer run."""
    first = shop.champion()
    shop.champion()
    shop.lose_model_file(first.package_digest)

    with pytest.raises(Conflict, match="package of `delay@1` lacks object"):
        shop.registry.rollback("delay", reason="worse live")

    assert shop.registry.get("delay@champion").version == 2


def test_rollback_of_nothing_is_refused(shop):
    """A model without any champion, or that does not exist, cannot be rolled back."""
    shop.released()

    with pytest.raises(Conflict, match="no earlier champion"):
        shop.registry.rollback("delay", reason="worse live")
    with pytest.raises(NotFound, match="no model `fare`"):
        shop.registry.rollback("fare", reason="worse live")


def test_rollback_of_another_champion_is_a_conflict(shop):
    """Two that mean the same rollback do not go back two versions."""
    for _ in range(3):
        shop.champion()
    shop.registry.rollback("delay", reason="worse live", expected_version=3)

    with pytest.raises(Conflict, match="points at version 2, not at 3"):
        shop.registry.rollback("delay", reason="worse live", expected_version=3)


def test_retried_rollback_happens_once(shop):
    """A rollback sent again with its key gets the first answer, even when no way back is left."""
    shop.champion()
    shop.champion()
    first = shop.registry.rollback("delay", reason="worse live", key="k1")

    assert shop.registry.rollback("delay", reason="worse live", key="k1") == first
    assert shop.registry.get("delay@champion").version == 1


def test_retried_promotion_happens_once(shop):
    """A promotion sent again with its key gets the first answer, even when its ref leads nowhere now."""
    version = shop.released()
    shop.registry.promote(version.ref, "challenger", reason="shadow")
    first = shop.registry.promote("delay@challenger", "champion", reason="better", key="k1")
    shop.registry.clear_challenger("delay", reason="done")

    assert shop.registry.promote("delay@challenger", "champion", reason="better", key="k1") == first


def test_of_two_racing_promoters_one_wins(shop):
    """Of many that saw the same champion, one moves the alias and the others get Conflict."""
    shop.champion()
    rivals = [shop.released() for _ in range(8)]

    def promote(version):
        try:
            return shop.registry.promote(version.ref, "champion", reason="mine", expected_version=1)
        except Conflict as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(promote, rivals))

    (won,) = (outcome for outcome in outcomes if not isinstance(outcome, PaddockError))
    lost = [outcome for outcome in outcomes if isinstance(outcome, PaddockError)]
    assert shop.registry.get("delay@champion").version == won.to_version
    assert all(error.details["expected_version"] == 1 for error in lost)
    assert [move.to_version for move in shop.registry.alias_history("delay")] == [1, won.to_version]


def test_history_answers_what_was_champion_when(shop):
    """For any moment the history tells the champion and why it was."""
    shop.champion(reason="first release")
    shop.clock.move_to(EPOCH + timedelta(days=10))
    shop.champion(reason="better in spring")
    shop.clock.move_to(EPOCH + timedelta(days=12))
    shop.registry.rollback("delay", reason="worse live")

    at = [
        shop.registry.champion_at("delay", EPOCH + timedelta(days=day)) for day in (-1, 0, 9, 10, 11, 12, 99)
    ]

    assert [move and move.to_version for move in at] == [None, 1, 1, 2, 2, 1, 1]
    assert at[3].reason == "better in spring"


def test_moves_are_told_to_the_ledger(shop):
    """Each move is an event about the model, in order, with versions, reason and report."""
    shop.champion()
    second = shop.released()
    shop.registry.promote(second.ref, "challenger", reason="shadow")
    shop.registry.promote(second.ref, "champion", reason="better live")
    shop.registry.rollback("delay", reason="worse live")
    shop.registry.clear_challenger("delay", reason="done")

    events = shop.metadata.events("default", subject="model:delay")
    moves = [event for event in events if "to_version" in event.data]

    assert [event.kind for event in moves] == [
        "model.promoted",
        "alias.moved",
        "model.promoted",
        "model.rolled_back",
        "alias.moved",
    ]
    assert [event.data["to_version"] for event in moves] == [1, 2, 2, 1, 0]
    assert moves[3].data["reason"] == "worse live"
    assert moves[2].data["report_id"] == second.report_id
