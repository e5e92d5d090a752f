"""Routes of the face, and the first experiment of a project."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from paddock.app import App, open_app
from paddock.kernel.errors import NotFound, StorageFull
from paddock.kernel.refs import Actor, ProjectId
from paddock.kernel.settings import resolve_settings
from paddock.mlflow_api import routes
from paddock.wire import Answer, BodyKind, Call, JsonLimits, RouteSpec


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with closing(
        open_app(resolve_settings({"store": str(tmp_path / "store"), "principal": "ann"}, {}, {}))
    ) as app:
        yield app


def ask(
    app: App, specs: dict[tuple[str, str], RouteSpec], path: str, query: str = "", project: str = "default"
):
    spec = specs["GET", path]
    assert spec.decode is not None
    actor = Actor(ProjectId(project), app.actor.principal)
    answer = spec.handler(Call({}, {}, actor, "r1", body=spec.decode(query.encode(), b"", JsonLimits())))
    assert isinstance(answer, Answer)
    return json.loads(answer.body)


def table(app: App) -> dict[tuple[str, str], RouteSpec]:
    return {(spec.method, spec.path): spec for spec in routes(app)}


def test_every_route_has_both_addresses(app: App):
    """What stands under `/api` stands under `/ajax-api` as well."""
    paths = {path for _, path in table(app)}
    versioned = {path for path in paths if path.startswith(("/api/2.0/mlflow/", "/api/3.0/mlflow/"))}

    assert versioned
    assert {f"/ajax{path.replace('/api/', '-api/', 1)}" for path in versioned} <= paths


def test_every_message_is_decoded_by_its_route(app: App):
    """A GET reads its query, everything else a JSON body; nothing is read the strict way."""
    for (method, path), spec in table(app).items():
        if path.startswith(("/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/")) and spec.body is not BodyKind.FILE:
            assert spec.decode is not None, path
            assert (spec.body is BodyKind.NONE) == (method == "GET"), path


def test_first_call_makes_the_default_experiment(app: App):
    """Nothing is written until somebody speaks MLflow; then experiment 0 is there."""
    specs = table(app)
    assert app.experiments.find_by_name("Default") is None

    assert (
        ask(app, specs, "/api/2.0/mlflow/experiments/get", "experiment_id=0")["experiment"]["name"]
        == "Default"
    )
    made = app.experiments.find_by_name("Default")
    assert made is not None
    assert made.experiment_id == "0"


def test_what_tells_of_the_server_makes_nothing(app: App):
    """The version and what the server can do are asked before anything is chosen."""
    specs = table(app)
    ask(app, specs, "/api/3.0/mlflow/server-info", project="unknown")

    assert app.experiments.list_projects() == ()


def test_unknown_project_is_not_begun(app: App):
    """A workspace that is not there is an error, not a new one."""
    with pytest.raises(NotFound, match="Workspace 'unknown' not found"):
        ask(app, table(app), "/api/2.0/mlflow/experiments/get", "experiment_id=0", project="unknown")

    assert app.experiments.list_projects() == ()


def test_full_store_is_read(app: App, monkeypatch: pytest.MonkeyPatch):
    """Where the first experiment cannot be made for now, what is there can be read, and later it is made."""
    app.experiments.create("delays")
    specs, by_name = table(app), "/api/2.0/mlflow/experiments/get-by-name"

    def refuse(*_: object, **__: object) -> None:
        raise StorageFull("no space is left")

    with monkeypatch.context() as full:
        full.setattr(type(app.metadata), "write", refuse)
        assert ask(app, specs, by_name, "experiment_name=delays")["experiment"]["name"] == "delays"

    assert ask(app, specs, by_name, "experiment_name=Default")["experiment"]["experiment_id"] == "0"
