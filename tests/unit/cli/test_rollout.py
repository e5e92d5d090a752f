"""`paddock rollout` on a store whose endpoint has a rollout in canary."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from loop_shop import ROLLOUT, draft

from paddock.app import open_app
from paddock.automation.records import Words
from paddock.cli import main
from paddock.kernel.settings import resolve_settings
from paddock.serving import EndpointSpec


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder whose store `.paddock` knows endpoint `delay`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PADDOCK_STORE", raising=False)
    with closing(open_app(resolve_settings({"store": ".paddock"}, {}, {}))) as app:
        app.endpoints.declare("delay", EndpointSpec("delay@champion", ROLLOUT))
    return tmp_path


def open_canary(folder: Path) -> None:
    with closing(open_app(resolve_settings({"store": ".paddock"}, {}, {}))) as app:
        (app.gateway_folder("delay") / "predictions").mkdir(parents=True)
        app.automation.open_rollout(draft(phase="canary", step=1), "candidate_submitted", Words("handed in"))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_show_tells_phase_candidate_and_what_is_waited_for(capsys: pytest.CaptureFixture[str], store: Path):
    """A person sees at a glance how far the candidate has come; a program gets what the API answers."""
    open_canary(store)

    code, text, _ = run(capsys, "rollout", "show", "delay")
    shown = json.loads(run(capsys, "rollout", "show", "delay", "--json")[1])

    facts = dict(line.split("  ", 1) for line in text.splitlines())
    assert code == 0
    assert facts["phase"].strip() == "canary, step 2 of 2 (50% of requests)"
    assert facts["waits for"].strip() == "0 of 50 rows"
    assert facts["candidate"].strip() == "delay@2"
    assert (shown["phase"], shown["step"], shown["waits_for"]) == ("canary", 1, "0 of 50 rows")


def test_withdraw_ends_it_and_show_tells_so(capsys: pytest.CaptureFixture[str], store: Path):
    """After a withdrawal the champion stays; withdrawing again is told as nothing to withdraw."""
    open_canary(store)

    code, out, _ = run(capsys, "rollout", "withdraw", "delay", "--reason", "complaints since noon")
    shown = json.loads(run(capsys, "rollout", "show", "delay", "--json")[1])
    again, _, err = run(capsys, "rollout", "withdraw", "delay", "--reason", "again")

    assert (code, out) == (0, "delay@2 is withdrawn; delay@1 stays champion\n")
    assert (shown["phase"], shown["is_open"], shown["waits_for"]) == ("rolled_back", False, "")
    assert again == 3
    assert "error: endpoint `delay` has no rollout in progress\nhint: paddock rollout show delay" in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("show", "delay"), 3, "no candidate was on its way to endpoint `delay` yet"),
        (("show", "dely"), 3, "there is no endpoint `dely`; the nearest is `delay`"),
        (("withdraw", "dely", "--reason", "no"), 3, "there is no endpoint `dely`"),
        (("withdraw", "delay"), 2, "--reason"),
        (("withdraw", "delay", "--reason", ""), 2, "a candidate is withdrawn for a reason"),
    ],
)
def test_wrong_calls_say_why(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, words: str
):
    """What is not there and what is missing is told, with its exit code."""
    found, _, err = run(capsys, "rollout", *arguments)

    assert found == code
    assert words in err
