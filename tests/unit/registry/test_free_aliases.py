"""Aliases that no gate guards, and how they stand beside those that one does."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from paddock.kernel.errors import Conflict, InvalidInput, NotFound, PromotionRefused
from paddock.registry import NewVersion


@pytest.fixture
def iris(shop):
    """A model of MLflow with two versions."""
    shop.registry.models.create("iris")
    for _ in range(2):
        shop.registry.versions.register("iris", NewVersion(f"runs:/{shop.run()}/model"))
    return shop.registry


def test_any_alias_moves_freely_without_packages(shop, iris):
    """In a model of MLflow `champion` is a name like any other; each move is kept."""
    iris.set_alias("iris", "champion", 1)
    moved = iris.set_alias("iris", "champion", 2)
    again = iris.set_alias("iris", "champion", 2)

    assert again == moved
    assert (moved.kind, moved.from_version, moved.sequence, moved.principal) == ("set", 1, 2, "ann")
    assert iris.get("iris@champion").version == 2
    assert iris.champion_at("iris", shop.now).to_version == 2
    assert [move.to_version for move in iris.alias_history("iris")] == [1, 2]
    assert shop.kinds("model.alias") == ["model.alias_set"] * 2


def test_deleted_alias_points_nowhere(shop, iris):
    """An alias is deleted once, and deleting it again changes nothing."""
    iris.set_alias("iris", "prod", 1)
    iris.delete_alias("iris", "prod")
    iris.delete_alias("iris", "prod")
    iris.delete_alias("iris", "never-set")

    with pytest.raises(InvalidInput, match=r"Registered model alias prod not found\."):
        iris.versions.get_by_alias("iris", "prod")
    assert shop.kinds("model.alias") == ["model.alias_set", "model.alias_deleted"]
    assert [(move.kind, move.to_version) for move in iris.alias_history("iris", "prod")] == [
        ("set", 1),
        ("cleared", 0),
    ]


def test_latest_is_the_newest_version(iris):
    """`latest` needs nobody to set it."""
    assert iris.versions.get_by_alias("iris", "latest").version == 2


@pytest.mark.parametrize("alias", ["latest", "LATEST", "v1", "V22", "", "a b", "a.b", "a/b", "x" * 256])
def test_reserved_and_odd_aliases_are_refused(iris, alias):
    """What means a version by itself, or cannot stand in a URI, is no alias."""
    with pytest.raises(InvalidInput, match="alias name"):
        iris.set_alias("iris", alias, 1)


def test_alias_of_a_missing_version_is_refused(iris):
    """An alias points at a version that is there."""
    with pytest.raises(NotFound, match=r"Model Version \(name=iris, version=9\) not found"):
        iris.set_alias("iris", "prod", 9)
    with pytest.raises(NotFound, match="Registered Model with name=lily not found"):
        iris.set_alias("lily", "prod", 1)


def test_ref_takes_any_alias_of_the_model(iris):
    """Paddock's own refs know the aliases that clients have set; a word that is none is told."""
    iris.set_alias("iris", "prod", 1)

    assert iris.get("iris@prod").version == 1
    with pytest.raises(InvalidInput, match="there are champion, challenger and prod"):
        iris.get("iris@prot")
    with pytest.raises(NotFound, match="model `iris` has no champion"):
        iris.get("iris@champion")


def test_champion_of_a_model_with_packages_needs_its_gate(shop):
    """Setting champion as MLflow's clients do is a promotion, refused with what is missing."""
    shop.registry.register_version("delay", shop.package())

    with pytest.raises(PromotionRefused, match="delay@1 has no gate report") as refused:
        shop.registry.set_alias("delay", "champion", 1)

    assert refused.value.hint == "paddock models gate delay@1 --rows DATASET --label COLUMN"
    assert shop.registry.alias_history("delay") == ()


def test_gated_version_is_promoted_by_setting_its_alias(shop):
    """A version that may be promoted is, and the history says so."""
    version = shop.released()

    move = shop.registry.set_alias("delay", "champion", 1)

    assert (move.kind, move.report_id, move.reason) == (
        "promoted",
        version.report_id,
        "set by a client of MLflow",
    )
    assert shop.kinds("model.promoted") == ["model.promoted"]


def test_other_aliases_of_a_model_with_packages_move_freely(shop):
    """Only champion and challenger decide what is served."""
    shop.registry.register_version("delay", shop.package())

    assert shop.registry.set_alias("delay", "candidate", 1).kind == "set"
    assert shop.registry.get("delay").aliases == ("candidate",)


def test_champion_of_a_model_with_packages_is_not_deleted(shop):
    """What answers requests is replaced or rolled back; a challenger may go."""
    shop.champion()
    shop.released()
    shop.registry.promote("delay@2", "challenger", reason="next")

    with pytest.raises(PromotionRefused, match="`delay@champion` is replaced or rolled back"):
        shop.registry.delete_alias("delay", "champion")
    shop.registry.delete_alias("delay", "challenger")
    shop.registry.delete_alias("delay", "challenger")

    assert shop.registry.models.get("delay").aliases == {"champion": 1}


def test_champion_from_before_the_first_package_stays_until_a_promotion(shop, iris):
    """A model that gets a package keeps its champion, which from then on moves by promotion alone."""
    iris.set_alias("iris", "champion", 1)
    version = shop.released(model="iris")

    assert iris.get("iris@champion").version == 1
    with pytest.raises(PromotionRefused, match="iris@2 has no package"):
        iris.set_alias("iris", "champion", 2)
    move = iris.promote(version.ref, "champion", reason="measured")
    assert (move.from_version, move.to_version, move.way_back) == (1, 3, "none")
    with pytest.raises(Conflict, match="iris@1 has no package"):
        iris.rollback("iris", reason="worse")


def test_racing_movers_leave_one_line(shop, iris):
    """However many move an alias at once, each move starts where the one before it ended."""
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda turn: iris.set_alias("iris", "prod", 1 + turn % 2), range(40)))

    moves = iris.alias_history("iris", "prod")
    assert [move.sequence for move in moves] == list(range(1, len(moves) + 1))
    assert [move.from_version for move in moves] == [0, *(move.to_version for move in moves[:-1])]
    assert all(move.from_version != move.to_version for move in moves)
    assert iris.versions.get_by_alias("iris", "prod").version == moves[-1].to_version


def test_every_move_of_a_model_is_listed(iris):
    """The history of a model has the moves of all its aliases."""
    iris.set_alias("iris", "prod", 1)
    iris.set_alias("iris", "blue", 2)

    assert {(move.alias, move.to_version) for move in iris.list_moves("iris")} == {("prod", 1), ("blue", 2)}
