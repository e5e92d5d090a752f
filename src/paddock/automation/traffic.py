"""Traffic moved on real gateways: a revision in the store, then a config in the gateway's folder.

A gateway is never without an answer: it loads and tries a new version before it lets go of the old.
"""

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from paddock.automation.ports import Traffic
from paddock.kernel.clock import monotonic_s
from paddock.kernel.errors import Unavailable, VerificationFailed
from paddock.kernel.refs import ModelVersionRef
from paddock.objects import ObjectStore
from paddock.registry import Registry
from paddock.serving import Endpoints, GatewayState, GatewaySupervisor, Revision, Route, publish

_APPLIED_S = 60.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class TrafficStore:
    """Writes what an endpoint shall serve, where every gateway of it will find it."""

    endpoints: Endpoints
    registry: Registry
    objects: ObjectStore

    def set(
        self, endpoint: str, model: str, traffic: Traffic, state: GatewayState, *, reason: str
    ) -> Revision:
        """Make a revision, unless the newest one says the same, and publish it to the folder `state`."""
        routes = [Route(traffic.champion, 1.0 - traffic.weight)]
        if traffic.weight:
            routes.append(Route(traffic.candidate, traffic.weight))
        versions = {route.version for route in routes} | ({traffic.shadow} - {0})
        packages = {
            version: self.registry.get(ModelVersionRef(model, version)).package_digest
            for version in sorted(versions)
        }
        revision = self.endpoints.set_traffic(
            endpoint, tuple(routes), packages=packages, shadow_version=traffic.shadow, reason=reason
        )
        publish(state, revision.config, self.objects)
        return revision


@dataclass(frozen=True, slots=True)
class GatewayTraffic:
    """The traffic of one endpoint whose gateway this process keeps running."""

    store: TrafficStore
    state: GatewayState
    supervisor: GatewaySupervisor
    _applied: "dict[str, _Applied]" = field(default_factory=dict, repr=False)

    def apply(self, endpoint: str, model: str, traffic: Traffic, *, reason: str) -> None:
        """Return when the gateway answers by `traffic`. Costs one read when it does already."""
        if self._answers_by(endpoint, traffic):
            return
        revision = self.store.set(endpoint, model, traffic, self.state, reason=reason)
        gateway = self.supervisor.gateway
        gateway.wait_ready(_APPLIED_S, generation=revision.number)
        self._applied[endpoint] = _Applied(gateway.pid, revision.number, traffic)

    def _answers_by(self, endpoint: str, traffic: Traffic) -> bool:
        """Tell whether this very gateway took this traffic over and the store has asked for nothing since."""
        revision = self.store.endpoints.find_current(endpoint)
        now = _Applied(self.supervisor.gateway.pid, revision.number if revision else 0, traffic)
        return self._applied.get(endpoint) == now


@dataclass(frozen=True, slots=True)
class FolderTraffic:
    """The traffic of endpoints whose gateways other processes run; folder_of: their state folders."""

    store: TrafficStore
    folder_of: Callable[[str], Path]

    def apply(self, endpoint: str, model: str, traffic: Traffic, *, reason: str) -> None:
        """Set the traffic; wait for a gateway that is up, one that is down takes it over when it starts.

        Raises as a TrafficControl does; a refusal is told in the gateway's own words.
        """
        state = GatewayState(self.folder_of(endpoint))
        revision = self.store.set(endpoint, model, traffic, state, reason=reason)
        deadline = monotonic_s() + _APPLIED_S
        while monotonic_s() < deadline:
            status = _ask_status(state)
            if status is None or status.generation >= revision.number:
                return
            if status.refused_generation >= revision.number:
                raise VerificationFailed(
                    status.refusal, hint=f"see {state.report_path}", generation=status.refused_generation
                )
            time.sleep(_POLL_S)
        raise Unavailable(f"the gateway of `{endpoint}` did not take over revision {revision.number}")


@dataclass(frozen=True, slots=True)
class _Applied:
    pid: int
    revision: int
    traffic: Traffic


class _Address(msgspec.Struct):
    url: str


class _Status(msgspec.Struct):
    """What is read of a gateway's /status."""

    generation: int = 0
    refused_generation: int = 0
    refusal: str = ""


def _ask_status(state: GatewayState) -> _Status | None:
    """Return what the gateway has applied and refused, None when none is up."""
    try:
        address = msgspec.json.decode(state.address_path.read_bytes(), type=_Address)
        connection = http.client.HTTPConnection(address.url.removeprefix("http://"), timeout=5.0)
        try:
            connection.request("GET", "/status")
            return msgspec.json.decode(connection.getresponse().read(), type=_Status)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return None
