"""Declaring endpoints and setting what they serve."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from paddock.kernel.clock import Clock
from paddock.kernel.digest import Digest, digest_bytes
from paddock.kernel.errors import InvalidInput, NotFound
from paddock.kernel.names import check_name, nearest
from paddock.kernel.refs import Actor, ProjectId, parse_ref
from paddock.metadata import Json, Metadata, NewEvent, Reader, Transaction, once_for
from paddock.serving import rules, sql
from paddock.serving.records import Endpoint, EndpointSpec, Revision, Route


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The endpoints of one project."""

    metadata: Metadata
    clock: Clock
    actor: Actor

    def declare(self, name: str, spec: EndpointSpec, *, key: str = "") -> Endpoint:
        """Create an endpoint, or give an existing one a new spec; its salt and traffic stay.

        Raises InvalidInput with every fault of the spec. Event `endpoint.declared` when it changed.
        """

        def change(tx: Transaction) -> Endpoint:
            known = sql.find_endpoint(tx, project_id, name)
            if known is not None and known.spec == spec:
                return known
            if known is None:
                sql.insert_endpoint(tx, project_id, draft)
            else:
                sql.set_spec(tx, project_id, name, spec)
            tx.append_event(self._event("endpoint.declared", name, {"model": spec.model}, now))
            return msgspec.structs.replace(known, spec=spec) if known else draft

        check_name("endpoint", name)
        parse_ref("model", spec.model)
        faults = rules.check_spec(spec)
        if faults:
            raise InvalidInput(f"endpoint `{name}` is declared wrongly: {'; '.join(faults)}", problems=faults)
        project_id, now = self.actor.project_id, self.clock.now()
        salt = digest_bytes(f"{project_id}/{name}".encode())[:32]
        draft = Endpoint(name, spec, salt, self.actor.principal, now)
        return self.metadata.write(change, once=once_for(self.actor, key, ("declare", name, spec), Endpoint))

    def set_traffic(
        self,
        name: str,
        routes: tuple[Route, ...],
        *,
        packages: Mapping[int, Digest],
        shadow_version: int = 0,
        reason: str,
        key: str = "",
    ) -> Revision:
        """Make a new revision of what the endpoint serves; the same traffic again makes none.

        routes: the first one is the champion, weights add up to 1. packages: the registered digest of
        every version named; others are left out. reason: in words, for the history.
        Whether a version may be served is for the caller to decide. Raises NotFound for an endpoint
        there is not, InvalidInput with every fault of the split. Event `endpoint.traffic_set`.
        """

        def change(tx: Transaction) -> Revision:
            endpoint = _get_endpoint(tx, project_id, name)
            newest = sql.list_revisions(tx, project_id, name, 1)
            config = rules.plan_config(
                endpoint, routes, shadow_version, packages, newest[0].number + 1 if newest else 1
            )
            faults = rules.check_config(config)
            if faults:
                raise InvalidInput(
                    f"endpoint `{name}` cannot serve this: {'; '.join(faults)}", problems=faults
                )
            if newest and rules.is_same_traffic(newest[0].config, config):
                return newest[0]
            revision = Revision(config.generation, config, reason, self.actor.principal, now)
            sql.insert_revision(tx, project_id, revision)
            data: dict[str, Json] = {
                "revision": revision.number,
                "traffic": rules.describe_traffic(config),
                "routes": {str(route.version): route.weight for route in routes},
                "shadow_version": shadow_version,
                "reason": reason,
            }
            tx.append_event(self._event("endpoint.traffic_set", name, data, now))
            return revision

        project_id, now = self.actor.project_id, self.clock.now()
        request = ("set_traffic", name, routes, sorted(packages.items()), shadow_version, reason)
        return self.metadata.write(change, once=once_for(self.actor, key, request, Revision))

    def get_endpoint(self, name: str) -> Endpoint:
        """Return a declared endpoint, or raise NotFound with the nearest name."""
        return self.metadata.read(lambda reader: _get_endpoint(reader, self.actor.project_id, name))

    def list_endpoints(self) -> tuple[Endpoint, ...]:
        return self.metadata.read(lambda reader: sql.list_endpoints(reader, self.actor.project_id))

    def current(self, name: str) -> Revision:
        """Return what the endpoint is meant to serve now; NotFound while that is nothing."""
        revision = self.find_current(name)
        if revision is None:
            raise NotFound(
                f"endpoint `{self.get_endpoint(name).name}` serves nothing yet", hint="set its traffic"
            )
        return revision

    def find_current(self, name: str) -> Revision | None:
        """Return the newest revision, None while nothing is served."""
        newest = self.history(name, limit=1)
        return newest[0] if newest else None

    def history(self, name: str, *, limit: int = 100) -> tuple[Revision, ...]:
        """Return the newest revisions, newest first."""
        return self.metadata.read(
            lambda reader: sql.list_revisions(reader, self.actor.project_id, name, limit)
        )

    def _event(self, kind: str, name: str, data: Mapping[str, Json], at: datetime) -> NewEvent:
        actor = self.actor
        return NewEvent(actor.project_id, actor.principal, kind, f"endpoint:{name}", at, data)


def _get_endpoint(reader: Reader, project_id: ProjectId, name: str) -> Endpoint:
    endpoint = sql.find_endpoint(reader, project_id, name)
    if endpoint is not None:
        return endpoint
    match = nearest(name, [one.name for one in sql.list_endpoints(reader, project_id)])
    raise NotFound(
        f"there is no endpoint `{name[:80]}`{f'; the nearest is `{match}`' if match else ''}",
        hint="declare it as [endpoint.NAME] in paddock.toml",
    )
