"""What every command reads of paddock.toml: settings, and whether its sections are known at all."""

from pathlib import Path

import pytest

from paddock.app import list_declared, read_file_settings
from paddock.app.project_file import PROJECT_KEYS, SECTIONS
from paddock.automation import Declaration
from paddock.automation.declaration import ProjectSpec
from paddock.kernel.errors import InvalidSettings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "paddock.toml"


def test_known_sections_are_those_of_the_declaration():
    """What a loop may find in the file is what every other command lets stand there."""
    assert set(SECTIONS) == set(Declaration.__struct_fields__)
    assert set(PROJECT_KEYS) == set(ProjectSpec.__struct_fields__)


def test_every_unknown_section_is_told_at_once(file: Path):
    """Each comes with the nearest known one, where there is one."""
    file.write_text("retrian = 1\n[zebra]\n")

    with pytest.raises(InvalidSettings) as refused:
        read_file_settings(file)

    assert refused.value.problems == (
        "`retrian` is not a section of paddock.toml; the nearest is `retrain`",
        "`zebra` is not a section of paddock.toml",
    )


def test_unknown_key_of_the_project_is_told(file: Path):
    """A misspelt name would leave the work in another project."""
    file.write_text('[project]\nnmae = "flights"\n')

    with pytest.raises(InvalidSettings, match=r"`nmae` is not a key of \[project\] in .*nearest is `name`"):
        read_file_settings(file)


def test_names_of_a_section_are_listed(file: Path):
    """Without the file nothing is declared."""
    assert list_declared(file, "monitor") == ()

    file.write_text("[monitor.delay]\n[monitor.shop]\n")
    assert list_declared(file, "monitor") == ("delay", "shop")
    assert list_declared(file, "endpoint") == ()
