"""Models with packages, as MLflow's clients see them and what they may not do to them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest
from store_kit import open_store, release_model

from paddock.app import App
from paddock.kernel.errors import Conflict, PaddockError, PromotionRefused
from paddock.mlflow_api import answer_problem, routes
from paddock.serving import EndpointSpec
from paddock.wire import Answer, Call, JsonLimits, describe_problem


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """A store with model `delay`: version 1 is champion, version 2 has no gate report."""
    opened = open_store(tmp_path)
    package, _ = release_model(opened)
    opened.registry.register_version("delay", package)
    yield opened
    opened.close()


@pytest.fixture
def ask(app: App) -> Callable[..., dict[str, object]]:
    """Return what a route answers, found by its path below /mlflow."""

    def asking(method: str, path: str, **fields: str) -> dict[str, object]:
        spec = next(
            each for each in routes(app) if (each.method, each.path) == (method, f"/api/2.0/mlflow/{path}")
        )
        assert spec.decode is not None
        query, body = (
            (urlencode(fields).encode(), b"") if method == "GET" else (b"", msgspec.json.encode(fields))
        )
        message = spec.decode(query, body, JsonLimits())
        answer = spec.handler(Call({}, {}, app.actor, "r" * 32, body=message))
        assert isinstance(answer, Answer)
        return msgspec.json.decode(answer.body)

    return asking


def told(error: PaddockError) -> str:
    """Return the message that a client shows."""
    problem = describe_problem(error, "r" * 32)
    return str(msgspec.json.decode(answer_problem(problem).body)["message"])


def test_version_with_a_package_is_read_by_clients(ask):
    """A packaged version has an address of Paddock, and is Production while it is champion."""
    version = ask("GET", "registered-models/alias", name="delay", alias="champion")["model_version"]

    assert (version["version"], version["source"]) == ("1", "paddock:/models/delay/1")
    assert (version["current_stage"], version["aliases"]) == ("Production", ["champion"])
    found = ask("GET", "model-versions/search", filter="name = 'delay'", order_by="version_number ASC")
    assert [each["current_stage"] for each in found["model_versions"]] == ["Production", "None"]
    address = ask("GET", "model-versions/get-download-uri", name="delay", version="1")
    assert address["artifact_uri"] == "paddock:/models/delay/1"


def test_champion_is_refused_with_the_command_that_helps(ask):
    """The message says what is missing, and what to do first; the champion stays."""
    with pytest.raises(PromotionRefused) as refused:
        ask("POST", "registered-models/alias", name="delay", alias="champion", version="2")

    message = told(refused.value)
    assert "delay@2 has no gate report" in message
    assert "paddock models gate delay@2 --rows DATASET --label COLUMN" in message
    with pytest.raises(PromotionRefused, match="paddock rollback delay"):
        ask("DELETE", "registered-models/alias", name="delay", alias="champion")
    assert (
        ask("GET", "registered-models/alias", name="delay", alias="champion")["model_version"]["version"]
        == "1"
    )


def test_other_aliases_tags_and_descriptions_are_free(ask):
    """What decides nothing may be said of any version."""
    ask("POST", "registered-models/alias", name="delay", alias="blue", version="2")
    ask("POST", "model-versions/set-tag", name="delay", version="2", key="a", value="b")
    ask("PATCH", "model-versions/update", name="delay", version="2", description="second")

    version = ask("GET", "registered-models/alias", name="delay", alias="blue")["model_version"]
    assert (version["description"], version["tags"]) == ("second", [{"key": "a", "value": "b"}])


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("DELETE", "model-versions/delete", {"version": "2"}),
        ("POST", "model-versions/transition-stage", {"version": "2", "stage": "Staging"}),
        ("DELETE", "registered-models/delete", {}),
        ("POST", "registered-models/rename", {"new_name": "late"}),
    ],
)
def test_what_evidence_speaks_of_is_kept(ask, method, path, fields):
    """Versions with a package and their models are not deleted, renamed or staged by clients."""
    with pytest.raises(Conflict, match=re.escape("package")):
        ask(method, path, name="delay", **fields)


@pytest.mark.parametrize(("method", "path"), [("DELETE", "delete"), ("POST", "rename")])
def test_model_that_an_endpoint_names_is_kept(app, ask, method, path):
    """A model without packages keeps its name too while an endpoint is declared for it."""
    app.registry.models.create("lily")
    app.registry.models.create("rose")
    app.endpoints.declare("rose", EndpointSpec("lily@champion"))

    with pytest.raises(Conflict, match="endpoint `rose` is declared for `lily@champion`"):
        ask(method, f"registered-models/{path}", name="lily", new_name="flower")
    ask(method, f"registered-models/{path}", name="rose", new_name="flower")
