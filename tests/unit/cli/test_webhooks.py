"""`paddock webhooks` on a store of its own, with a real receiver."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from receiver_kit import Receiver, Reply, is_signed, running_receiver

from paddock.cli import main


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> Path:
    """Work in a folder whose settings allow the receiver."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PADDOCK_STORE", raising=False)
    (tmp_path / "paddock.toml").write_text(f'[settings]\nwebhook_hosts = "{receiver.place}"\n')
    (tmp_path / "secret.txt").write_text("canary-9\n")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(("webhooks", *arguments))
    out, err = capsys.readouterr()
    return code, out, err


def add(capsys: pytest.CaptureFixture[str], receiver: Receiver, *more: str) -> tuple[int, str, str]:
    return run(capsys, "add", "ci", receiver.url, "--event", "run.*", "--secret-file", "secret.txt", *more)


def test_added_webhook_is_listed_tested_and_removed(capsys: pytest.CaptureFixture[str], receiver: Receiver):
    """The four commands, as a person sees them."""
    added = add(capsys, receiver)
    listed = run(capsys, "list")
    tested = run(capsys, "test", "ci")
    removed = run(capsys, "remove", "ci")

    assert added[0] == listed[0] == tested[0] == removed[0] == 0
    webhook_id = added[1].split()[-1]
    assert added[1] == f"webhook ci added as {webhook_id}\n"
    assert listed[1].splitlines()[1].split()[:6] == ["ci", webhook_id, "ACTIVE", "run.*", "0", "0"]
    assert tested[1] == "webhook ci answered 200\n"
    assert removed[1] == "webhook ci removed\n"
    assert is_signed(receiver.received[0], "canary-9")
    assert "no webhooks yet" in run(capsys, "list")[1]


def test_json_is_the_apis(capsys: pytest.CaptureFixture[str], receiver: Receiver):
    """A program gets what the API answers, without the secret."""
    added = json.loads(add(capsys, receiver, "--json")[1])
    listed = json.loads(run(capsys, "list", "--json")[1])
    tested = json.loads(run(capsys, "test", "ci", "--json")[1])
    removed = json.loads(run(capsys, "remove", added["webhook_id"], "--json")[1])

    assert listed == {"webhooks": [added], "next_cursor": ""}
    assert removed == added
    assert (added["events"], added["has_secret"]) == (["run.*"], True)
    assert "canary-9" not in json.dumps(added)
    assert tested["success"] is True


@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_test_that_was_not_taken_is_an_error(
    capsys: pytest.CaptureFixture[str], receiver: Receiver, flag: tuple[str, ...]
):
    """A script learns from the exit code that the receiver did not take the message."""
    add(capsys, receiver)
    receiver.answer = lambda _: Reply(500)

    code, out, err = run(capsys, "test", "ci", *flag)

    assert code == 6
    assert json.loads(out)["response_status"] == 500 if flag else "answered 500" in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("add", "ci", "https://other.example", "--event", "run.*"), 2, "does not list `other.example`"),
        (("add", "ci", "http://127.0.0.1", "--event", "run.*"), 2, "does not list `127.0.0.1:80`"),
        (("add", "ci", "https://other.example"), 2, "--event"),
        (("test", "nobody"), 3, "has no webhook `nobody`"),
        (("remove", "nobody"), 3, "hint: paddock webhooks list"),
    ],
)
def test_wrong_calls_say_why(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, words: str
):
    """What is missing and what is not allowed is told, with its exit code."""
    found, _, err = run(capsys, *arguments)

    assert found == code
    assert words in err
