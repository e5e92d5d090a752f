"""What the ledger is told of a registry; the subject is always `model:<name>`."""

from collections.abc import Mapping
from datetime import datetime

from paddock.kernel.refs import Actor
from paddock.metadata import Json, NewEvent
from paddock.registry.records import AliasChange, ModelVersion


def version_event(
    actor: Actor, kind: str, version: ModelVersion, data: Mapping[str, Json], at: datetime
) -> NewEvent:
    """Tell of something that happened to one version."""
    return NewEvent(
        project_id=actor.project_id,
        principal=actor.principal,
        kind=kind,
        subject=f"model:{version.name}",
        event_time=at,
        data={"version": version.version, **data},
    )


def registration_data(version: ModelVersion) -> Mapping[str, Json]:
    return {
        "package_digest": version.package_digest,
        "run_id": version.run_id,
        "refit_of": version.refit_of,
        "report_id": version.report_id,
        "datasets": [str(dataset) for dataset in version.datasets],
    }


def move_event(actor: Actor, move: AliasChange) -> NewEvent:
    """Tell of a moved alias: `model.promoted`, `model.rolled_back`, or `alias.moved` for a challenger."""
    kind = "alias.moved" if move.alias != "champion" else f"model.{move.kind}"
    return NewEvent(
        project_id=actor.project_id,
        principal=actor.principal,
        kind=kind,
        subject=f"model:{move.name}",
        event_time=move.at,
        data={
            "alias": move.alias,
            "sequence": move.sequence,
            "change": move.kind,
            "from_version": move.from_version,
            "to_version": move.to_version,
            "reason": move.reason,
            "report_id": move.report_id,
            "way_back": move.way_back,
        },
    )
