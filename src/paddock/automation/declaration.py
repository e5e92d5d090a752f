"""paddock.toml: the whole loop, declared. An unknown key is an error that names the nearest known one."""

import tomllib
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from paddock.automation.specs import RetrainSpec
from paddock.evaluation import GateSpec
from paddock.kernel.errors import InvalidSettings
from paddock.kernel.names import nearest
from paddock.monitoring import MonitorSpec
from paddock.serving import EndpointSpec

T = TypeVar("T")


class ProjectSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[project]`."""

    name: str = "default"


class PipelineSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[pipeline.NAME]`; entry: `package.module:function`; params: handed to it as they stand."""

    entry: str
    params: Mapping[str, str | int | float | bool | tuple[str, ...]] = {}


class ModelSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[model.NAME]`: what a candidate must show before it may replace the champion."""

    gates: tuple[GateSpec, ...] = ()


class Declaration(msgspec.Struct, frozen=True):
    """Everything that paddock.toml declares; `settings` is read by the settings table."""

    project: ProjectSpec = ProjectSpec()
    settings: Mapping[str, str | int | float | bool] = {}
    pipeline: Mapping[str, PipelineSpec] = {}
    model: Mapping[str, ModelSpec] = {}
    endpoint: Mapping[str, EndpointSpec] = {}
    monitor: Mapping[str, MonitorSpec] = {}
    retrain: Mapping[str, RetrainSpec] = {}


_SECTIONS: Mapping[str, type[msgspec.Struct]] = {
    "pipeline": PipelineSpec,
    "model": ModelSpec,
    "endpoint": EndpointSpec,
    "monitor": MonitorSpec,
    "retrain": RetrainSpec,
}


def parse_declaration(text: str, *, source: str = "paddock.toml") -> Declaration:
    """Read a declaration; every fault of it is reported in one InvalidSettings.

    >>> parse_declaration('[project]\\nname = "flights"').project.name
    'flights'
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettings(f"`{source}` is not TOML: {error}") from error
    problems = _unknown(tables, [*_SECTIONS, "project", "settings"], source)
    problems += _unknown(_table(tables, "project"), _fields(ProjectSpec), f"[project] of {source}")
    for section, spec in _SECTIONS.items():
        for name, table in _table(tables, section).items():
            problems += _check_entry(f"[{section}.{name}]", table, spec)
    problems += _check_links(tables)
    if problems:
        raise InvalidSettings(f"`{source}`: " + "; ".join(problems), problems=tuple(problems))
    return msgspec.convert(tables, Declaration)


def _check_entry(where: str, table: object, spec: type[msgspec.Struct]) -> list[str]:
    if not isinstance(table, dict):
        return [f"{where} must be a table"]
    problems = _unknown(table, _fields(spec), where)
    if problems:
        return problems
    try:
        msgspec.convert(table, spec)
    except msgspec.ValidationError as error:
        return [f"{where}: {error}"]
    return []


def _check_links(tables: Mapping[str, object]) -> list[str]:
    """Name every reference to something that is not declared."""
    problems = []
    for section, key, target in (("retrain", "pipeline", "pipeline"), ("monitor", "endpoint", "endpoint")):
        declared = _table(tables, target)
        for name, table in _table(tables, section).items():
            wanted = table.get(key, name) if isinstance(table, dict) else name
            if wanted not in declared:
                problems.append(
                    f"[{section}.{name}] names {target} `{wanted}`, which is not declared"
                    + _suggest(str(wanted), declared)
                )
    return problems


def _unknown(table: Mapping[str, object], known: Iterable[str], where: str) -> list[str]:
    names = list(known)
    return [f"`{key}` is not a key of {where}{_suggest(key, names)}" for key in table if key not in names]


def _suggest(name: str, known: Iterable[str]) -> str:
    match = nearest(name, known)
    return f"; the nearest is `{match}`" if match else ""


def _fields(spec: type[msgspec.Struct]) -> tuple[str, ...]:
    return spec.__struct_fields__


def _table(tables: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = tables.get(name, {})
    return found if isinstance(found, dict) else {}
