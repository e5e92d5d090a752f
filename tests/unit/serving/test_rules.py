"""Traffic splits: which are allowed, and where a row goes."""

import msgspec
import pytest

from paddock.kernel.digest import digest_bytes
from paddock.serving import (
    EndpointConfig,
    EndpointSpec,
    RolloutSpec,
    Route,
    check_config,
    check_spec,
    pick_version,
    route_point,
)

DIGEST = digest_bytes(b"package")


def config(**changes: object) -> EndpointConfig:
    good = EndpointConfig(
        "e", 1, "m", "salt", (Route(1, 0.9), Route(2, 0.1)), {1: DIGEST, 2: DIGEST, 3: DIGEST}
    )
    return msgspec.structs.replace(good, **changes)


FAULTS = [
    ({"routes": ()}, "there is no route"),
    ({"routes": (Route(1, 0.5),)}, "add up to 0.5 instead of 1"),
    ({"routes": (Route(1, 0.5), Route(1, 0.5))}, "a version has two routes"),
    ({"routes": (Route(1, 1.5), Route(2, -0.5))}, "must lie between 0 and 1"),
    ({"routes": (Route(4, 1.0),)}, "version 4 has no package digest"),
    ({"shadow_version": 2}, "version 2 is a route and the shadow at once"),
    ({"shadow_version": 5}, "version 5 has no package digest"),
]


@pytest.mark.parametrize(("changes", "words"), FAULTS)
def test_faulty_config_is_named(changes, words):
    """Each way in which a split cannot be served has its sentence."""
    assert any(words in fault for fault in check_config(config(**changes)))


def test_good_config_has_no_fault():
    """A champion, a canary and a shadow with packages can be served."""
    assert check_config(config(shadow_version=3)) == ()


def test_points_are_even_and_depend_on_the_salt():
    """Keys spread evenly over [0, 1), and another salt spreads them differently."""
    points = [route_point("salt", f"key-{n}") for n in range(4000)]

    counts = [sum(low / 8 <= point < (low + 1) / 8 for point in points) for low in range(8)]
    assert all(420 < count < 580 for count in counts)
    assert route_point("salt", "key-1") != route_point("other", "key-1")


@pytest.mark.parametrize("weight", [0.0, 0.05, 0.25, 0.5, 1.0])
def test_share_of_a_canary(weight):
    """A canary gets its weight, from nothing to everything."""
    routes = (Route(1, 1 - weight), Route(2, weight))

    share = sum(pick_version(routes, n / 1000) == 2 for n in range(1000)) / 1000

    assert share == pytest.approx(weight, abs=0.001)


def test_growing_canary_keeps_its_rows():
    """Whatever answered at 5% answers at 25% too."""
    small, large = (Route(1, 0.95), Route(2, 0.05)), (Route(1, 0.75), Route(2, 0.25))

    assert all(pick_version(large, n / 999) == 2 for n in range(999) if pick_version(small, n / 999) == 2)


SPECS = [
    (RolloutSpec(shadow_rows=-1), "`shadow_rows` is -1"),
    (RolloutSpec(canary=(0.25, 0.05)), "must rise"),
    (RolloutSpec(canary=(0.5, 1.0)), "between 0 and 1"),
    (RolloutSpec(hold_at_least="an hour"), "`hold_at_least` is `an hour`, but must be a duration"),
    (RolloutSpec(give_up_after="never"), "`give_up_after` is `never`, but must be a duration"),
    (RolloutSpec(hold_at_least="30d"), "`give_up_after` is `30d`, but must be longer than `hold_at_least`"),
]


@pytest.mark.parametrize(("rollout", "words"), SPECS)
def test_faulty_rollout_is_named(rollout, words):
    """A rollout that makes no sense is refused in words."""
    assert any(words in fault for fault in check_spec(EndpointSpec("m@champion", rollout)))
