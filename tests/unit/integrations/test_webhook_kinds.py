"""What rooms write into the ledger may be subscribed to."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import paddock
from paddock.integrations.webhooks.messages import NOUNS

KIND = re.compile(r"([a-z_]+)\.[a-z_]*")
FILES = (".parquet",)


def test_every_kind_of_event_can_be_subscribed():
    """A room that writes events about a new noun adds it to the nouns of webhooks."""
    nouns = {kind.partition(".")[0] for kind in list_kinds()}

    assert {"model", "run", "decision", "monitor"} <= nouns
    assert nouns - set(NOUNS) == set()


def list_kinds() -> Iterator[str]:
    """Yield what looks like a kind in the files that append events; events of the log are none."""
    package = Path(paddock.__file__).parent
    for path in package.rglob("*.py"):
        text = path.read_text()
        if "testing" in path.parts or not ("append_event" in text or "NewEvent(" in text):
            continue
        tree = ast.parse(text)
        logged = {id(argument) for call in ast.walk(tree) if is_log(call) for argument in call.args}
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and id(node) not in logged else None
            if isinstance(text, str) and KIND.fullmatch(text) and not text.endswith(FILES):
                yield text


def is_log(node: ast.AST) -> bool:
    call = node.func if isinstance(node, ast.Call) else None
    return isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name) and "log" in call.value.id
