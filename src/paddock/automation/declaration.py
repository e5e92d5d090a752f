"""paddock.toml: the whole loop, declared. An unknown key is an error that names the nearest known one."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar

import msgspec

from paddock.automation.rules import check_retrain
from paddock.automation.specs import RetrainSpec
from paddock.evaluation import GateSpec
from paddock.evaluation import check_spec as check_gate
from paddock.kernel.errors import InvalidInput, InvalidSettings
from paddock.kernel.names import nearest
from paddock.kernel.refs import parse_ref
from paddock.monitoring import LabelSpec, MonitorSpec
from paddock.monitoring import check_spec as check_monitor
from paddock.serving import EndpointSpec, RolloutSpec
from paddock.serving import check_spec as check_endpoint

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
_INNER: Mapping[str, Mapping[str, type[msgspec.Struct]]] = {
    "model": {"gates": GateSpec},
    "endpoint": {"rollout": RolloutSpec},
    "monitor": {"labels": LabelSpec},
}
# section, key that names something (none: the table's own name does), section of what is named
_LINKS = (
    ("retrain", "pipeline", "pipeline"),
    ("retrain", "", "endpoint"),
    ("monitor", "endpoint", "endpoint"),
)


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
    for section in (*_SECTIONS, "project", "settings"):
        if not isinstance(tables.get(section, {}), dict):
            problems.append(f"[{section}] of {source} must be a table")
    for name, table in _table(tables, "monitor").items():
        if isinstance(table, dict):
            table.setdefault("endpoint", name)
    for section, spec in _SECTIONS.items():
        for name, table in _table(tables, section).items():
            problems += _check_entry(section, name, table, spec)
    problems += _check_links(tables)
    if problems:
        raise InvalidSettings(f"`{source}`: " + "; ".join(problems), problems=tuple(problems))
    try:
        return msgspec.convert(tables, Declaration)
    except msgspec.ValidationError as error:  # of [project] or [settings]
        raise InvalidSettings(f"`{source}`: {error}") from error


def _check_entry(section: str, name: str, table: object, spec: type[msgspec.Struct]) -> list[str]:
    """Return every fault of one table: its keys first, then their types, then what they say."""
    where = f"[{section}.{name}]"
    if not isinstance(table, dict):
        return [f"{where} must be a table"]
    problems = _unknown(table, _fields(spec), where)
    for key, inner in _INNER.get(section, {}).items():
        found = table.get(key, {})
        for place, each in enumerate(found if isinstance(found, list) else [found], start=1):
            if isinstance(each, dict):
                at = f"{key} {place}" if isinstance(found, list) else key
                problems += _unknown(each, _fields(inner), f"`{at}` of {where}")
    if problems:
        return problems
    try:
        return [f"{where}: {fault}" for fault in _check_content(msgspec.convert(table, spec))]
    except msgspec.ValidationError as error:
        return [f"{where}: {error}"]


def _check_content(spec: msgspec.Struct) -> tuple[str, ...]:
    match spec:
        case ModelSpec():
            numbered = enumerate(spec.gates, start=1)
            return tuple(f"gate {number}: {fault}" for number, gate in numbered for fault in check_gate(gate))
        case EndpointSpec():
            return (*check_endpoint(spec), *_check_followed(spec.model))
        case RetrainSpec():
            return check_retrain(spec)
        case MonitorSpec():
            return _faults_of(partial(check_monitor, spec))
    return ()


def _check_followed(ref: str) -> tuple[str, ...]:
    """Return what is wrong with the model of an endpoint: its loop moves `champion` and nothing else."""
    faults = _faults_of(partial(parse_ref, "model", ref))
    if faults:
        return faults
    name, selector = parse_ref("model", ref)
    if selector == "champion":
        return ()
    serve = f"; to serve `{ref}` as it is, use `paddock serve {ref}`" if selector else ""
    return (f"`model` is `{ref}`, but a declared endpoint follows `{name}@champion`{serve}",)


def _faults_of(check: Callable[[], object]) -> tuple[str, ...]:
    try:
        check()
    except InvalidInput as error:
        return error.problems or (error.message,)
    return ()


def _check_links(tables: Mapping[str, object]) -> list[str]:
    """Name every reference to something that is not declared."""
    problems = []
    for section, key, target in _LINKS:
        declared = _table(tables, target)
        for name, table in _table(tables, section).items():
            wanted = table.get(key, "") if key and isinstance(table, dict) else name
            if isinstance(wanted, str) and wanted and wanted not in declared:
                problems.append(
                    f"[{section}.{name}] names {target} `{wanted}`, which is not declared"
                    + _suggest(wanted, declared)
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
