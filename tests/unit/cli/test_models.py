"""`paddock models` and the versions that clients of MLflow have registered."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paddock.app import App, open_app
from paddock.cli import main
from paddock.kernel.settings import resolve_settings
from paddock.registry import NewVersion


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """A store with a model of MLflow, which the commands use."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PADDOCK_STORE", str(tmp_path / "store"))
    opened = open_app(resolve_settings({"store": str(tmp_path / "store"), "principal": "ann"}, {}, {}))
    run_id = opened.tracking.start_run(experiment="Iris").run_id
    opened.registry.models.create("Iris classifier")
    opened.registry.versions.register("Iris classifier", NewVersion(f"runs:/{run_id}/model"))
    opened.registry.set_alias("Iris classifier", "prod", 1)
    yield opened
    opened.close()


@pytest.fixture
def ask(app: App, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def asking(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        assert main(arguments) == code
        out, err = capsys.readouterr()
        return out + err

    return asking


def test_model_of_a_client_is_listed(app, ask):
    """The list has models without a champion, and those without a version."""
    app.registry.models.create("lily")

    lines = ask("models", "list").splitlines()

    assert [line.split() for line in lines if "lily" in line] == [["lily", "-", "-", "0"]]
    assert any(line.startswith("Iris classifier") for line in lines)
    assert "no versions yet" in ask("models", "show", "lily")


def test_version_without_a_package_says_so(ask):
    """Where others have a gate report it is said that there can be none, and no command leads astray."""
    shown = ask("models", "show", "Iris classifier@prod")

    assert "logged by MLflow, no package" in ask("models", "show", "Iris classifier")
    assert "runs:/" in shown
    assert "logged by MLflow, no package: this version cannot be gated, promoted or served" in shown
    assert "models gate" not in shown


def test_json_has_the_source(ask):
    """What programs read has the source, and an empty digest of the package."""
    version = json.loads(ask("models", "show", "Iris classifier@1", "--json"))

    assert (version["package_digest"], version["aliases"]) == ("", ["prod"])
    assert version["source"].startswith("runs:/")


def test_version_without_a_package_is_not_promoted(ask):
    """A promotion is refused with the reason, and with exit code 4."""
    told = ask("models", "promote", "Iris classifier@1", "champion", code=4)

    assert "error: Iris classifier@1 has no package" in told
