"""The composition root: from settings to services, and from a declaration to the loops it asks for.

- Nothing else names adapters.
- What puts the services of several rooms together is loaded at first use: opening a store stays cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from paddock.app.project_file import list_declared, read_file_settings
from paddock.app.root import App, Store, actor_of, has_store, local_folder, open_app

if TYPE_CHECKING:
    from paddock.app.claims import Claim, claim_loop, claim_server
    from paddock.app.endpoints import EndpointKeeper, ensure_endpoint, follow_alias, gateway_options
    from paddock.app.gating import Exam, find_gates, hold_gate, read_gates, replay_golden
    from paddock.app.loops import (
        EndpointLoop,
        LoopParts,
        build_endpoint_loop,
        build_loop,
        build_trainer,
        read_declaration,
    )
    from paddock.app.releases import Release, release_of
    from paddock.app.upkeep import keep_tidy

_HOMES = {
    "claims": ("Claim", "claim_loop", "claim_server"),
    "endpoints": ("EndpointKeeper", "ensure_endpoint", "follow_alias", "gateway_options"),
    "gating": ("Exam", "find_gates", "hold_gate", "read_gates", "replay_golden"),
    "loops": (
        "EndpointLoop",
        "LoopParts",
        "build_endpoint_loop",
        "build_loop",
        "build_trainer",
        "read_declaration",
    ),
    "releases": ("Release", "release_of"),
    "upkeep": ("keep_tidy",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "App",
    "Claim",
    "EndpointKeeper",
    "EndpointLoop",
    "Exam",
    "LoopParts",
    "Release",
    "Store",
    "actor_of",
    "build_endpoint_loop",
    "build_loop",
    "build_trainer",
    "claim_loop",
    "claim_server",
    "ensure_endpoint",
    "find_gates",
    "follow_alias",
    "gateway_options",
    "has_store",
    "hold_gate",
    "keep_tidy",
    "list_declared",
    "local_folder",
    "open_app",
    "read_declaration",
    "read_file_settings",
    "read_gates",
    "release_of",
    "replay_golden",
]


def __getattr__(name: str) -> object:
    if name in _HOME_OF:
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
