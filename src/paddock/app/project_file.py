"""What paddock.toml says about settings: `[settings]`, and the project's own name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from paddock.kernel.errors import InvalidInput, InvalidSettings
from paddock.kernel.names import check_name, nearest

# what they mean is known to `automation`, which reading settings must not load
SECTIONS = ("project", "settings", "pipeline", "model", "endpoint", "monitor", "retrain")
PROJECT_KEYS = ("name",)


def read_file_settings(path: Path) -> Mapping[str, object]:
    """Return the settings that the file gives, nothing when there is no file.

    `name` of `[project]` stands for the setting `project`, unless `[settings]` gives that itself. Raises
    InvalidSettings when the file is no TOML, has a section that Paddock does not know, or one of the two
    tables is of another form. What the other sections say is not looked at.
    """
    document = _read_document(path)
    return {**_project(document, path.name), **_table(document, "settings", path.name)}


def list_declared(path: Path, section: str) -> tuple[str, ...]:
    """Return the names that a section of the file declares, such as those of `[monitor.NAME]`."""
    return tuple(_table(_read_document(path), section, path.name))


def _read_document(path: Path) -> Mapping[str, object]:
    if not path.is_file():
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, a number too long, nested too deep
        raise InvalidSettings(f"`{path.name}` cannot be read: {error}") from error
    _refuse_unknown(document, SECTIONS, f"a section of {path.name}")
    return document


def _refuse_unknown(table: Mapping[str, object], known: tuple[str, ...], what: str) -> None:
    problems = []
    for name in table:
        if name not in known:
            match = nearest(name, known)
            nearest_words = f"; the nearest is `{match}`" if match else ""
            problems.append(f"`{name[:80]}` is not {what}{nearest_words}")
    if problems:
        raise InvalidSettings("; ".join(problems), problems=tuple(problems))


def _project(document: Mapping[str, object], source: str) -> Mapping[str, object]:
    table = _table(document, "project", source)
    _refuse_unknown(table, PROJECT_KEYS, f"a key of [project] in {source}")
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
