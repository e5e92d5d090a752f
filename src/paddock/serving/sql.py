"""Rows of endpoints and of their revisions."""

import msgspec

from paddock.kernel.clock import from_micros, to_micros
from paddock.kernel.refs import ProjectId
from paddock.metadata import Reader, Row, Transaction
from paddock.serving.records import Endpoint, EndpointConfig, EndpointSpec, Revision


def find_endpoint(reader: Reader, project_id: ProjectId, name: str) -> Endpoint | None:
    row = reader.fetch_one(
        """SELECT name, spec, salt, principal, created_at FROM endpoints
           WHERE project_id = :project_id AND name = :name""",
        {"project_id": project_id, "name": name},
    )
    return _endpoint(row) if row else None


def list_endpoints(reader: Reader, project_id: ProjectId) -> tuple[Endpoint, ...]:
    rows = reader.fetch_all(
        """SELECT name, spec, salt, principal, created_at FROM endpoints
           WHERE project_id = :project_id ORDER BY name""",
        {"project_id": project_id},
    )
    return tuple(_endpoint(row) for row in rows)


def insert_endpoint(tx: Transaction, project_id: ProjectId, endpoint: Endpoint) -> None:
    tx.execute(
        """INSERT INTO endpoints (project_id, name, spec, salt, principal, created_at)
           VALUES (:project_id, :name, :spec, :salt, :principal, :created_at)""",
        {
            "project_id": project_id,
            "name": endpoint.name,
            "spec": _json(endpoint.spec),
            "salt": endpoint.salt,
            "principal": endpoint.principal,
            "created_at": to_micros(endpoint.created_at),
        },
    )


def set_spec(tx: Transaction, project_id: ProjectId, name: str, spec: EndpointSpec) -> None:
    tx.execute(
        "UPDATE endpoints SET spec = :spec WHERE project_id = :project_id AND name = :name",
        {"project_id": project_id, "name": name, "spec": _json(spec)},
    )


def insert_revision(tx: Transaction, project_id: ProjectId, revision: Revision) -> None:
    tx.execute(
        """INSERT INTO endpoint_revisions
               (project_id, endpoint, number, config, reason, principal, created_at)
           VALUES (:project_id, :endpoint, :number, :config, :reason, :principal, :created_at)""",
        {
            "project_id": project_id,
            "endpoint": revision.config.endpoint,
            "number": revision.number,
            "config": _json(revision.config),
            "reason": revision.reason,
            "principal": revision.principal,
            "created_at": to_micros(revision.created_at),
        },
    )


def list_revisions(reader: Reader, project_id: ProjectId, name: str, limit: int) -> tuple[Revision, ...]:
    """Return the newest revisions, newest first."""
    rows = reader.fetch_all(
        """SELECT number, config, reason, principal, created_at FROM endpoint_revisions
           WHERE project_id = :project_id AND endpoint = :name ORDER BY number DESC LIMIT :limit""",
        {"project_id": project_id, "name": name, "limit": limit},
    )
    return tuple(_revision(row) for row in rows)


def _endpoint(row: Row) -> Endpoint:
    return Endpoint(
        name=str(row["name"]),
        spec=msgspec.json.decode(str(row["spec"]), type=EndpointSpec),
        salt=str(row["salt"]),
        principal=str(row["principal"]),
        created_at=from_micros(int(row["created_at"] or 0)),
    )


def _revision(row: Row) -> Revision:
    return Revision(
        number=int(row["number"] or 0),
        config=msgspec.json.decode(str(row["config"]), type=EndpointConfig),
        reason=str(row["reason"]),
        principal=str(row["principal"]),
        created_at=from_micros(int(row["created_at"] or 0)),
    )


def _json(value: EndpointSpec | EndpointConfig) -> str:
    return msgspec.json.encode(value).decode()
