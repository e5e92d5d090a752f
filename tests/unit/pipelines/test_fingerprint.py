"""The fingerprint changes with what the code does, and with nothing else."""

import enum
import functools
import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from paddock.pipelines import Fingerprint, fingerprint
from paddock.pipelines.origin import paddock_sources_digest

BASE = """
import math
from dataclasses import dataclass, field
LIMIT = 10
NAMES = {"a", "b", "c"}
class Scale:
    factor = 2
    def apply(self, x):
        return x * self.factor
@dataclass
class Options:
    depth: int = 6
    names: list = field(default_factory=list)
def helper(x, offset=1):
    return x + offset
def outer(n):
    def inner(x):
        return x + n
    return inner
captured = outer(3)
def target(x):
    total = helper(x) + LIMIT + captured(x) + math.floor(x)
    return [Scale().apply(total) for _ in range(2) if x not in NAMES], Options()
"""


def _load(source: str) -> ModuleType:
    module = ModuleType("probe_module")
    exec(compile(source, "<probe>", "exec"), vars(module))
    return module


def _of(source: str) -> Fingerprint:
    return fingerprint(_load(source).target)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("LIMIT = 10", "LIMIT = 11"),
        ("LIMIT = 10", "LIMIT = 10.0"),
        ('{"a", "b", "c"}', '{"a", "b", "d"}'),
        ("factor = 2", "factor = 3"),
        ("return x * self.factor", "return x + self.factor"),
        ("depth: int = 6", "depth: int = 7"),
        ("default_factory=list", "default_factory=dict"),
        ("offset=1", "offset=2"),
        ("return x + offset", "return x - offset"),
        ("outer(3)", "outer(4)"),
        ("return x + n", "return x - n"),
        ("math.floor", "math.ceil"),
        ("range(2)", "range(3)"),
        ("if x not in", "if x in"),
        ("+ LIMIT", "- LIMIT"),
    ],
)
def test_each_change_of_behavior_changes_it(before: str, after: str) -> None:
    """One edit anywhere the function reaches gives another fingerprint."""
    assert BASE.count(before) == 1

    assert _of(BASE.replace(before, after)) != _of(BASE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("LIMIT = 10", "\n\n# a comment\nLIMIT = 10"),
        ("LIMIT = 10", "LIMIT = 10\nUNUSED = 5"),
        ("def target(x):", 'def target(x):\n    "Says what it does."'),
        ("def helper(x, offset=1):", 'def helper(x, offset=1):\n    """Adds."""\n    # really'),
        ("    def inner(x):", '    def inner(x):\n        "Inner."'),
        ("class Scale:", 'class Scale:\n    "Scales."'),
        ("helper(x) + LIMIT", "(helper( x ) +\n        LIMIT)"),
        ('{"a", "b", "c"}', '{"c", "b", "a"}'),
    ],
)
def test_how_it_is_written_down_does_not_matter(before: str, after: str) -> None:
    """Comments, docstrings, formatting and code that is not reached leave the fingerprint as it is."""
    assert BASE.count(before) == 1

    assert _of(BASE.replace(before, after)) == _of(BASE)


def test_it_follows_what_is_loaded_not_what_the_file_says() -> None:
    """A constant changed in memory counts: the fingerprint is of what would run now."""
    module = _load(BASE)
    before = fingerprint(module.target)
    vars(module)["LIMIT"] = 99

    assert fingerprint(module.target) != before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("return eval('x')", "calls `eval`"),
        ("return lock", "global `lock` of `probe_module` is a `_thread.lock`"),
        ("import importlib; return importlib.import_module('a')", "imports `importlib`"),
        ("return sys.modules['a'].b", "computed names"),
        ("return (lambda: lock)()", "_thread.lock"),
        ("return stream.read()", "TextIOWrapper"),
    ],
)
def test_what_cannot_be_told_says_why(line: str, words: str) -> None:
    """Code that reaches something opaque has no fingerprint but a reason."""
    head = "import sys, threading\nlock = threading.Lock()\nstream = sys.__stdout__\n"
    source = f"{head}def target(x):\n    {line}\n"

    told = _of(source)

    assert told.digest == ""
    assert words in told.problem


def _with(value: object) -> Callable[[], object]:
    def use() -> object:
        return value

    return use


class _Mode(enum.Enum):
    FAST = 1
    SLOW = 2


@dataclass
class _Config:
    depth: int


class _Counter:
    def __init__(self, count: int) -> None:
        self.count = count


class _Words(list):  # type: ignore[type-arg]
    pass


@functools.lru_cache
def _remembered(x: int) -> int:
    return x + 1


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (_Mode.FAST, _Mode.SLOW),
        (_Config(1), _Config(2)),
        (_Counter(1), _Counter(2)),
        (_Words(["a"]), _Words(["b"])),
        (np.zeros(2), np.ones(2)),
        (np.dtype("f4"), np.dtype("f8")),
        (re.compile("a"), re.compile("b")),
        (functools.partial(max, 1), functools.partial(max, 2)),
        (_Counter(1).__init__, _Counter(2).__init__),  # type: ignore[misc]
        (list[int], list[str]),
        (logging.getLogger("a"), logging.getLogger("b")),
        (frozenset({_Config, _Counter}), frozenset({_Config, _Mode})),
        ({"a": [1]}, {"a": [2]}),
        (_remembered, max),
        (1, True),
        (0.0, -0.0),
    ],
)
def test_captured_values_count_by_content(one: object, two: object) -> None:
    """Captured values of many types are told apart by what is in them, and equal ones are equal."""
    first, second, again = fingerprint(_with(one)), fingerprint(_with(two)), fingerprint(_with(one))

    assert first.digest
    assert second.digest
    assert first != second
    assert first == again


def test_values_that_hold_each_other_are_followed_once() -> None:
    """A structure that contains itself has a fingerprint."""
    one: dict[str, object] = {}
    one["self"] = [one]

    assert fingerprint(_with(one)).digest


def test_functions_that_call_each_other_are_followed_once() -> None:
    """Mutual recursion ends, and a change in either counts."""
    source = (
        "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)\ntarget = even\n"
    )

    assert _of(source).digest
    assert _of(source) != _of(source.replace("n != 0", "n > 0"))


def test_attribute_of_an_instance_with_hidden_state_is_opaque() -> None:
    """An object whose content only C code sees is not guessed at."""
    assert "RLock" in fingerprint(_with(threading.RLock())).problem
    assert fingerprint(_with(np.random.default_rng(1))).digest == ""


def test_libraries_and_loggers_do_not_stand_in_the_way() -> None:
    """A step that uses installed libraries, their decorated functions and a logger can be cached."""
    source = """
import logging
import pyarrow.compute as pc
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
log = logging.getLogger(__name__)
def target(table):
    log.info("fitting %s", pc.mean(table["a"]))
    model = HistGradientBoostingClassifier(max_iter=3).fit(table["a"], table["y"])
    return roc_auc_score(table["y"], model.predict(table["a"]))
"""

    assert _of(source).problem == ""
    assert _of(source) != _of(source.replace("max_iter=3", "max_iter=4"))


def test_paddock_is_taken_by_name_wherever_it_lies() -> None:
    """Calls of Paddock do not stand in the way, from a checkout either; which call it is counts."""
    source = """
import paddock as pk
from paddock import dataset
from paddock.kernel.purity import note_impure
def target():
    from paddock.sdk import active_run
    with pk.run("delay") as run:
        run.log({"rows": dataset("flights@3").to_arrow().num_rows})
    return active_run(), note_impure
"""

    assert _of(source).problem == ""
    assert _of(source) != _of(source.replace("pk.run(", "pk.rollout("))
    assert _of(source) != _of(source.replace("import dataset", "import add_dataset as dataset"))


def test_checkout_of_paddock_is_told_by_its_sources(tmp_path: Path) -> None:
    """An edit of a source file counts, where it lies does not; a version tells an installed package."""
    for place in ("one/paddock", "two/paddock", "site-packages/paddock"):
        (tmp_path / place / "sdk").mkdir(parents=True)
        (tmp_path / place / "sdk" / "runs.py").write_text("LIMIT = 1\n")
    one, two = tmp_path / "one" / "paddock", tmp_path / "two" / "paddock"
    before = paddock_sources_digest(one)

    assert before == paddock_sources_digest(two)
    (two / "sdk" / "runs.py").write_text("LIMIT = 2\n")
    assert before != paddock_sources_digest(two)
    assert paddock_sources_digest(tmp_path / "site-packages" / "paddock") == ""
