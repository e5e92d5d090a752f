"""Endpoints in the store: declared, changed, and remembered."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paddock.kernel.clock import SimulatedClock
from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import IdempotencyConflict, InvalidInput, NotFound
from paddock.kernel.refs import Actor, ProjectId
from paddock.metadata import Metadata, open_metadata
from paddock.serving import Endpoints, EndpointSpec, RolloutSpec, Route

START = datetime(2013, 4, 1, tzinfo=UTC)
PACKAGES = {version: digest_bytes(f"package {version}".encode()) for version in (1, 2, 3)}
ANN = Actor(ProjectId("default"), "ann")


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


@pytest.fixture
def metadata(tmp_path: Path, clock: SimulatedClock) -> Iterator[Metadata]:
    store = open_metadata(str(tmp_path), clock=clock, write_queue_size=100, busy_timeout_s=5.0)
    yield store
    store.close()


@pytest.fixture
def endpoints(metadata: Metadata, clock: SimulatedClock) -> Endpoints:
    return Endpoints(metadata, clock, ANN)


def test_declared_endpoint_is_found(endpoints):
    """What was declared is read back, with a salt of its own."""
    declared = endpoints.declare("delay", EndpointSpec("delay@champion"))

    assert endpoints.get_endpoint("delay") == declared
    assert endpoints.list_endpoints() == (declared,)
    assert (declared.principal, declared.created_at, len(declared.salt)) == ("ann", START, 32)


def test_declaring_again_keeps_the_salt(endpoints, metadata):
    """A new spec changes no routing; the same spec again changes nothing at all."""
    first = endpoints.declare("delay", EndpointSpec("delay@champion"))
    changed = endpoints.declare("delay", EndpointSpec("delay@champion", RolloutSpec(shadow_rows=5)))
    endpoints.declare("delay", EndpointSpec("delay@champion", RolloutSpec(shadow_rows=5)))

    assert (changed.salt, changed.spec.rollout.shadow_rows) == (first.salt, 5)
    assert len(metadata.events("default", kind="endpoint.declared")) == 2


def test_faulty_spec_is_refused(endpoints):
    """Every fault of a spec is reported together, and nothing is declared."""
    with pytest.raises(InvalidInput) as caught:
        endpoints.declare("delay", EndpointSpec("delay", RolloutSpec(hold_rows=-1, hold_at_least="x")))

    assert len(caught.value.problems) == 2
    assert endpoints.list_endpoints() == ()


def test_traffic_is_a_numbered_revision_with_an_event(endpoints, metadata, clock):
    """Each change has a number, a reason, who and when; the event stands in the same transaction."""
    endpoints.declare("delay", EndpointSpec("delay@champion"))
    endpoints.set_traffic("delay", (Route(1, 1.0),), packages=PACKAGES, reason="first release")
    clock.move_to(datetime(2013, 5, 1, tzinfo=UTC))

    second = endpoints.set_traffic(
        "delay", (Route(1, 0.95), Route(2, 0.05)), packages=PACKAGES, shadow_version=3, reason="canary"
    )

    assert endpoints.current("delay") == second
    assert [revision.number for revision in endpoints.history("delay")] == [2, 1]
    assert (second.config.generation, second.config.champion_version, second.config.model) == (2, 1, "delay")
    assert second.config.packages == PACKAGES
    event = metadata.latest_events("default", kind="endpoint.traffic_set")[0]
    assert event.subject == "endpoint:delay"
    assert event.data["traffic"] == "version 1 answers 95%, version 2 answers 5%, version 3 in shadow"


def test_only_needed_packages_are_kept(endpoints):
    """A config names the packages of its own versions and no others."""
    endpoints.declare("delay", EndpointSpec("delay@champion"))

    revision = endpoints.set_traffic("delay", (Route(2, 1.0),), packages=PACKAGES, reason="x")

    assert set(revision.config.packages) == {2}


def test_same_traffic_makes_no_revision(endpoints):
    """Setting what is set already is no change."""
    endpoints.declare("delay", EndpointSpec("delay@champion"))
    first = endpoints.set_traffic("delay", (Route(1, 1.0),), packages=PACKAGES, reason="x")

    assert endpoints.set_traffic("delay", (Route(1, 1.0),), packages=PACKAGES, reason="again") == first
    assert len(endpoints.history("delay")) == 1


def test_key_makes_traffic_idempotent(endpoints):
    """The same key gives the same revision, even after another one; for other traffic it is a conflict."""
    endpoints.declare("delay", EndpointSpec("delay@champion"))
    first = endpoints.set_traffic("delay", (Route(1, 1.0),), packages=PACKAGES, reason="x", key="k")
    endpoints.set_traffic("delay", (Route(2, 1.0),), packages=PACKAGES, reason="y")

    again = endpoints.set_traffic("delay", (Route(1, 1.0),), packages=PACKAGES, reason="x", key="k")

    assert again == first
    with pytest.raises(IdempotencyConflict):
        endpoints.set_traffic("delay", (Route(3, 1.0),), packages=PACKAGES, reason="x", key="k")


def test_faulty_traffic_is_refused(endpoints):
    """A split that cannot be served is no revision."""
    endpoints.declare("delay", EndpointSpec("delay@champion"))

    with pytest.raises(InvalidInput, match=r"add up to 0\.5 instead of 1; version 7 has no package"):
        endpoints.set_traffic("delay", (Route(7, 0.5),), packages=PACKAGES, reason="x")

    assert endpoints.find_current("delay") is None


def test_unknown_endpoint_names_the_nearest(endpoints):
    """A misspelt endpoint is not found, and the right one is named."""
    endpoints.declare("delay", EndpointSpec("delay@champion"))

    with pytest.raises(NotFound, match="no endpoint `deley`; the nearest is `delay`"):
        endpoints.set_traffic("deley", (Route(1, 1.0),), packages=PACKAGES, reason="x")
    with pytest.raises(NotFound, match="serves nothing yet"):
        endpoints.current("delay")


def test_other_projects_are_not_seen(endpoints, metadata, clock):
    """An endpoint belongs to its project."""
    endpoints.declare("delay", EndpointSpec("delay@champion"))

    other = Endpoints(metadata, clock, Actor(ProjectId("other"), "bob"))

    assert other.list_endpoints() == ()
