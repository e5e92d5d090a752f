"""Webhooks of a real server process that is killed in the middle of a delivery."""

import json
import os
import signal
from pathlib import Path

import pytest
from receiver_kit import Received, Reply, is_signed, running_receiver
from server_process import ServerProcess, running_server

SECRET = "canary-9"


def post(server: ServerProcess, path: str, body: object, status: int = 201) -> dict[str, object]:
    reply = server.ask("POST", f"/api/v1/{path}", body=json.dumps(body).encode())
    assert reply.status == status, reply
    found: dict[str, object] = json.loads(reply.body)
    return found


@pytest.mark.timeout(120)
def test_delivery_of_a_killed_server_comes_again_under_its_id(tmp_path: Path):
    """SIGKILL between receipt and record: the next server sends it again, and a receiver sees one effect."""
    with running_receiver() as receiver:
        with running_server(tmp_path / "store", webhook_hosts=receiver.place) as server:
            webhook = {"name": "ci", "url": receiver.url, "events": ["run.*"], "secret": SECRET}
            post(server, "webhooks", webhook)

            def kill(_: Received) -> Reply:
                os.kill(server.process.pid, signal.SIGKILL)
                server.process.wait()
                receiver.answer = lambda _: Reply()
                return Reply()

            receiver.answer = kill
            post(server, "runs", {"experiment": "delay"})
            receiver.wait_for(1)
            server.process.wait()
        with running_server(tmp_path / "store", webhook_hosts=receiver.place) as server:
            run = post(server, "runs", {"experiment": "delay"})
            receiver.wait_for(3)

    assert receiver.names == ["run.started"] * 3
    assert len(receiver.effects) == 2
    assert receiver.received[0].body == receiver.received[1].body
    assert receiver.received[2].data["subject"] == f"run:{run['run_id']}"
    assert all(is_signed(each, SECRET) for each in receiver.received)


def test_server_is_no_receiver_of_its_own(tmp_path: Path):
    """The port of the server itself is refused, even where the settings list it, also one it was given."""
    with running_server(tmp_path / "store", webhook_hosts="127.0.0.1:1,localhost:1") as server:
        body = {"name": "ci", "url": f"http://127.0.0.1:{server.port}/api/v1/runs", "events": ["run.*"]}
        reply = server.ask("POST", "/api/v1/webhooks", body=json.dumps(body).encode())

    assert reply.status == 422
    assert reply.problem()["detail"] == f"`127.0.0.1:{server.port}` is this server itself"
