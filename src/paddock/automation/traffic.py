"""Traffic moved on a real gateway."""

from dataclasses import dataclass, field

from paddock.automation.ports import Traffic
from paddock.kernel.refs import ModelVersionRef
from paddock.objects import ObjectStore
from paddock.registry import Registry
from paddock.serving import Endpoints, GatewayState, GatewaySupervisor, Route, publish

_READY_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class GatewayTraffic:
    """One endpoint's traffic: a revision in the store, a config in the gateway's folder, and the gateway.

    The gateway is never without an answer: it loads and tries a new version before it lets go of the old.
    """

    endpoints: Endpoints
    registry: Registry
    objects: ObjectStore
    state: GatewayState
    supervisor: GatewaySupervisor
    _applied: "dict[str, _Applied]" = field(default_factory=dict, repr=False)

    def apply(self, endpoint: str, model: str, traffic: Traffic, *, reason: str) -> None:
        if self._answers_by(endpoint, traffic):
            return
        routes = [Route(traffic.champion, 1.0 - traffic.weight)]
        if traffic.weight:
            routes.append(Route(traffic.candidate, traffic.weight))
        versions = {route.version for route in routes} | ({traffic.shadow} if traffic.shadow else set())
        revision = self.endpoints.set_traffic(
            endpoint,
            tuple(routes),
            packages={
                version: self.registry.get(ModelVersionRef(model, version)).package_digest
                for version in sorted(versions)
            },
            shadow_version=traffic.shadow,
            reason=reason,
        )
        publish(self.state, revision.config, self.objects)
        gateway = self.supervisor.gateway
        gateway.wait_ready(_READY_TIMEOUT_S, generation=revision.number)
        self._applied[endpoint] = _Applied(gateway.pid, revision.number, traffic)

    def _answers_by(self, endpoint: str, traffic: Traffic) -> bool:
        """Tell whether this very gateway took this traffic over and the store has asked for nothing since."""
        revision = self.endpoints.find_current(endpoint)
        now = _Applied(self.supervisor.gateway.pid, revision.number if revision else 0, traffic)
        return self._applied.get(endpoint) == now


@dataclass(frozen=True, slots=True)
class _Applied:
    pid: int
    revision: int
    traffic: Traffic
