"""What the ledger is told of a registry; the subject is always `model:<name>`."""

from collections.abc import Mapping
from datetime import datetime

from paddock.kernel.refs import Actor
from paddock.metadata import Json, NewEvent
from paddock.registry.records import AliasChange, ModelVersion, is_prompt


def model_event(actor: Actor, kind: str, name: str, data: Mapping[str, Json], at: datetime) -> NewEvent:
    """Tell of something that happened to a model."""
    return NewEvent(
        project_id=actor.project_id,
        principal=actor.principal,
        kind=kind,
        subject=f"model:{name}",
        event_time=at,
        data=data,
    )


def created_event(
    actor: Actor, name: str, description: str, tags: Mapping[str, str], at: datetime
) -> NewEvent:
    """Tell that a model came into being, by itself or with its first version."""
    data: dict[str, Json] = {"description": description, "tags": tags, "is_prompt": is_prompt(tags)}
    return model_event(actor, "model.created", name, data, at)


def version_event(
    actor: Actor, kind: str, version: ModelVersion, data: Mapping[str, Json], at: datetime
) -> NewEvent:
    """Tell of something that happened to one version."""
    return model_event(actor, kind, version.name, {"version": version.version, **data}, at)


def registration_data(version: ModelVersion) -> Mapping[str, Json]:
    """Return what `model.registered` tells; package_digest is empty for a version without a package."""
    return {
        "package_digest": version.package_digest,
        "run_id": version.run_id,
        "refit_of": version.refit_of,
        "report_id": version.report_id,
        "datasets": [str(dataset) for dataset in version.datasets],
        "source": version.source_uri,
        "model_id": version.model_id,
        "description": version.description,
        "tags": version.tags,
        "is_prompt": is_prompt(version.tags),
    }


def move_event(actor: Actor, move: AliasChange) -> NewEvent:
    """Tell of a moved alias: `model.promoted`, `model.rolled_back`, or `alias.moved` for a challenger."""
    kind = "alias.moved" if move.alias != "champion" else f"model.{move.kind}"
    return model_event(actor, kind, move.name, _move_data(move), move.at)


def alias_event(actor: Actor, move: AliasChange, *, of_prompt: bool) -> NewEvent:
    """Tell of an alias that no gate guards: `model.alias_set` or `model.alias_deleted`."""
    kind = "model.alias_set" if move.to_version else "model.alias_deleted"
    version = move.to_version or move.from_version
    data = {"version": version, "is_prompt": of_prompt, **_move_data(move)}
    return model_event(actor, kind, move.name, data, move.at)


def _move_data(move: AliasChange) -> dict[str, Json]:
    return {
        "alias": move.alias,
        "sequence": move.sequence,
        "change": move.kind,
        "from_version": move.from_version,
        "to_version": move.to_version,
        "reason": move.reason,
        "report_id": move.report_id,
        "way_back": move.way_back,
    }
