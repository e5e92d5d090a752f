"""The HTTP server of the control plane: one router for the API and the pages.

- Every route is made from a RouteSpec with a permission; anything else stops the start.
- Host, path and origin are checked before routing, on every request and every method.
- Processes that are no server answer `/health` and `/metrics` in the same way.
- It listens on loopback only, and everything a client can make large is bounded.
- Errors are problem+json with a request id, for a browser a page; a fault of ours never shows its trace.
"""

from paddock.server.building import all_specs, build_application, default_faces
from paddock.server.limits import ServerLimits, limits_of
from paddock.server.loop_metrics import LoopMetrics
from paddock.server.openapi import describe_api
from paddock.server.routing import UndeclaredRoute, check_router, check_specs
from paddock.server.running import run_server
from paddock.server.status_listener import serve_status
from paddock.serving import PortInUse, bind_loopback, check_loopback

__all__ = [
    "LoopMetrics",
    "PortInUse",
    "ServerLimits",
    "UndeclaredRoute",
    "all_specs",
    "bind_loopback",
    "build_application",
    "check_loopback",
    "check_router",
    "check_specs",
    "default_faces",
    "describe_api",
    "limits_of",
    "run_server",
    "serve_status",
]
