"""The packages in a gateway's state folder: damaged ones, and those that nothing names any more."""

import os
import signal
from pathlib import Path

import msgspec
import pytest
from gateway_kit import Fleet, make_fleet, running, wait_until

from paddock.kernel.errors import VerificationFailed
from paddock.serving import GatewayOptions, GatewayState, publish, start_gateway
from paddock.serving.state import write_config

GOOD = {"carrier": ["AA"], "hour": [7], "wind": [3.5]}


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return make_fleet()


def test_version_that_cannot_be_loaded_is_refused_by_name(fleet, tmp_path):
    """Whoever waits for a damaged package is told so by the gateway itself, and the old version answers."""
    fleet.publish(tmp_path, {1: 1.0})
    model = next((tmp_path / "packages" / fleet.digests[2]).glob("model*"))
    model.write_bytes(model.read_bytes()[:-1])

    with running(tmp_path) as (gateway, client):
        write_config(GatewayState(tmp_path).config_path, fleet.config({2: 1.0}, generation=2))
        with pytest.raises(VerificationFailed, match="is not the file its manifest names"):
            gateway.wait_ready(generation=2)

        assert client.infer(GOOD).versions == [1]


def test_packages_no_config_names_are_removed(fleet, tmp_path):
    """After a changeover only the packages of what is served are left, and an older one can come back."""
    state = GatewayState(tmp_path)

    def change(version: int, generation: int) -> set[str]:
        config = fleet.config({version: 1.0}, generation=generation)
        packages = {version: fleet.digests[version]}
        publish(state, msgspec.structs.replace(config, packages=packages), fleet.objects)
        gateway.wait_ready(generation=generation)
        wait_until(lambda: laid_out(tmp_path) == {fleet.digests[version]})
        return laid_out(tmp_path)

    with start_gateway(GatewayOptions(state=tmp_path, port=0)) as gateway:
        for generation, version in enumerate((1, 2, 1), start=1):
            assert change(version, generation) == {fleet.digests[version]}
    state.config_path.unlink()

    with running(tmp_path) as (_, client):
        assert client.infer(GOOD).versions == [1]


def test_packages_stay_while_a_config_is_refused(fleet, tmp_path):
    """What the last good config needs is kept beside what the refused one names."""
    fleet.publish(tmp_path, {1: 1.0})

    with running(tmp_path) as (gateway, client):
        config = msgspec.structs.replace(fleet.config({9: 1.0}, generation=2), packages={9: fleet.digests[9]})
        publish(GatewayState(tmp_path), config, fleet.objects)
        with pytest.raises(VerificationFailed):
            gateway.wait_ready(generation=2)
        os.kill(client.pid_of(1), signal.SIGKILL)
        wait_until(lambda: client.infer(GOOD).status == 200)

    assert {fleet.digests[1], fleet.digests[9]} <= laid_out(tmp_path)


def laid_out(state: Path) -> set[str]:
    return {path.name for path in (state / "packages").iterdir()}
