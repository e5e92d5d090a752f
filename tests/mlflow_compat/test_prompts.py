"""Prompts, which MLflow's clients keep as registered models."""

import uuid

import pytest

pytestmark = pytest.mark.mlflow


def new_name() -> str:
    return f"greeting-{uuid.uuid4().hex[:8]}"


def test_prompt_is_loaded_as_it_was_registered(mlflow):
    """Text, versions, tags and message of a prompt come back."""
    name = new_name()
    mlflow.genai.register_prompt(name, "Hello {{name}}", commit_message="first", tags={"tone": "kind"})
    second = mlflow.genai.register_prompt(name, "Hi {{name}}")

    first = mlflow.genai.load_prompt(f"prompts:/{name}/1")
    assert (first.template, first.tags["tone"], first.commit_message) == ("Hello {{name}}", "kind", "first")
    assert (second.version, mlflow.genai.load_prompt(name).template) == (2, "Hi {{name}}")


def test_chat_prompt_is_loaded_as_it_was_registered(mlflow):
    """A prompt of several messages is one."""
    name = new_name()
    messages = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "{{question}}"}]
    mlflow.genai.register_prompt(name, messages)

    assert mlflow.genai.load_prompt(name, version=1).template == messages


def test_alias_of_a_prompt_moves(mlflow):
    """A prompt is loaded by an alias, which points where it was set last."""
    name = new_name()
    for text in ("one", "two"):
        mlflow.genai.register_prompt(name, text)
    mlflow.genai.set_prompt_alias(name, "live", 1)
    mlflow.genai.set_prompt_alias(name, "live", 2)

    assert mlflow.genai.load_prompt(f"prompts:/{name}@live", cache_ttl_seconds=0).template == "two"
    mlflow.genai.delete_prompt_alias(name, "live")
    with pytest.raises(mlflow.exceptions.MlflowException):
        mlflow.genai.load_prompt(f"prompts:/{name}@live", cache_ttl_seconds=0)


def test_prompts_and_models_are_listed_apart(mlflow, client):
    """A search for models finds no prompts, a search for prompts no models."""
    prompt, model = new_name(), f"model-{uuid.uuid4().hex[:8]}"
    mlflow.genai.register_prompt(prompt, "Hello")
    client.create_registered_model(model)

    models = {each.name for each in client.search_registered_models()}
    prompts = {each.name for each in mlflow.genai.search_prompts()}
    assert (model in models, prompt in models) == (True, False)
    assert (model in prompts, prompt in prompts) == (False, True)


def test_prompts_and_models_share_their_names(mlflow, client):
    """A name is a prompt's or a model's, and the error says whose."""
    name = new_name()
    mlflow.genai.register_prompt(name, "Hello")

    with pytest.raises(mlflow.exceptions.MlflowException, match="already taken by a prompt"):
        client.create_registered_model(name)


def test_long_prompt_is_kept_whole(mlflow):
    """A prompt may be far longer than other tags."""
    name, text = new_name(), "x" * 90_000
    mlflow.genai.register_prompt(name, text)

    assert mlflow.genai.load_prompt(name, version=1).template == text
