"""The reference has a heading for every command, setting, error and metric, and for nothing else."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_reference import describe_commands

import paddock
from paddock.kernel.errors import PaddockError
from paddock.kernel.settings import SETTINGS

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "src" / "paddock"
REFERENCE = ROOT / "docs" / "reference"
HEADING = re.compile(r"^## `([^`]+)`\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
METRIC = re.compile(r"paddock_[a-z0-9_]+")


def test_every_setting_has_its_section():
    """Each setting is described once, with its variable, its default and the help that `--help` shows."""
    sections = read_sections("settings.md")

    assert set(sections) == {setting.name for setting in SETTINGS}
    for setting in SETTINGS:
        text = sections[setting.name]
        assert f"`PADDOCK_{setting.name.upper()}`" in text
        assert f"default `{setting.default}`" in text or setting.default == ""
        assert setting.help in text
        assert setting.range_words in text


def test_every_error_has_its_section():
    """Each error code is described once, with its HTTP status and exit code."""
    sections = read_sections("errors.md")
    errors = {error.code: error for error in all_errors(PaddockError)}

    assert set(sections) == set(errors)
    for code, error in errors.items():
        assert f"HTTP {error.http_status}, exit code {error.exit_code}" in sections[code], code


def test_command_line_page_is_current():
    """The page says of every command and option what `--help` says; `make reference` writes it anew."""
    assert (REFERENCE / "cli.md").read_text() == describe_commands()


def test_every_metric_has_its_section():
    """Each metric that a process exports is described once."""
    assert set(read_sections("metrics.md")) == set(all_metrics())


@pytest.mark.parametrize("page", ["settings.md", "errors.md", "metrics.md"])
def test_no_section_is_empty(page):
    """A heading alone explains nothing."""
    assert [name for name, text in read_sections(page).items() if len(text.split()) < 5] == []


def read_sections(page: str) -> dict[str, str]:
    """Return the text of each section by its heading, on one line."""
    sections = HEADING.findall((REFERENCE / page).read_text())
    assert len(sections) == len(dict(sections)), f"{page} describes something twice"
    return {name: " ".join(text.split()) for name, text in sections}


def all_errors(error: type[PaddockError]) -> Iterator[type[PaddockError]]:
    """Yield the tree of errors, with the branches that rooms add in their own files."""
    if error is PaddockError:
        for module in pkgutil.walk_packages(paddock.__path__, "paddock."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    yield error
    for child in error.__subclasses__():
        yield from all_errors(child)


def all_metrics() -> Iterator[str]:
    """Yield the metric names that stand as text in the processes that export metrics."""
    exporters = [path for room in ("server", "serving") for path in (PACKAGE / room).rglob("*.py")]
    for path in exporters:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and METRIC.fullmatch(str(node.value)):
                yield str(node.value)
