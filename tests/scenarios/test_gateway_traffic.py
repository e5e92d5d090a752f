"""Canary, shadow, hot swap and the last good config, on real gateways under real requests."""

import os
import signal
import threading

import numpy as np
import pytest
from gateway_kit import Client, Fleet, make_fleet, make_rows, running, wait_until

from paddock.kernel.errors import VerificationFailed
from paddock.prediction_log import read_predictions
from paddock.serving import GatewayOptions, start_gateway

GOOD = {"carrier": ["AA"], "hour": [7], "wind": [3.5]}


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return make_fleet()


def test_canary_gets_its_share_and_keeps_its_rows(fleet, tmp_path):
    """A row stays with its version; when the canary's share grows, it keeps the rows it had."""
    keys = [f"plane-{n}" for n in range(2000)]
    rows = make_rows(2000)
    fleet.publish(tmp_path, {1: 0.9, 2: 0.1})

    with running(tmp_path) as (gateway, client):
        small = client.infer(rows, routing_key=keys)
        again = client.infer(rows, routing_key=keys)
        fleet.publish(tmp_path, {1: 0.7, 2: 0.3}, generation=2)
        gateway.wait_ready(generation=2)
        large = client.infer(rows, routing_key=keys)

    assert again.versions == small.versions
    assert 0.07 < small.versions.count(2) / 2000 < 0.13
    assert 0.26 < large.versions.count(2) / 2000 < 0.34
    assert all(b == 2 for a, b in zip(small.versions, large.versions, strict=True) if a == 2)
    expected = np.where(np.array(small.versions) == 2, fleet.answers(2, rows), fleet.answers(1, rows))
    np.testing.assert_allclose(small.predictions, expected, rtol=0, atol=1e-12)
    stages = read_predictions(tmp_path / "predictions", columns=["version", "stage"]).to_pylist()
    assert {(row["version"], row["stage"]) for row in stages} == {(1, "champion"), (2, "canary")}
    assert small.json()["model_version"] == "mixed"


def test_rows_are_routed_by_their_own_keys(fleet, tmp_path):
    """Without a routing key a row is routed by its idempotency key, each row of a request by its own."""
    fleet.publish(tmp_path, {1: 0.5, 2: 0.5})
    keys = [f"key-{n}" for n in range(40)]

    with running(tmp_path) as (_, client):
        by_key = client.infer(make_rows(40), idempotency_key=keys).versions
        by_routing_key = client.infer(make_rows(40, seed=1), routing_key=keys).versions

    assert set(by_key) == {1, 2}
    assert by_key == by_routing_key


def test_shadow_answers_are_logged_and_not_shown(fleet, tmp_path):
    """Each row is answered by the champion and scored by the shadow, in one record of the log."""
    rows = make_rows(300)
    fleet.publish(tmp_path, {1: 1.0}, shadow=2)

    with running(tmp_path, shadow_wait_s=30.0) as (_, client):
        reply = client.infer(rows)
        logged = read_predictions(tmp_path / "predictions")
        dropped = client.metric("paddock_shadow_dropped_total")

    assert reply.versions == [1] * 300
    np.testing.assert_allclose(reply.predictions, fleet.answers(1, rows), rtol=0, atol=1e-12)
    assert set(logged["shadow_version"].to_pylist()) == {2}
    shadow = logged["shadow_prediction"].to_numpy()
    np.testing.assert_allclose(shadow, fleet.answers(2, rows), rtol=0, atol=1e-12)
    assert dropped == 0


def test_shadow_that_hangs_or_dies_costs_no_answer(fleet, tmp_path):
    """A frozen shadow delays an answer by no more than the time it is given; a dead one by nothing."""
    fleet.publish(tmp_path, {1: 1.0}, shadow=2)

    with running(tmp_path, shadow_wait_s=0.1) as (_, client):
        shadow = client.pid_of(2)
        os.kill(shadow, signal.SIGSTOP)
        frozen = client.infer(GOOD)
        os.kill(shadow, signal.SIGKILL)
        dead = [client.infer(GOOD).status for _ in range(20)]
        dropped = client.metric("paddock_shadow_dropped_total")

    assert frozen.versions == [1]
    assert dead == [200] * 20
    assert dropped >= 1


def test_hot_swap_fails_no_request(fleet, tmp_path):
    """Under load, versions come and go without one failed or wrong answer."""
    fleet.publish(tmp_path, {1: 1.0})
    row = {name: list(values) for name, values in GOOD.items()}
    expected = {version: float(fleet.answers(version, row)[0]) for version in (1, 2)}
    faults: list[object] = []
    seen: set[int] = set()
    is_over = threading.Event()

    def load(url: str) -> None:
        client = Client(url)
        while not is_over.is_set():
            reply = client.infer(row)
            if reply.status != 200 or abs(reply.predictions[0] - expected[reply.versions[0]]) > 1e-12:
                faults.append(reply)
            seen.update(reply.versions)
        client.close()

    with running(tmp_path) as (gateway, client):
        threads = [threading.Thread(target=load, args=(gateway.url,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for generation, routes in enumerate(({1: 0.5, 2: 0.5}, {2: 1.0}), start=2):
            fleet.publish(tmp_path, routes, generation=generation)
            gateway.wait_ready(generation=generation)
        old = client.status()["versions"]
        is_over.set()
        for thread in threads:
            thread.join()

    assert faults == []
    assert seen == {1, 2}
    assert [one["version"] for one in old] == [2]


def test_version_that_answers_differently_gets_no_traffic(fleet, tmp_path):
    """A package whose golden answers are not reproduced leaves the old version live; status says why."""
    fleet.publish(tmp_path, {1: 1.0})

    with running(tmp_path) as (gateway, client):
        fleet.publish(tmp_path, {9: 1.0}, generation=2)
        with pytest.raises(VerificationFailed, match=r"^version 9 is not served: its golden rows"):
            gateway.wait_ready(generation=2)
        status = client.status()
        versions = client.infer(GOOD).versions

    assert (status["generation"], status["refused_generation"]) == (1, 2)
    assert versions == [1]


BROKEN = [
    b"{",
    b'{"endpoint": "delay"}',
    b'{"format":1,"endpoint":"delay","generation":5,"model":"delay","salt":"s","routes":[],"packages":{}}',
]


def test_broken_config_leaves_the_old_one_live(fleet, tmp_path):
    """A config that cannot be read is refused by a running gateway, and skipped over at the next start."""
    fleet.publish(tmp_path, {1: 1.0})

    with running(tmp_path) as (_, client):
        for body in BROKEN:
            before = client.status()["refusal"]
            (tmp_path / "config.json").write_bytes(body)
            wait_until(lambda before=before: client.status()["refusal"] != before)
            assert client.infer(GOOD).versions == [1]
    with running(tmp_path) as (_, client):
        assert client.infer(GOOD).versions == [1]
        assert "config.json" in str(client.status()["refusal"])


def test_gateway_serves_without_anything_else(fleet, tmp_path):
    """With store and config gone, a restarted gateway gives 1,000 right answers from the last good one."""
    fleet.publish(tmp_path, {1: 0.8, 2: 0.2})
    with running(tmp_path):
        pass
    (tmp_path / "config.json").unlink()
    replies = []

    with running(tmp_path) as (_, client):
        for seed in range(100):
            keys = [f"{seed}-{n}" for n in range(10)]
            replies.append(client.infer(make_rows(10, seed=seed), idempotency_key=keys))

    for seed, reply in enumerate(replies):
        rows = make_rows(10, seed=seed)
        expected = np.choose(
            np.array(reply.versions) - 1, [fleet.answers(version, rows) for version in (1, 2)]
        )
        np.testing.assert_allclose(reply.predictions, expected, rtol=0, atol=1e-12)
    assert {version for reply in replies for version in reply.versions} == {1, 2}


def test_gateway_without_config_waits_for_one(fleet, tmp_path):
    """A gateway may start before its first config; it says 503 until that comes."""
    with start_gateway(GatewayOptions(state=tmp_path, port=0)) as gateway:
        client = Client(gateway.url)
        before = client.infer(GOOD)
        ready = client.get("/v2/health/ready").status
        fleet.publish(tmp_path, {1: 1.0})
        gateway.wait_ready(generation=1)
        after = client.infer(GOOD)
        client.close()

    assert (before.status, before.json()["code"], ready) == (503, "no_model", 503)
    assert before.headers["retry-after"]
    assert after.status == 200


def test_bounded_mode_answers_and_logs(fleet, tmp_path):
    """In mode `bounded` a clean stop writes everything that was answered."""
    fleet.publish(tmp_path, {1: 1.0}, shadow=2)

    with running(tmp_path, log_mode="bounded", shadow_wait_s=30.0) as (_, client):
        ids = [client.infer(GOOD).ids[0] for _ in range(50)]

    logged = read_predictions(tmp_path / "predictions")
    assert sorted(logged["prediction_id"].to_pylist()) == sorted(ids)
    assert set(logged["shadow_version"].to_pylist()) == {2}


def test_retry_after_restart_gets_the_logged_answer(fleet, tmp_path):
    """A key answered before a restart is answered the same, also by a gateway that serves another version."""
    fleet.publish(tmp_path, {1: 1.0})
    with running(tmp_path) as (_, client):
        first = client.infer(GOOD, idempotency_key=["k"])
    fleet.publish(tmp_path, {2: 1.0}, generation=2)

    with running(tmp_path) as (_, client):
        second = client.infer(GOOD, idempotency_key=["k"])

    assert (second.ids, second.predictions, second.versions) == (first.ids, first.predictions, [1])
