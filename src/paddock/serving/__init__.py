"""Endpoints: what serves which share of the traffic, and the gateway processes that do it.

- What an endpoint serves changes only by a numbered revision, with an event in the same transaction.
- A gateway works from its state folder; `publish` puts packages there first, the config last.
- Names are loaded at first use, so that the gateway process never imports the metadata store.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddock.serving.ports import PortInUse, bind_loopback, check_loopback, url_of
    from paddock.serving.publishing import publish
    from paddock.serving.records import (
        Endpoint,
        EndpointConfig,
        EndpointSpec,
        Revision,
        RolloutSpec,
        Route,
    )
    from paddock.serving.rules import check_config, check_spec, pick_version, route_point
    from paddock.serving.service import Endpoints
    from paddock.serving.state import GatewayState, read_config
    from paddock.serving.supervisor import (
        GatewayOptions,
        GatewayProcess,
        GatewaySupervisor,
        start_gateway,
    )

_HOMES = {
    "ports": ("PortInUse", "bind_loopback", "check_loopback", "url_of"),
    "publishing": ("publish",),
    "records": ("Endpoint", "EndpointConfig", "EndpointSpec", "Revision", "RolloutSpec", "Route"),
    "rules": ("check_config", "check_spec", "pick_version", "route_point"),
    "service": ("Endpoints",),
    "state": ("GatewayState", "read_config"),
    "supervisor": ("GatewayOptions", "GatewayProcess", "GatewaySupervisor", "start_gateway"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Endpoint",
    "EndpointConfig",
    "EndpointSpec",
    "Endpoints",
    "GatewayOptions",
    "GatewayProcess",
    "GatewayState",
    "GatewaySupervisor",
    "PortInUse",
    "Revision",
    "RolloutSpec",
    "Route",
    "bind_loopback",
    "check_config",
    "check_loopback",
    "check_spec",
    "pick_version",
    "publish",
    "read_config",
    "route_point",
    "start_gateway",
    "url_of",
]


def __getattr__(name: str) -> object:
    if name in _HOME_OF:
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
