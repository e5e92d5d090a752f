"""What paddock.toml says about settings: `[settings]`, and the project's own name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from paddock.kernel.errors import InvalidInput, InvalidSettings
from paddock.kernel.names import check_name


def read_file_settings(path: Path) -> Mapping[str, object]:
    """Return the settings that the file gives, nothing when there is no file.

    `name` of `[project]` stands for the setting `project`, unless `[settings]` gives that itself. Raises
    InvalidSettings when the file is no TOML, or one of the two tables is of another form.
    """
    if not path.is_file():
        return {}
    try:
        document = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"`{path.name}` cannot be read: {error}") from error
    return {**_project(document, path.name), **_table(document, "settings", path.name)}


def _project(document: Mapping[str, object], source: str) -> Mapping[str, object]:
    table = _table(document, "project", source)
    if "name" not in table:
        return {}
    name = table["name"]
    if not isinstance(name, str):
        raise InvalidSettings(f"`name` of [project] in {source} is `{name}`, but must be a text")
    try:
        return {"project": check_name("project", name)}
    except InvalidInput as error:
        raise InvalidSettings(f"`name` of [project] in {source}: {error.message}") from error


def _table(document: Mapping[str, object], name: str, source: str) -> Mapping[str, object]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise InvalidSettings(f"`{name}` in {source} must be a table, `[{name}]`")
    return table
