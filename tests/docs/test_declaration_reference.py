"""The page about paddock.toml names every key that may stand there, and no other."""

import re
from pathlib import Path

import pytest

from paddock.automation import RetrainSpec, parse_declaration
from paddock.automation.declaration import ModelSpec, PipelineSpec, ProjectSpec
from paddock.evaluation import GateSpec
from paddock.monitoring import LabelSpec, MonitorSpec
from paddock.serving import EndpointSpec, RolloutSpec

PAGE = (Path(__file__).parent.parent.parent / "docs" / "reference" / "paddock-toml.md").read_text()
SECTIONS = {
    "## `[project]`": ProjectSpec,
    "## `[pipeline.NAME]`": PipelineSpec,
    "## `[model.NAME]`": ModelSpec,
    "### Gates": GateSpec,
    "## `[endpoint.NAME]`": EndpointSpec,
    "### Rollout": RolloutSpec,
    "## `[monitor.NAME]`": MonitorSpec,
    "### Labels": LabelSpec,
    "## `[retrain.NAME]`": RetrainSpec,
}


def read_keys(heading: str) -> set[str]:
    """Return the keys that the items below a heading begin with."""
    text = PAGE.split(f"\n{heading}\n")[1]
    body = re.split(r"^##", text, flags=re.MULTILINE)[0]
    return {
        key
        for item in re.findall(r"^- ((?:`\w+`(?:, )?)+):", body, re.MULTILINE)
        for key in re.findall(r"`(\w+)`", item)
    }


@pytest.mark.parametrize("heading", SECTIONS)
def test_each_section_names_its_keys(heading):
    """A key without its line cannot be found, and a line without its key misleads."""
    assert read_keys(heading) == set(SECTIONS[heading].__struct_fields__)


@pytest.mark.parametrize("heading", [name for name in SECTIONS if name != "### Gates"])
def test_defaults_on_the_page_are_those_of_the_code(heading):
    """Each plain default that differs from nothing stands in its section."""
    spec = SECTIONS[heading]
    body = " ".join(re.split(r"^##", PAGE.split(f"\n{heading}\n")[1], flags=re.MULTILINE)[0].split())
    plain = [each for each in spec.__struct_defaults__ if isinstance(each, int | float | str) and each != ""]

    missing = [each for each in plain if (each if isinstance(each, str) else f"{each:g}") not in body]

    assert missing == []


def test_example_of_the_page_is_read_as_it_stands():
    """What the page shows can be declared."""
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)

    declared = parse_declaration(example[1], source="the page")

    assert declared.endpoint["delay"].rollout.canary == (0.05, 0.25)
    assert declared.monitor["delay"].endpoint == "delay"
