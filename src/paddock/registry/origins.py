"""What the source of a version leads to, by rows alone: runs, logged models and other versions."""

from dataclasses import dataclass

from paddock.kernel.errors import InvalidInput, NotFound
from paddock.kernel.refs import ProjectId
from paddock.metadata import Reader
from paddock.registry import naming, rules
from paddock.registry.finding import require_model, require_version
from paddock.registry.records import STAGES, ModelVersion, is_prompt
from paddock.registry.sources import Source, is_among, is_reachable, parse_source, refuse
from paddock.registry.sql import aliases, models, versions
from paddock.tracking import find_model_root, find_run_root


@dataclass(frozen=True, slots=True)
class Origin:
    """What is kept of a source. origin: see ModelVersion."""

    source: str
    origin: str
    run_id: str
    model_id: str


def resolve_source(reader: Reader, project_id: ProjectId, text: str, *, run_id: str, model_id: str) -> Origin:
    """Return what a version with this source is to keep; InvalidInput for one it may not have."""
    source = parse_source(text)
    if source.kind == "logged_model":
        return _of_logged_model(reader, project_id, source, run_id, model_id)
    if source.kind == "version":
        return _of_version(reader, project_id, source, run_id, model_id)
    if source.kind == "run":
        _check_run(reader, project_id, source, run_id)
        if model_id:
            raise _not_identified(text, "model_id")
        return Origin(text, text, source.owner, "")
    _check_files(reader, project_id, text, run_id, model_id)
    made_by = find_model_root(reader, project_id, model_id) if model_id else None
    return Origin(text, text, run_id or (made_by.run_id if made_by else ""), model_id)


def find_address(reader: Reader, project_id: ProjectId, version: ModelVersion) -> str:
    """Return where a client finds the files of a version without a package.

    Raises InvalidInput for a source that the rules do not take, or no longer do, however it came into a row.
    """
    text = version.origin
    source = parse_source(text)
    if source.kind == "logged_model":
        root = find_model_root(reader, project_id, source.owner)
        if root is None:
            raise NotFound(f"Logged model with ID '{source.owner}' not found.", model_id=source.owner)
        return root.uri if is_reachable(root.uri) else text
    if source.kind == "run":
        _check_run(reader, project_id, source, source.owner)
    elif source.kind == "files":
        _check_files(reader, project_id, text, version.run_id, version.model_id)
    else:
        raise refuse(text, "A version keeps the source that it was copied from")
    return text


def _of_logged_model(
    reader: Reader, project_id: ProjectId, source: Source, run_id: str, model_id: str
) -> Origin:
    root = find_model_root(reader, project_id, source.owner)
    if root is None or model_id not in ("", source.owner):
        raise _not_identified(source.text, "model_id")
    return Origin(source.text, source.text, run_id or root.run_id, source.owner)


def _of_version(reader: Reader, project_id: ProjectId, source: Source, run_id: str, model_id: str) -> Origin:
    copied = _find_copied(reader, project_id, source)
    if copied.has_package:
        words = f"{copied.ref} has a package; register the package itself under the other name"
        raise refuse(source.text, words)
    if run_id not in ("", copied.run_id) or model_id not in ("", copied.model_id):
        words = "The run_id and model_id request parameters must match the referenced model version."
        raise refuse(source.text, words)
    exact = f"models:/{copied.name}/{copied.version}"
    return Origin(exact, copied.origin, copied.run_id, copied.model_id)


def _find_copied(reader: Reader, project_id: ProjectId, source: Source) -> ModelVersion:
    name, selector = source.owner, source.rest
    require_model(reader, project_id, name)
    if is_prompt(models.get_tags(reader, project_id, [name]).get(name, {})):
        raise refuse(source.text, "Prompt versions cannot be used as model version sources.")
    if selector.startswith("@"):
        number = aliases.find_aliases(reader, project_id, name).get(selector[1:], 0)
    elif selector.lower() == "latest":
        number = versions.find_latest_version(reader, project_id, name)
    elif selector.isdecimal():
        number = naming.parse_number(selector)
    elif selector.lower() in (stage.lower() for stage in STAGES):
        stage = naming.parse_stage(selector)
        found = rules.newest_by_stage(versions.list_latest(reader, project_id, [name])).get(name, ())
        number = next((each.version for each in found if each.shown_stage == stage), 0)
    else:
        number = 0
    if not number:
        raise refuse(source.text, f"Registered Model with name={name} has no such version")
    return require_version(reader, project_id, name, number)


def _check_run(reader: Reader, project_id: ProjectId, source: Source, run_id: str) -> None:
    if run_id not in ("", source.owner) or find_run_root(reader, project_id, source.owner) is None:
        raise _not_identified(source.text, "run_id")


def _check_files(reader: Reader, project_id: ProjectId, text: str, run_id: str, model_id: str) -> None:
    """Raise InvalidInput unless `text` lies below the files of the logged model or run that is named."""
    roots = [find_model_root(reader, project_id, model_id)] if model_id else []
    if run_id and not roots:
        roots.append(find_run_root(reader, project_id, run_id))
    if not any(root is not None and is_among(text, root.uri, root.location) for root in roots):
        raise _not_identified(text, "model_id" if model_id else "run_id")


def _not_identified(text: str, parameter: str) -> InvalidInput:
    return refuse(
        text, f"The {parameter} request parameter must identify the resource that contains the source."
    )
