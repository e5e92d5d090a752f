"""Versions that clients of MLflow register, which have a source and no package."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from paddock.kernel.errors import Conflict, InvalidInput, NotFound, PromotionRefused
from paddock.registry import NewVersion, Search


@pytest.fixture
def iris(shop):
    """A model of MLflow, and a run whose files are its versions' sources."""
    shop.registry.models.create("iris")
    return shop.run()


def register(shop, run_id, name="iris", **said):
    return shop.registry.versions.register(name, NewVersion(f"runs:/{run_id}/model", **said))


def test_version_is_found_as_it_was_registered(shop, iris):
    """Everything that a client said is read back, and nothing has a package."""
    made = register(shop, iris, run_link="http://elsewhere", description="first", tags={"a": "b"})

    found = shop.registry.versions.get("iris", 1)
    assert found == made == shop.registry.get("iris@1")
    assert (found.source, found.run_id, found.run_link) == (f"runs:/{iris}/model", iris, "http://elsewhere")
    assert (found.description, found.tags, found.shown_stage) == ("first", {"a": "b"}, "None")
    assert (found.package_digest, found.has_package, found.updated_at) == ("", False, shop.now)


def test_both_kinds_of_version_share_numbers(shop, iris):
    """A model counts its versions once, whoever registers them."""
    register(shop, iris)
    shop.registry.register_version("iris", shop.package())
    register(shop, iris)

    found = shop.registry.list_versions("iris")
    assert [(each.version, each.has_package) for each in found] == [(3, False), (2, True), (1, False)]


def test_version_of_an_unknown_model_is_refused(shop):
    """A version needs a model that is there."""
    with pytest.raises(NotFound, match="Registered Model with name=iris not found"):
        register(shop, shop.run())


@pytest.mark.parametrize("racers", [64])
def test_racing_registrations_get_all_numbers(shop, iris, racers):
    """Sixty-four clients that register at once get 1 to 64, each one."""
    with ThreadPoolExecutor(racers) as pool:
        made = list(pool.map(lambda _: register(shop, iris), range(racers)))

    assert sorted(version.version for version in made) == list(range(1, racers + 1))
    assert shop.registry.models.get("iris").last_version == racers


def test_deleted_number_is_not_given_again(shop, iris):
    """A version that is gone leaves a gap, also when it was the newest."""
    register(shop, iris)
    register(shop, iris)

    shop.registry.versions.delete("iris", 2)

    with pytest.raises(NotFound, match=r"Model Version \(name=iris, version=2\) not found"):
        shop.registry.versions.get("iris", 2)
    assert register(shop, iris).version == 3


def test_deleted_version_takes_its_aliases_along(shop, iris):
    """An alias of a deleted version points nowhere, and its history says why."""
    register(shop, iris)
    shop.registry.set_alias("iris", "champion", 1)

    shop.registry.versions.delete("iris", 1)

    assert shop.registry.models.get("iris").aliases == {}
    last = shop.registry.alias_history("iris")[-1]
    assert (last.kind, last.from_version, last.to_version) == ("cleared", 1, 0)
    assert last.reason == "version 1 was deleted"


def test_version_with_a_package_is_kept(shop):
    """Gate reports and predictions speak of it, so no client deletes it."""
    shop.released()

    with pytest.raises(Conflict, match="delay@1 has a package and is kept"):
        shop.registry.versions.delete("delay", 1)


def test_former_champion_of_a_model_with_packages_is_kept(shop, iris):
    """Who answers for what was champion then finds it, in a model that has packages by now."""
    register(shop, iris)
    register(shop, iris)
    shop.registry.set_alias("iris", "champion", 1)
    shop.registry.register_version("iris", shop.package())

    with pytest.raises(Conflict, match="iris@1 was champion once"):
        shop.registry.versions.delete("iris", 1)
    shop.registry.versions.delete("iris", 2)


def test_tags_and_description_of_any_version_change(shop):
    """What a package does not fix can be said anew, also of a version with one."""
    shop.released()
    versions = shop.registry.versions
    shop.wait_s(5)

    versions.set_tag("delay", 1, "reviewed", "yes")
    versions.set_tag("delay", 1, "by", "bob")
    versions.delete_tag("delay", 1, "by")
    versions.delete_tag("delay", 1, "by")
    described = versions.describe("delay", 1, "all carriers")

    assert (described.tags, described.description) == ({"reviewed": "yes"}, "all carriers")
    assert described.updated_at == shop.now
    assert shop.kinds("model_version.") == [
        "model_version.tag_set",
        "model_version.tag_set",
        "model_version.tag_deleted",
        "model_version.described",
    ]


def test_stage_archives_the_others_when_asked(shop, iris):
    """Moving a version to a stage leaves the others, unless they are to be archived."""
    for _ in range(3):
        register(shop, iris)
    versions = shop.registry.versions
    versions.set_stage("iris", 1, "Production")
    versions.set_stage("iris", 2, "production")
    assert stages(shop) == {1: "Production", 2: "Production", 3: "None"}

    moved = versions.set_stage("iris", 3, "Production", archive_others=True)

    assert moved.shown_stage == "Production"
    assert stages(shop) == {1: "Archived", 2: "Archived", 3: "Production"}
    changes = shop.metadata.events("default", kind="model.stage_changed")
    assert changes[-1].data == {
        "version": 3,
        "from": "None",
        "to": "Production",
        "archived": [1, 2],
        "is_prompt": False,
    }


def stages(shop):
    return {each.version: each.shown_stage for each in shop.registry.list_versions("iris")}


@pytest.mark.parametrize(
    ("stage", "archive", "words"),
    [
        ("Live", False, "Invalid Model Version stage: Live. Value must be one of None, Staging"),
        ("Archived", True, "cannot archive existing model versions because 'Archived' is not an Active"),
    ],
)
def test_unknown_stage_is_refused(shop, iris, stage, archive, words):
    """There are four stages, and two in which a version can displace others."""
    register(shop, iris)

    with pytest.raises(InvalidInput, match=words):
        shop.registry.versions.set_stage("iris", 1, stage, archive_others=archive)


def test_newest_of_each_stage_is_found(shop, iris):
    """Of each stage the highest number comes, the lower stage not before the lower number."""
    for _ in range(5):
        register(shop, iris)
    for number, stage in ((1, "Production"), (2, "Production"), (3, "Staging")):
        shop.registry.versions.set_stage("iris", number, stage)

    found = shop.registry.models.latest_versions("iris")

    assert [(each.version, each.shown_stage) for each in found] == [
        (2, "Production"),
        (3, "Staging"),
        (5, "None"),
    ]
    assert [each.version for each in shop.registry.models.latest_versions("iris", ["staging"])] == [3]


def test_champion_is_what_mlflow_calls_production(shop):
    """The stage of a version with a package follows from the aliases, and no client sets it."""
    for _ in range(3):
        shop.released()
    shop.registry.promote("delay@1", "champion", reason="first")
    shop.registry.promote("delay@2", "challenger", reason="next")

    found = shop.registry.models.latest_versions("delay")
    assert [(each.version, each.shown_stage) for each in found] == [
        (1, "Production"),
        (2, "Staging"),
        (3, "None"),
    ]
    with pytest.raises(Conflict, match="delay@3 has a package: it is `Production` while it is champion"):
        shop.registry.versions.set_stage("delay", 3, "Production")


def numbers_found(shop, text="", order=(), limit=100):
    found, cursor = [], ""
    while True:
        page = shop.registry.versions.search(Search(filter=text, order=order, limit=limit, cursor=cursor))
        found += [(each.name, each.version) for each in page.versions]
        cursor = page.next_cursor
        if not cursor:
            return found


def test_search_finds_versions_of_both_kinds(shop, iris):
    """Versions are found by name, number, run, source and tags; the last changed come first."""
    register(shop, iris, tags={"tier": "1"})
    register(shop, shop.run())
    shop.wait_s(1)
    shop.released()
    shop.wait_s(1)
    shop.registry.versions.describe("iris", 1, "changed")

    assert numbers_found(shop) == [("iris", 1), ("delay", 1), ("iris", 2)]
    assert numbers_found(shop, limit=1) == numbers_found(shop)
    assert numbers_found(shop, "name = 'iris'", ("version_number ASC",)) == [("iris", 1), ("iris", 2)]
    assert numbers_found(shop, "version_number > 1") == [("iris", 2)]
    assert numbers_found(shop, f"run_id = '{iris}'") == [("iris", 1)]
    assert numbers_found(shop, "source_path LIKE 'paddock:/%'") == [("delay", 1)]
    assert numbers_found(shop, "tags.tier = '1' OR name = 'delay'") == [("iris", 1), ("delay", 1)]
    assert numbers_found(shop, order=("name ASC", "version_number DESC")) == [
        ("delay", 1),
        ("iris", 2),
        ("iris", 1),
    ]


def test_search_keeps_prompts_for_who_asks(shop, iris):
    """Versions with the tag of prompts are found only by a filter that names it."""
    register(shop, iris)
    shop.registry.models.create("greeting", tags={"mlflow.prompt.is_prompt": "true"})
    said = NewVersion("dummy-source", tags={"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "Hi"})
    shop.registry.versions.register("greeting", said)

    assert numbers_found(shop) == [("iris", 1)]
    assert numbers_found(shop, "tags.`mlflow.prompt.is_prompt` = 'true'") == [("greeting", 1)]


def test_version_without_a_package_is_not_promoted_or_measured(shop, iris):
    """What Paddock cannot score it neither promotes nor serves, and says so."""
    register(shop, iris)

    with pytest.raises(PromotionRefused, match="iris@1 has no package"):
        shop.registry.promote("iris@1", "champion", reason="better")
    with pytest.raises(Conflict, match="iris@1 has no package"):
        shop.registry.get_packaged("iris@1")
    with pytest.raises(PromotionRefused, match="has no package"):
        shop.registry.check_release("iris@1")


def test_versions_of_another_project_are_not_seen(shop, iris):
    """A project knows its own models, versions and runs."""
    register(shop, iris)
    other = shop.of_project("other")

    with pytest.raises(NotFound):
        other.versions.get("iris", 1)
    other.models.create("iris")
    with pytest.raises(InvalidInput, match="run_id"):
        other.versions.register("iris", NewVersion(f"runs:/{iris}/model"))
    assert other.versions.search(Search()).versions == ()
