"""Pages of models that clients of MLflow have registered."""

import re
from html import unescape

import pytest
from page_asking import Pages

from paddock.registry import NewVersion


def text_of(html: str) -> str:
    inline = re.sub(r"</?(a|b|code|span|time)\b[^>]*>", "", html)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", inline)).split())


@pytest.fixture
def iris(empty: Pages) -> Pages:
    """The pages of a store with one model, which has a version without a package."""
    run_id = empty.app.tracking.start_run(experiment="Iris").run_id
    empty.app.registry.models.create("Iris classifier")
    said = NewVersion(f"runs:/{run_id}/model", description="petals <b>only</b>")
    empty.app.registry.versions.register("Iris classifier", said)
    empty.app.registry.set_alias("Iris classifier", "prod", 1)
    return empty


def test_model_without_a_version_has_a_page(empty):
    """A model can be there before its first version, in the list and by itself."""
    empty.app.registry.models.create("lily")

    assert "lily" in text_of(empty.html("/models"))
    assert "No champion yet" in text_of(empty.html("/models/lily"))


def test_version_without_a_package_says_so(iris):
    """Nobody is told to gate or promote what cannot be; its source is a text and no link."""
    model, version = iris.html("/models/Iris%20classifier"), iris.html("/models/Iris%20classifier/1")

    assert "logged by MLflow, no package" in text_of(model)
    assert "paddock models promote" not in model
    words = text_of(version)
    assert "Logged by MLflow, no package" in words
    assert "runs:/" in words
    assert 'href="runs:' not in version
    assert "petals &lt;b&gt;only&lt;/b&gt;" in version
    assert "not in the object store" not in words


def test_moves_of_every_alias_are_shown(iris):
    """The history of a model has the aliases that clients have set, and who did."""
    words = text_of(iris.html("/models/Iris%20classifier"))

    assert "prod set" in words
    assert "set by a client of MLflow" in words


def test_version_is_found_by_any_alias(iris):
    """An address may name any alias that the model has."""
    assert "Logged by MLflow" in text_of(iris.html("/models/Iris%20classifier/prod"))
