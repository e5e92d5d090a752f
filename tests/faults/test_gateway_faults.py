"""Gateways, workers and parents that die, ports that are taken, clients that stay, disks that are full."""

import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPException
from itertools import cycle
from pathlib import Path

import pytest
from gateway_kit import Client, Fleet, infer_body, make_fleet, make_rows, running, wait_until

from paddock.kernel.errors import StoreInUse
from paddock.prediction_log import read_predictions
from paddock.serving import GatewayOptions, GatewayProcess, GatewaySupervisor, start_gateway

GOOD = {"carrier": ["AA"], "hour": [7], "wind": [3.5]}
MOMENTS = int(os.environ.get("PADDOCK_KILL_MOMENTS", "4"))


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return make_fleet()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@pytest.mark.kill
def test_killed_gateway_loses_no_acknowledged_prediction(fleet, tmp_path):
    """SIGKILL at random moments under load: each acknowledged key is in the log once, with its id."""
    fleet.publish(tmp_path, {1: 1.0})
    supervisor = GatewaySupervisor(GatewayOptions(state=tmp_path, port=0))
    url = supervisor.gateway.url
    supervisor.gateway.wait_ready()
    acknowledged: dict[str, str] = {}
    is_over = threading.Event()

    def load(name: int) -> None:
        client = Client(url)
        number = 0
        while not is_over.is_set():
            key = f"{name}-{number}"
            row = {column: [values[0]] for column, values in make_rows(1, seed=number).items()}
            try:
                reply = client.infer(row, idempotency_key=[key])
            except (OSError, HTTPException):
                time.sleep(0.01)
                continue
            if reply.status == 200:  # everything else is sent again with the same key
                acknowledged[key] = reply.ids[0]
                number += 1
        client.close()

    threads = [threading.Thread(target=load, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    dice = random.Random(20130101)
    try:
        for moment in range(1, MOMENTS + 1):
            reached = len(acknowledged) + dice.randrange(20, 200)
            wait_until(lambda reached=reached: len(acknowledged) >= reached)
            supervisor.gateway.kill()
            wait_until(lambda moment=moment: supervisor.restarts == moment)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
        supervisor.stop()

    logged = read_predictions(tmp_path / "predictions", columns=["idempotency_key", "prediction_id"])
    keys, ids = logged["idempotency_key"].to_pylist(), logged["prediction_id"].to_pylist()
    assert len(set(keys)) == len(keys)
    assert {key: one for key, one in zip(keys, ids, strict=True) if key in acknowledged} == acknowledged


def test_killed_worker_comes_back(fleet, tmp_path):
    """While the champion's worker is gone its rows get 503 with Retry-After; then it answers again."""
    fleet.publish(tmp_path, {1: 1.0})

    with running(tmp_path) as (_, client):
        os.kill(client.pid_of(1), signal.SIGKILL)
        codes = []
        wait_until(lambda: codes.append(client.infer(GOOD)) or codes[-1].status == 200)
        restarts = client.metric("paddock_model_worker_restarts_total")

    refused = [reply for reply in codes if reply.status != 200]
    assert {(reply.status, reply.json()["code"]) for reply in refused} <= {(503, "worker_failed")}
    assert all(reply.headers["retry-after"] for reply in refused)
    assert restarts == 1


def test_champion_steps_in_for_a_dead_canary(fleet, tmp_path):
    """Rows of a canary whose worker is gone are answered by the champion, and the log says so."""
    rows = make_rows(200)
    fleet.publish(tmp_path, {1: 0.5, 2: 0.5})

    with running(tmp_path) as (_, client):
        os.kill(client.pid_of(2), signal.SIGKILL)
        reply = client.infer(rows)

    logged = read_predictions(tmp_path / "predictions")
    assert reply.versions == [1] * 200
    assert set(logged["version"].to_pylist()) == {1}
    assert set(logged["stage"].to_pylist()) == {"champion", "fallback"}


def test_worker_that_hangs_is_given_up(fleet, tmp_path):
    """A frozen worker is ended after its time, its rows get 503, and the next worker answers."""
    fleet.publish(tmp_path, {1: 1.0})

    with running(tmp_path, worker_timeout_s=0.5) as (_, client):
        os.kill(client.pid_of(1), signal.SIGSTOP)
        first = client.infer(GOOD)
        wait_until(lambda: client.infer(GOOD).status == 200)

    assert first.status == 503


PARENT = """
import sys, time
from pathlib import Path
from paddock.serving import GatewayOptions, start_gateway
gateway = start_gateway(GatewayOptions(state=Path(sys.argv[1]), port=0))
gateway.wait_ready()
print(gateway.url, gateway.pid, flush=True)
time.sleep(600)
"""


def test_nothing_is_left_when_the_parent_dies(fleet, tmp_path):
    """After SIGKILL of the parent, gateway and workers are gone and the port is free."""
    fleet.publish(tmp_path, {1: 1.0}, shadow=2)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    url, pid = parent.stdout.readline().split()
    client = Client(url)
    pids = [int(pid), client.pid_of(1), client.pid_of(2)]
    client.close()

    parent.kill()
    parent.wait()
    parent.stdout.close()

    wait_until(lambda: not any(map(is_running, pids)), timeout_s=15)
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port_of(url)))


def test_workers_end_with_a_killed_gateway(fleet, tmp_path):
    """SIGKILL of a gateway leaves no worker behind."""
    fleet.publish(tmp_path, {1: 1.0})

    with running(tmp_path) as (gateway, client):
        worker = client.pid_of(1)
        gateway.kill()
        wait_until(lambda: not is_running(worker), timeout_s=15)


def test_port_in_use_names_the_process(tmp_path):
    """A gateway that cannot have its port says who has it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        gateway = start_gateway(GatewayOptions(state=tmp_path, port=port))

        with pytest.raises(StoreInUse, match=rf"^port {port} is in use by process {os.getpid()} \("):
            gateway.wait_listening()


def test_second_gateway_on_one_folder_is_refused(fleet, tmp_path):
    """Two gateways never write one log; the second names the first."""
    fleet.publish(tmp_path, {1: 1.0})

    with running(tmp_path) as (first, client):
        second = start_gateway(GatewayOptions(state=tmp_path, port=0))
        with pytest.raises(StoreInUse, match=f"is written by process {first.pid}"):
            second.wait_listening()
        assert client.infer(GOOD).status == 200


def test_other_addresses_than_loopback_are_refused(tmp_path):
    """Until there is a login, a gateway listens on this machine only."""
    command = [sys.executable, "-m", "paddock.serving.gateway", f"--state={tmp_path}", "--host=0.0.0.0"]

    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 2
    assert "error: `host` is `0.0.0.0`, which other machines can reach" in result.stderr


def test_sigterm_lets_requests_finish(fleet, tmp_path):
    """A request at work when SIGTERM comes is answered; then the gateway ends with status 0."""
    fleet.publish(tmp_path, {1: 1.0}, shadow=2)
    replies = []

    with running(tmp_path, shadow_wait_s=1.0) as (gateway, client):
        os.kill(client.pid_of(2), signal.SIGSTOP)  # holds the request back for as long as a shadow may
        asking = threading.Thread(target=lambda: replies.append(client.infer(GOOD)))
        asking.start()
        watcher = Client(gateway.url)
        wait_until(lambda: watcher.status()["in_flight"] == 1)
        os.kill(gateway.pid, signal.SIGTERM)
        asking.join()
        watcher.close()
        wait_until(lambda: gateway.exit_code is not None)

    assert [reply.status for reply in replies] == [200]
    assert gateway.exit_code == 0


def test_idle_connections_do_not_hold_up_a_stop(fleet, tmp_path):
    """SIGTERM closes connections without a request, and the gateway ends while clients still hold them."""
    fleet.publish(tmp_path, {1: 1.0})

    with running(tmp_path) as (gateway, client):
        client.infer(GOOD)
        connections = [connect(gateway) for _ in range(20)]
        for used in connections[:10]:
            used.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert read_to(used, b"OK").startswith(b"HTTP/1.1 200")
        os.kill(gateway.pid, signal.SIGTERM)
        wait_until(lambda: gateway.exit_code is not None)
        rests = [connection.recv(4096) for connection in connections]
        for connection in connections:
            connection.close()

    assert gateway.exit_code == 0
    assert rests == [b""] * 20
    assert "graceful" not in (tmp_path / "gateway.log").read_text()


def test_client_that_sends_half_a_request_does_not_hold_up_a_stop(fleet, tmp_path):
    """A request whose body does not come is answered with 408 when the gateway stops."""
    fleet.publish(tmp_path, {1: 1.0})
    head = b"POST /v2/models/delay/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"

    with running(tmp_path) as (gateway, client), connect(gateway) as half:
        half.sendall(head)
        wait_until(lambda: client.get("/health").status == 200)
        os.kill(gateway.pid, signal.SIGTERM)
        answer = read_to(half)
        wait_until(lambda: gateway.exit_code is not None)

    assert answer.startswith(b"HTTP/1.1 408")
    assert gateway.exit_code == 0


def test_client_that_does_not_read_does_not_hold_up_a_stop(fleet, tmp_path):
    """Answers that nobody reads are given up when the gateway stops, without a report of a failure."""
    fleet.publish(tmp_path, {1: 1.0})
    body = json.dumps(infer_body(make_rows(9000))).encode()
    head = f"POST /v2/models/delay/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    whole = head.encode() + body
    requests = cycle([whole[at : at + 1024] for at in range(0, len(whole), 1024)])

    with running(tmp_path) as (gateway, client), connect(gateway, receive_bytes=4096) as deaf:
        while select.select([], [deaf], [], 2.0)[1]:  # until nothing more is taken: the answers are stuck
            deaf.sendall(next(requests))
        os.kill(gateway.pid, signal.SIGTERM)
        wait_until(lambda: gateway.exit_code is not None)
        client.close()

    assert gateway.exit_code == 0
    assert "graceful" not in (tmp_path / "gateway.log").read_text()


def connect(gateway: GatewayProcess, receive_bytes: int = 0) -> socket.socket:
    """Return a connection whose kernel buffer for answers is as small as asked for; 0: as it is."""
    connection = socket.socket()
    connection.settimeout(60)
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.connect(("127.0.0.1", port_of(gateway.url)))
    return connection


def read_to(connection: socket.socket, ending: bytes = b"") -> bytes:
    """Return what comes up to `ending`, or else up to the end of the connection."""
    data = b""
    while not ending or not data.endswith(ending):
        part = connection.recv(4096)
        if not part:
            break
        data += part
    return data


def test_full_disk_refuses_with_507_and_recovers(fleet, tmp_path, small_disk, fill_disk):
    """On a full disk predictions are refused, nothing acknowledged is lost, and freed space is used."""
    fleet.publish(tmp_path, {1: 1.0})
    (tmp_path / "predictions").symlink_to(small_disk)
    with running(tmp_path) as (_, client):
        before = [client.infer(GOOD).ids[0] for _ in range(5)]
        ballast = fill_disk(small_disk)
        refused = [client.infer(make_rows(100)) for _ in range(3)]
        ballast.unlink()
        after = [client.infer(GOOD).ids[0] for _ in range(5)]

    assert {(reply.status, reply.json()["code"]) for reply in refused} == {(507, "storage_full")}
    logged = read_predictions(small_disk, columns=["prediction_id"])["prediction_id"].to_pylist()
    assert sorted(logged) == sorted(before + after)
