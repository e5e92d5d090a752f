"""Which traffic splits are allowed, and which version a row goes to."""

from collections.abc import Mapping, Sequence

from blake3 import blake3
from msgspec.structs import replace

from paddock.kernel.digest import Digest
from paddock.kernel.durations import is_duration, parse_duration
from paddock.kernel.refs import parse_ref
from paddock.serving.records import Endpoint, EndpointConfig, EndpointSpec, RolloutSpec, Route

_WEIGHT_ERROR = 1e-9


def check_spec(spec: EndpointSpec) -> tuple[str, ...]:
    """Return every fault of a declared endpoint; empty when there is none.

    >>> check_spec(EndpointSpec("delay@champion"))
    ()
    """
    rollout = spec.rollout
    faults = [
        f"`{name}` is {value}, but must not be negative"
        for name, value in (
            ("shadow_rows", rollout.shadow_rows),
            ("hold_rows", rollout.hold_rows),
            ("labelled_rows", rollout.labelled_rows),
        )
        if value < 0
    ]
    if any(not 0 < share < 1 for share in rollout.canary):
        faults.append("the shares in `canary` must lie between 0 and 1")
    if list(rollout.canary) != sorted(set(rollout.canary)):
        faults.append("the shares in `canary` must rise")
    return (*faults, *_check_times(rollout))


def _check_times(rollout: RolloutSpec) -> tuple[str, ...]:
    times = (("hold_at_least", rollout.hold_at_least, "1h"), ("give_up_after", rollout.give_up_after, "30d"))
    faults = tuple(
        f"`{name}` is `{value}`, but must be a duration such as `{example}`"
        for name, value, example in times
        if not is_duration(value)
    )
    if faults or parse_duration(rollout.give_up_after) > parse_duration(rollout.hold_at_least):
        return faults
    return (
        f"`give_up_after` is `{rollout.give_up_after}`, but must be longer than `hold_at_least`, "
        f"which is `{rollout.hold_at_least}`",
    )


def check_config(config: EndpointConfig) -> tuple[str, ...]:
    """Return every fault of what is to be served; empty when a gateway may try it.

    >>> check_config(EndpointConfig("delay", 1, "delay", "salt", (Route(1, 0.9),), {}))
    ('the weights of the routes add up to 0.9 instead of 1', 'version 1 has no package digest')
    """
    faults = []
    versions = [route.version for route in config.routes]
    if not versions:
        faults.append("there is no route")
    if len(set(versions)) < len(versions):
        faults.append("a version has two routes")
    if config.shadow_version in versions:
        faults.append(f"version {config.shadow_version} is a route and the shadow at once")
    if any(not 0 <= route.weight <= 1 for route in config.routes):
        faults.append("the weight of a route must lie between 0 and 1")
    total = sum(route.weight for route in config.routes)
    if versions and abs(total - 1) > _WEIGHT_ERROR:
        faults.append(f"the weights of the routes add up to {total:g} instead of 1")
    named = [*versions, *([config.shadow_version] if config.shadow_version else [])]
    faults += [
        f"version {version} has no package digest" for version in named if version not in config.packages
    ]
    return tuple(faults)


def plan_config(
    endpoint: Endpoint,
    routes: tuple[Route, ...],
    shadow_version: int,
    packages: Mapping[int, Digest],
    generation: int,
) -> EndpointConfig:
    """Return the config of a new generation, with the packages it needs and no others."""
    named = {route.version for route in routes} | {shadow_version}
    return EndpointConfig(
        endpoint=endpoint.name,
        generation=generation,
        model=parse_ref("model", endpoint.spec.model)[0],
        salt=endpoint.salt,
        routes=routes,
        packages={version: packages[version] for version in sorted(named) if version in packages},
        shadow_version=shadow_version,
    )


def is_same_traffic(one: EndpointConfig, other: EndpointConfig) -> bool:
    """Return whether two configs differ by their generation at most."""
    return replace(one, generation=other.generation) == other


def describe_traffic(config: EndpointConfig) -> str:
    """Return the split in words.

    >>> describe_traffic(EndpointConfig("e", 1, "m", "s", (Route(1, 0.95), Route(2, 0.05)), {}, 3))
    'version 1 answers 95%, version 2 answers 5%, version 3 in shadow'
    """
    words = [f"version {route.version} answers {100 * route.weight:g}%" for route in config.routes]
    if config.shadow_version:
        words.append(f"version {config.shadow_version} in shadow")
    return ", ".join(words)


def route_point(salt: str, key: str) -> float:
    """Return where a routing key falls in [0, 1), evenly and always the same.

    >>> round(route_point("salt", "flight-1"), 6) == round(route_point("salt", "flight-1"), 6)
    True
    """
    return int.from_bytes(blake3(f"{salt}\0{key}".encode()).digest(6)) / 2**48


def pick_version(routes: Sequence[Route], point: float) -> int:
    """Return the version that answers a row whose key falls at `point`.

    Canaries lie at the low end, the champion (the first route) takes the rest: when a canary's share
    grows, the rows it answered before stay with it.

    >>> [pick_version((Route(1, 0.75), Route(2, 0.25)), point) for point in (0.1, 0.25, 0.9)]
    [2, 1, 1]
    """
    reached = 0.0
    for route in routes[1:]:
        reached += route.weight
        if point < reached:
            return route.version
    return routes[0].version
