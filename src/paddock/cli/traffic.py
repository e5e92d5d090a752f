"""Traffic of gateways that another process runs: by the files in their state folders."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from paddock.kernel.clock import monotonic_s
from paddock.kernel.errors import Unavailable
from paddock.kernel.refs import ModelVersionRef
from paddock.serving import GatewayState, Route, publish

if TYPE_CHECKING:
    from paddock.app import App
    from paddock.automation import Traffic

_APPLIED_S = 60.0
_POLL_S = 0.1


class _Address(msgspec.Struct):
    url: str


class _Status(msgspec.Struct):
    generation: int = 0


@dataclass(frozen=True, slots=True)
class FolderTraffic:
    """Publishes a revision, then waits until a gateway that is up answers by it."""

    app: App

    def apply(self, endpoint: str, model: str, traffic: Traffic, *, reason: str) -> None:
        """Set the traffic; a gateway that is down takes it up when it starts."""
        routes = [Route(traffic.champion, 1.0 - traffic.weight)]
        if traffic.weight:
            routes.append(Route(traffic.candidate, traffic.weight))
        named = {route.version for route in routes} | ({traffic.shadow} - {0})
        packages = {
            each: self.app.registry.get(ModelVersionRef(model, each)).package_digest for each in sorted(named)
        }
        revision = self.app.endpoints.set_traffic(
            endpoint, tuple(routes), packages=packages, shadow_version=traffic.shadow, reason=reason
        )
        state = GatewayState(self.app.gateway_folder(endpoint))
        publish(state, revision.config, self.app.objects)
        wait_applied(state, revision.number)


def wait_applied(state: GatewayState, generation: int, timeout_s: float = _APPLIED_S) -> None:
    """Return when the gateway of `state` answers by `generation`, or when none is up."""
    deadline = monotonic_s() + timeout_s
    while monotonic_s() < deadline:
        applied = _ask_generation(state)
        if applied < 0 or applied >= generation:
            return
        time.sleep(_POLL_S)
    raise Unavailable(f"the gateway in `{state.folder.name}` did not take over generation {generation}")


def _ask_generation(state: GatewayState) -> int:
    """Return what the gateway has applied, -1 when none is up."""
    try:
        address = msgspec.json.decode(state.address_path.read_bytes(), type=_Address)
        connection = http.client.HTTPConnection(address.url.removeprefix("http://"), timeout=5.0)
        try:
            connection.request("GET", "/status")
            return msgspec.json.decode(connection.getresponse().read(), type=_Status).generation
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return -1
