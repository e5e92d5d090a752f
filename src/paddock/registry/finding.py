"""From a ref to the rows it names; errors say what there is instead."""

from paddock.kernel.errors import NotFound
from paddock.kernel.names import nearest
from paddock.kernel.refs import ModelVersionRef, ProjectId, parse_version
from paddock.metadata import Reader
from paddock.registry import rules
from paddock.registry.naming import parse_model_ref
from paddock.registry.records import ModelVersion
from paddock.registry.sql import aliases, models, versions


def get_version(reader: Reader, project_id: ProjectId, ref: ModelVersionRef | str) -> ModelVersion:
    """Return the version that `ref` names: by number, by alias, or the newest one."""
    if isinstance(ref, ModelVersionRef):
        name, selector = ref.name, str(ref.version)
    else:
        name, selector = parse_model_ref(ref)
    check_model(reader, project_id, name)
    number = _find_number(reader, project_id, name, selector)
    version = versions.find_version(reader, project_id, name, number)
    if version is not None:
        return version
    latest = versions.find_latest_version(reader, project_id, name)
    there = f"no version {number}; latest is {latest}" if latest else "no versions"
    raise NotFound(
        f"model `{name}` has {there}", hint=f"paddock models show {name}", model=name, version=number
    )


def check_model(reader: Reader, project_id: ProjectId, name: str) -> None:
    """Raise NotFound, with the nearest name there is, when no model has this one."""
    if models.has_model(reader, project_id, name):
        return
    match = nearest(name, models.list_names(reader, project_id))
    hint = f"did you mean `{match}`" if match else "paddock models list"
    raise NotFound(f"there is no model `{name}`", hint=hint, model=name)


def require_model(reader: Reader, project_id: ProjectId, name: str) -> models.ModelRow:
    """Return a model, or raise NotFound in the words that clients of MLflow know."""
    row = models.find_model(reader, project_id, name)
    if row is None:
        raise NotFound(f"Registered Model with name={name} not found", model=name)
    return row


def require_version(reader: Reader, project_id: ProjectId, name: str, number: int) -> ModelVersion:
    """Return a version by number, or raise NotFound in the words that clients of MLflow know."""
    version = versions.find_version(reader, project_id, name, number)
    if version is None:
        raise NotFound(f"Model Version (name={name}, version={number}) not found", model=name, version=number)
    return version


def _find_number(reader: Reader, project_id: ProjectId, name: str, selector: str) -> int:
    latest = versions.find_latest_version(reader, project_id, name)
    if not selector:
        return latest
    if selector.isdecimal():
        return parse_version("model", selector)
    pointing = aliases.find_aliases(reader, project_id, name)
    if selector in pointing:
        return pointing[selector]
    if selector[0].isdigit():
        return parse_version("model", selector)
    alias = rules.parse_alias(selector, also=pointing)
    hint = f"paddock models promote {name}@{latest} {alias}" if latest else f"paddock models show {name}"
    raise NotFound(f"model `{name}` has no {alias}", hint=hint, model=name)
