"""Asking a gateway for one version, and for what versions it has."""

import json
import os
import signal
from collections import Counter

import numpy as np
import pytest
from gateway_kit import Client, Fleet, infer_body, make_fleet, make_rows, running, wait_until

from paddock.prediction_log import join_labels, read_labels, read_predictions
from paddock.serving import GatewayOptions, start_gateway

GOOD = {"carrier": ["AA"], "hour": [7], "wind": [3.5]}


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return make_fleet()


def test_one_version_can_be_asked(fleet, tmp_path):
    """A request for champion, canary or shadow is answered by that version, and logged as pinned to it."""
    rows = make_rows(60)
    fleet.publish(tmp_path, {1: 0.5, 2: 0.5})
    with running(tmp_path) as (_, client):
        for version in (1, 2):
            reply = client.ask("POST", f"/v2/models/delay/versions/{version}/infer", infer_body(rows))
            np.testing.assert_allclose(reply.predictions, fleet.answers(version, rows), rtol=0, atol=1e-12)
            assert reply.versions == [version] * 60
            assert reply.json()["model_version"] == str(version)
    fleet.publish(tmp_path, {1: 1.0}, shadow=2, generation=2)

    with running(tmp_path) as (_, client):
        of_shadow = client.ask("POST", "/v2/models/delay/versions/2/infer", infer_body(GOOD))

    logged = read_predictions(tmp_path / "predictions")
    seen = Counter(zip(logged["version"].to_pylist(), logged["stage"].to_pylist(), strict=True))
    assert seen == {(1, "pinned"): 60, (2, "pinned"): 61}
    assert of_shadow.versions == [2]
    assert set(logged["shadow_version"].to_pylist()) == {0}


def test_pinned_row_can_be_labelled(fleet, tmp_path):
    """A label of a row that was asked of one version stands beside it, as with any other."""
    fleet.publish(tmp_path, {1: 1.0}, shadow=2)

    with running(tmp_path) as (_, client):
        (pinned,) = client.ask("POST", "/v2/models/delay/versions/1/infer", infer_body(GOOD)).ids
        client.infer(GOOD)
        label = {"prediction_id": [pinned], "label": [1], "event_time": []}
        assert client.ask("POST", "/v2/models/delay/labels", label).json() == {"accepted": 1}

    folder = tmp_path / "predictions"
    joined = join_labels(read_predictions(folder), read_labels(folder)).table
    assert joined.select(["stage", "label"]).to_pylist() == [
        {"stage": "pinned", "label": 1.0},
        {"stage": "champion", "label": None},
    ]


def test_version_that_is_not_served_is_404(fleet, tmp_path):
    """A request for another version names those that are served, and nothing is logged."""
    fleet.publish(tmp_path, {2: 1.0}, shadow=1)

    with running(tmp_path) as (_, client):
        reply = client.ask("POST", "/v2/models/delay/versions/7/infer", infer_body(GOOD))

    assert (reply.status, reply.json()["code"]) == (404, "not_found")
    assert reply.json()["detail"] == "version 7 of `delay` is not served here; served are: 1, 2"
    assert read_predictions(tmp_path / "predictions").num_rows == 0


def test_champion_does_not_answer_for_an_asked_version(fleet, tmp_path):
    """A request for one version is refused while its worker is gone, not answered by another one."""
    fleet.publish(tmp_path, {1: 0.5, 2: 0.5})

    with running(tmp_path) as (_, client):
        os.kill(client.pid_of(2), signal.SIGSTOP)
        os.kill(client.pid_of(2), signal.SIGKILL)
        reply = client.ask("POST", "/v2/models/delay/versions/2/infer", infer_body(GOOD))

    assert (reply.status, reply.json()["code"]) == (503, "worker_failed")


def test_key_answered_by_another_version_is_a_conflict(fleet, tmp_path):
    """A key stands for one answer: it is not given for a version that did not give it."""
    fleet.publish(tmp_path, {1: 1.0}, shadow=2)
    pinned = infer_body({name: values * 2 for name, values in GOOD.items()}, idempotency_key=["k", "new"])

    with running(tmp_path) as (_, client):
        first = client.infer(GOOD, idempotency_key=["k"])
        again = client.ask(
            "POST", "/v2/models/delay/versions/1/infer", infer_body(GOOD, idempotency_key=["k"])
        )
        other = client.ask("POST", "/v2/models/delay/versions/2/infer", pinned)
        free = client.ask(
            "POST", "/v2/models/delay/versions/2/infer", infer_body(GOOD, idempotency_key=["new"])
        )

    assert again.ids == first.ids
    assert (other.status, other.json()["code"]) == (422, "idempotency_conflict")
    assert other.json()["detail"] == "idempotency key `k` was answered by version 1, not by version 2"
    assert free.versions == [2]


def test_repository_index_lists_what_is_served(fleet, tmp_path):
    """The index names the model and each live version, also without a body; `ready` leaves out the others."""
    with start_gateway(GatewayOptions(state=tmp_path, port=0)) as gateway:
        gateway.wait_listening()
        client = Client(gateway.url)
        before = client.ask("POST", "/v2/repository/index")
        fleet.publish(tmp_path, {1: 1.0}, shadow=2)
        gateway.wait_ready(generation=1)
        served = client.ask("POST", "/v2/repository/index")
        os.kill(client.pid_of(2), signal.SIGKILL)
        wait_until(lambda: index_states(client, {}) == {"1": "READY", "2": "UNAVAILABLE"})
        ready = index_states(client, {"ready": True})
        odd = [
            client.ask("POST", "/v2/repository/index", body) for body in ({"ready": "yes"}, {"x": 1}, b"[")
        ]
        client.close()

    assert json.loads(before.body) == []
    assert json.loads(served.body) == [
        {"name": "delay", "version": "1", "state": "READY", "reason": ""},
        {"name": "delay", "version": "2", "state": "READY", "reason": ""},
    ]
    assert ready == {"1": "READY"}
    assert [reply.status for reply in odd] == [400, 400, 400]


def index_states(client: Client, body: object) -> dict[str, str]:
    entries = json.loads(client.ask("POST", "/v2/repository/index", body).body)
    return {one["version"]: one["state"] for one in entries}
