"""Models as such: made, described, renamed, deleted and found, with packages and without."""

import pytest

from paddock.kernel.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from paddock.registry import NewVersion, Search

PROMPT = {"mlflow.prompt.is_prompt": "true"}


def version_of(shop, name, **said):
    """Register a version of a model that copies nothing, from a run's file."""
    run = shop.run()
    return shop.registry.versions.register(name, NewVersion(f"runs:/{run}/model", **said))


def test_model_without_versions_is_found_as_it_was_made(shop):
    """What was said of a model is read back, and it has no version yet."""
    made = shop.registry.models.create("Iris classifier", description="petals", tags={"team": "ops"})

    found = shop.registry.models.get("Iris classifier")
    assert found == made
    assert (found.description, found.tags, found.aliases) == ("petals", {"team": "ops"}, {})
    assert (found.latest, found.last_version, found.has_packages) == ((), 0, False)
    assert (found.principal, found.created_at, found.updated_at) == ("ann", shop.now, shop.now)


def test_model_without_versions_stands_in_the_list(shop):
    """The list of models shows what MLflow made beside what Paddock made, but no prompts."""
    shop.released(model="delay")
    shop.registry.models.create("iris")
    shop.registry.models.create("greeting", tags=PROMPT)

    assert [(each.name, each.latest_version, each.version_count) for each in shop.registry.list_models()] == [
        ("delay", 1, 1),
        ("iris", 0, 0),
    ]


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a:b", "..", "a\nb", "x" * 257])
def test_name_that_cannot_stand_in_a_uri_is_refused(shop, name):
    """A name is one line without `/` and `:`."""
    with pytest.raises(InvalidInput, match=r"'name'|Names cannot contain"):
        shop.registry.models.create(name)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({}, {}, r"Registered Model \(name=iris\) already exists\."),
        (PROMPT, PROMPT, r"Prompt \(name=iris\) already exists\."),
        ({}, PROMPT, "Tried to create a prompt with name 'iris', but the name is already taken by a regi"),
        (PROMPT, {}, "Tried to create a registered model with name 'iris', .* taken by a prompt"),
    ],
)
def test_name_is_given_once(shop, first, second, words):
    """Models and prompts share their names, and the error says which of them has it."""
    shop.registry.models.create("iris", tags=first)

    with pytest.raises(AlreadyExists, match=words):
        shop.registry.models.create("iris", tags=second)


def test_unknown_model_is_told_in_the_words_of_mlflow(shop):
    """Clients that look for these words find them."""
    with pytest.raises(NotFound, match="Registered Model with name=iris not found"):
        shop.registry.models.get("iris")


def test_description_is_replaced(shop):
    """A model is described anew, and that is when it was last changed."""
    shop.registry.models.create("iris", description="old")
    shop.wait_s(5)

    changed = shop.registry.models.describe("iris", "new")

    assert (changed.description, changed.updated_at) == ("new", shop.now)
    assert shop.kinds("model.") == ["model.created", "model.described"]


def test_tags_are_overwritten_and_deleted(shop):
    """A tag has its last value, and deleting one that is not there is no error."""
    shop.registry.models.create("iris")
    shop.registry.models.set_tag("iris", "team", "ops")
    shop.registry.models.set_tag("iris", "team", "science")
    shop.registry.models.set_tag("iris", "tier", "1")
    shop.registry.models.delete_tag("iris", "tier")
    shop.registry.models.delete_tag("iris", "tier")

    assert shop.registry.models.get("iris").tags == {"team": "science"}
    assert shop.kinds("model.tag") == ["model.tag_set"] * 3 + ["model.tag_deleted"]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("", "x", "Missing value for required parameter 'key'"),
        ("k" * 251, "x", "'key' exceeds the maximum length of 250"),
        ("k", "x" * 100_001, "'value' exceeds the maximum length of 100000"),
        ("a/../b", "x", "Invalid value"),
    ],
)
def test_tag_that_cannot_be_kept_is_refused(shop, key, value, words):
    """Keys and values have MLflow's limits."""
    shop.registry.models.create("iris")

    with pytest.raises(InvalidInput, match=words):
        shop.registry.models.set_tag("iris", key, value)


def test_renamed_model_keeps_all_it_has(shop):
    """Versions, tags, aliases and their history go with the name, and the old one is free."""
    shop.registry.models.create("iris", description="petals", tags={"team": "ops"})
    version_of(shop, "iris", tags={"accuracy": "high"})
    version_of(shop, "iris")
    shop.registry.set_alias("iris", "champion", 1)
    shop.registry.set_alias("iris", "champion", 2)

    renamed = shop.registry.models.rename("iris", "flowers")

    assert (renamed.description, renamed.tags, renamed.aliases) == (
        "petals",
        {"team": "ops"},
        {"champion": 2},
    )
    assert [each.version for each in shop.registry.list_versions("flowers")] == [2, 1]
    assert shop.registry.versions.get("flowers", 1).tags == {"accuracy": "high"}
    assert [move.to_version for move in shop.registry.alias_history("flowers")] == [1, 2]
    assert shop.registry.models.create("iris").tags == {}
    assert version_of(shop, "flowers").version == 3


def test_renaming_to_a_taken_name_is_refused(shop):
    """Nothing is changed when the new name is another model's."""
    shop.registry.models.create("iris")
    shop.registry.models.create("flowers")

    with pytest.raises(AlreadyExists, match=r"Registered Model \(name=flowers\) already exists"):
        shop.registry.models.rename("iris", "flowers")

    assert shop.registry.models.rename("iris", "iris").name == "iris"


def test_deleted_model_leaves_nothing_but_events(shop):
    """A deleted name begins anew: no tags, no aliases, and numbers from 1 again."""
    shop.registry.models.create("iris", tags={"team": "ops"})
    version_of(shop, "iris", tags={"a": "b"})
    shop.registry.set_alias("iris", "champion", 1)

    shop.registry.models.delete("iris")

    with pytest.raises(NotFound):
        shop.registry.models.get("iris")
    shop.registry.models.create("iris")
    assert (version_of(shop, "iris").version, shop.registry.models.get("iris").tags) == (1, {})
    assert shop.registry.versions.get("iris", 1).tags == {}
    assert shop.registry.alias_history("iris") == ()
    assert shop.kinds("model.deleted") == ["model.deleted"]


@pytest.mark.parametrize("act", ["rename", "delete"])
def test_model_with_packages_keeps_its_name(shop, act):
    """What gate reports and predictions speak of is neither renamed nor deleted."""
    shop.released(model="delay")
    version_of(shop, "delay")
    models = shop.registry.models

    with pytest.raises(Conflict, match="model `delay` has versions with a package and cannot be"):
        models.rename("delay", "late") if act == "rename" else models.delete("delay")

    assert models.get("delay").last_version == 2


def names_found(shop, text="", order=(), limit=100):
    """Return the names that a search finds, page by page."""
    names, cursor = [], ""
    while True:
        page = shop.registry.models.search(Search(filter=text, order=order, limit=limit, cursor=cursor))
        names += [each.name for each in page.models]
        cursor = page.next_cursor
        if not cursor:
            return names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["Iris", "delay", "iris"]),
        ("name = 'iris'", ["iris"]),
        ("name LIKE 'i%'", ["iris"]),
        ("name ILIKE 'i%'", ["Iris", "iris"]),
        ("name != 'iris'", ["Iris", "delay"]),
        ("name IN ('iris', 'delay')", ["delay", "iris"]),
        ("tags.team = 'ops'", ["Iris", "iris"]),
        ("tags.team = 'ops' AND tags.tier = '1'", ["iris"]),
        ("tags.team = 'ops' AND NOT tags.tier = '1'", ["Iris"]),
        ("tags.team IS NULL", ["delay"]),
        ("tags.`mlflow.prompt.is_prompt` = 'true'", ["greeting"]),
        ("tags.`mlflow.prompt.is_prompt` != 'false'", ["greeting"]),
        ("tags.`mlflow.prompt.is_prompt` = 'false'", ["Iris", "delay", "iris"]),
        ("tags.`mlflow.prompt.is_prompt` != 'true'", ["Iris", "delay", "iris"]),
        ("name = 'greeting'", []),
    ],
)
def test_search_finds_what_mlflow_finds(shop, text, found):
    """Models are found by name and tags, prompts only by who asks for them; case counts."""
    shop.registry.models.create("Iris", tags={"team": "ops"})
    shop.registry.models.create("iris", tags={"team": "ops", "tier": "1"})
    shop.registry.models.create("greeting", tags=PROMPT)
    shop.released(model="delay")

    assert names_found(shop, text) == found
    assert names_found(shop, text, limit=1) == found


def test_search_is_sorted_as_asked(shop):
    """Models come by name, or by when they were last changed."""
    for name in ("b", "a", "c"):
        shop.registry.models.create(name)
        shop.wait_s(1)
    shop.registry.models.describe("b", "changed")

    assert names_found(shop) == ["a", "b", "c"]
    assert names_found(shop, order=("name DESC",), limit=2) == ["c", "b", "a"]
    assert names_found(shop, order=("last_updated_timestamp DESC",), limit=1) == ["b", "c", "a"]


def test_cursor_of_another_search_is_refused(shop):
    """A page goes on in the search it was begun in."""
    for name in ("a", "b"):
        shop.registry.models.create(name)
    page = shop.registry.models.search(Search(limit=1))

    with pytest.raises(InvalidInput, match="another query"):
        shop.registry.models.search(Search(filter="name = 'b'", cursor=page.next_cursor))


@pytest.mark.parametrize(
    ("search", "words"),
    [
        (Search(filter="version = 1"), "registered models have no attribute `version`"),
        (Search(filter="name >> 'a'"), "filter is wrong at character 6"),
        (Search(order=("tags.team",)), "registered models are sorted by"),
        (Search(limit=1_001), "a page has 1 to 1000 registered models"),
        (Search(limit=0), "a page has 1 to 1000 registered models"),
    ],
)
def test_wrong_search_says_what_is_wrong(shop, search, words):
    """A filter, an order or a page that cannot be is told by its place."""
    with pytest.raises(InvalidInput, match=words):
        shop.registry.models.search(search)
