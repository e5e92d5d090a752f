"""The stale-cache probe: one edit of a project, run in fresh processes, must never give the old answer."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = {
    "flow/__init__.py": "",
    "flow/settings.py": "FACTOR = 2\nUNUSED = 0\n",
    "flow/deep.py": "def last(x):\n    return x + 1\n",
    "flow/tools.py": "from flow.deep import last\n\ndef shift(x):\n    return last(x) + 10\n",
    "flow/shapes.py": "class Scale:\n offset = 100\n def apply(self, x):\n  return x + self.offset\n",
    "flow/lazy.py": "def late(x):\n    return x + 100_000\n",
    "flow/steps.py": """
from flow import settings, tools
from flow.settings import FACTOR
from flow.shapes import Scale
import paddock as pk
from paddock.pipelines import pipeline, step

LIMIT = 1_000


def adder(n):
    def add(x):
        return x + n
    return add


captured = adder(10_000)


@step
def compute(x, extra=0):
    from .lazy import late
    total = tools.shift(x) * FACTOR * settings.FACTOR + LIMIT + extra
    return late(captured(Scale().apply(total)))


@step
def report(value):
    if value is None:
        value = pk.dataset("flights@1").to_arrow().num_rows
    return f"value {value}"


@pipeline
def main(x=1):
    return report(compute(x))
""",
}
RUN = """
import json, sys
from paddock.kernel.clock import SystemClock
from paddock.kernel.refs import DEFAULT_PROJECT, Actor
from paddock.metadata import open_metadata
from paddock.objects import open_objects
from paddock.pipelines import Pipelines, run_pipeline
store = sys.argv[1]
metadata = open_metadata(store, clock=SystemClock())
objects = open_objects(store + "/objects")
pipelines = Pipelines(metadata, objects, SystemClock(), Actor(DEFAULT_PROJECT, "ann"))
run = run_pipeline(pipelines, "flow.steps:main")
print(json.dumps({"output": run.output, "states": [s.state for s in run.steps],
                  "reasons": [s.reason for s in run.steps]}))
metadata.close()
"""


@dataclass(frozen=True)
class Answer:
    output: str
    states: list[str]
    reasons: list[str]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project's files in a folder of their own."""
    for name, text in PROJECT.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


def _run(project: Path, *options: str) -> Answer:
    """Run the pipeline in a new Python process over the store beside the project."""
    source = Path(__file__).parents[2] / "src"
    environment = {**os.environ, "PYTHONPATH": f"{project}{os.pathsep}{source}", "PYTHONHASHSEED": "random"}
    # an edit within one second that keeps a file's size would be missed by Python's own byte-code cache
    done = subprocess.run(
        [sys.executable, "-B", *options, "-c", RUN, str(project.parent / "store")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return Answer(**json.loads(done.stdout))


def _edit(project: Path, name: str, before: str, after: str) -> None:
    text = (project / name).read_text()
    assert text.count(before) == 1
    (project / name).write_text(text.replace(before, after))


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        pytest.param("flow/steps.py", "+ extra", "- extra - 1", id="own body"),
        pytest.param("flow/steps.py", "extra=0", "extra=7", id="own default"),
        pytest.param("flow/tools.py", "+ 10", "+ 20", id="function in another module"),
        pytest.param("flow/deep.py", "x + 1", "x + 2", id="function called by that function"),
        pytest.param("flow/steps.py", "LIMIT = 1_000", "LIMIT = 2_000", id="global constant"),
        pytest.param("flow/settings.py", "FACTOR = 2", "FACTOR = 3", id="imported constant"),
        pytest.param("flow/steps.py", "adder(10_000)", "adder(20_000)", id="closure value"),
        pytest.param("flow/shapes.py", "offset = 100", "offset = 200", id="class attribute"),
        pytest.param("flow/shapes.py", "x + self", "x - self", id="method"),
        pytest.param("flow/lazy.py", "x + 100_000", "x - 1", id="function imported in the body"),
    ],
)
def test_edit_is_never_answered_from_the_cache(project: Path, name: str, before: str, after: str) -> None:
    """After an edit anywhere the step reaches, a fresh process gives the new answer and says why it ran."""
    first = _run(project)
    _edit(project, name, before, after)

    second = _run(project)

    assert second.output != first.output
    assert second.states == ["succeeded", "succeeded"]
    assert second.reasons[0].startswith("its code changed")


def test_fresh_process_is_answered_from_the_cache(project: Path) -> None:
    """A second process runs nothing, whatever its hash seed, also after edits that change nothing."""
    first = _run(project)
    _edit(
        project, "flow/steps.py", "def compute(x, extra=0):", 'def compute(x, extra=0):\n    """Compute."""'
    )
    _edit(project, "flow/tools.py", "def shift(x):", "\n# moves\ndef shift(x):\n    # down\n")
    _edit(project, "flow/settings.py", "UNUSED = 0", "UNUSED = 1")

    second = _run(project)

    assert second.output == first.output
    assert second.states == ["cached", "cached"]


def test_equal_output_stops_the_cascade(project: Path) -> None:
    """When an edit leaves the output as it was, the step after it is cached."""
    _run(project)
    _edit(project, "flow/steps.py", "+ extra", "- extra")

    second = _run(project)

    assert second.states == ["succeeded", "cached"]
    assert second.reasons[0] == "its code changed"
