"""`--json`: every command that has it writes one JSON document, whatever it finds."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from paddock.cli import main
from paddock.cli.commands import root

EMPTY_LEDGER = {
    "ok": True,
    "checked_count": 0,
    "first_bad_position": 0,
    "words": "the chain of 0 events holds",
    "unsealed_count": 0,
    "head_position": 0,
    "head_hash": "0" * 64,
}
NOTHING_TO_FREE = {
    "is_deleted": False,
    "object_count": 0,
    "size_bytes": 0,
    "young_count": 0,
    "young_bytes": 0,
    "freed_bytes": 0,
    "freed": [],
    "leftovers": [],
}
# what is answered on a store without anything in it: the exit code and the document, or the problem's code
EMPTY: dict[tuple[str, ...], tuple[int, object]] = {
    ("data", "list"): (0, {"datasets": [], "next_cursor": ""}),
    ("runs", "list"): (0, {"runs": [], "next_cursor": ""}),
    ("models", "list"): (0, {"models": [], "next_cursor": ""}),
    ("monitor",): (0, {"monitors": [], "next_cursor": ""}),
    ("monitor", "shop"): (0, {"windows": [], "next_cursor": ""}),
    ("audit", "verify"): (0, EMPTY_LEDGER),
    ("webhooks", "list"): (0, {"webhooks": [], "next_cursor": ""}),
    ("webhooks", "add", "ci", "https://hooks.example", "--event", "model.promoted"): (2, "invalid_input"),
    ("webhooks", "test", "ci"): (3, "not_found"),
    ("webhooks", "remove", "ci"): (3, "not_found"),
    ("sync",): (0, {"journals": []}),
    ("gc",): (0, NOTHING_TO_FREE),
    ("monitor", "stranger"): (3, "not_found"),
    ("data", "add", "none.csv"): (3, "not_found"),
    ("data", "show", "flights"): (3, "not_found"),
    ("runs", "show", "r1"): (3, "not_found"),
    ("models", "show", "delay"): (3, "not_found"),
    ("models", "show", "delay@1"): (3, "not_found"),
    ("models", "gate", "delay@1", "--rows", "flights", "--label", "late"): (3, "not_found"),
    ("models", "promote", "delay@1"): (3, "not_found"),
    ("rollback", "delay"): (3, "not_found"),
    ("rollout", "show", "shop"): (3, "not_found"),
    ("rollout", "withdraw", "shop", "--reason", "why"): (3, "not_found"),
}
DECLARED = """
[model.delay]
gates = [{ metric = "roc_auc", at_least = 0.5 }]
[endpoint.shop]
model = "delay@champion"
[monitor.shop]
window = "1d"
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder that declares a monitor and has no store yet."""
    monkeypatch.chdir(tmp_path)
    for name in ("PADDOCK_STORE", "PADDOCK_PROJECT", "PADDOCK_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "paddock.toml").write_text(DECLARED)


def commands_with_json(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands_with_json(command, (*words, name))
        elif command is not None and any(each.name == "as_json" for each in command.params):
            yield (*words, name)


def test_no_command_is_forgotten_here():
    """Each command that has the option stands in the table above."""
    asked = {words[: len(command)] for command in commands_with_json(root) for words in EMPTY}

    assert set(commands_with_json(root)) <= asked


@pytest.mark.parametrize("words", EMPTY, ids=" ".join)
def test_empty_store_is_answered_in_json(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]):
    """A listing of nothing is an empty list of its shape; an error is the problem the API would answer."""
    code, expected = EMPTY[words]

    found = main([*words, "--json"])
    out, err = capsys.readouterr()

    document = json.loads(out)
    assert (found, document if code == 0 else document["code"]) == (code, expected)
    assert (err == "") == (code == 0)
    assert code == 0 or f"error: {document['detail']}" in err


def test_error_without_json_is_told_on_stderr_alone(capsys: pytest.CaptureFixture[str]):
    """Who did not ask for JSON gets none."""
    assert main(["models", "show", "delay"]) == 3
    assert capsys.readouterr().out == ""
