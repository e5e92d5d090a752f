"""Putting a config where a gateway finds it."""

from paddock.kernel.errors import Conflict, NotFound
from paddock.models import PackageObjects, materialize_package
from paddock.serving.packages import lock_packages
from paddock.serving.records import EndpointConfig
from paddock.serving.state import GatewayState, read_config, write_config

_LOCK_S = 30.0


def publish(state: GatewayState, config: EndpointConfig, objects: PackageObjects) -> None:
    """Lay out the packages, then write `config.json`; a running gateway takes it over within moments.

    The same config again changes nothing. Raises Conflict for an older generation than the one there,
    StoreInUse when another process has been publishing to the folder for 30 s.
    """
    with lock_packages(state, _LOCK_S):
        _publish(state, config, objects)


def _publish(state: GatewayState, config: EndpointConfig, objects: PackageObjects) -> None:
    try:
        known = read_config(state.config_path)
    except NotFound:
        known = None
    if known == config:
        return
    if known is not None and known.generation >= config.generation:
        raise Conflict(
            f"endpoint `{config.endpoint}` has generation {known.generation} published already; "
            f"{config.generation} is older",
            hint="publish the current revision",
        )
    for digest in sorted(set(config.packages.values())):
        materialize_package(objects, digest, state.package_folder(digest))
    write_config(state.config_path, config)
