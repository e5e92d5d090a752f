"""SIGKILL of the server under load: what was acknowledged is there."""

import http.client
import json
import os
import random
import signal
import threading
from pathlib import Path

import pytest
from server_process import ServerProcess, running_server

MOMENTS = int(os.environ.get("PADDOCK_KILL_MOMENTS", "10"))
CLIENTS = 6
_LOST = (OSError, http.client.HTTPException)


class Client(threading.Thread):
    """Starts runs and logs to them until the server is gone; keeps what was acknowledged."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__(name=f"client-{number}")
        self.runs: list[str] = []
        self.points: list[tuple[str, int]] = []
        self._port = port
        self._step = 0

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            while True:
                run_id = self._post(connection, "/api/v1/runs", {"experiment": "killed"})["run_id"]
                self.runs.append(run_id)
                for _ in range(5):
                    self._step += 1
                    points = [{"key": "loss", "value": 0.5, "step": self._step, "at": "2013-04-01T00:00:00Z"}]
                    self._post(connection, f"/api/v1/runs/{run_id}/log", {"metrics": points})
                    self.points.append((run_id, self._step))
        except _LOST:
            return
        finally:
            connection.close()

    def _post(self, connection: http.client.HTTPConnection, path: str, body: object) -> dict[str, str]:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status in (200, 201), text
        return json.loads(text)


@pytest.mark.kill
@pytest.mark.timeout(60 + 10 * MOMENTS)
def test_every_acknowledged_write_survives_sigkill(tmp_path: Path):
    """Killed at random moments under load, the server comes back by itself with every write it answered."""
    chance = random.Random(7)
    clients: list[Client] = []
    for _ in range(MOMENTS):
        with running_server(tmp_path / "store") as server:
            group = [Client(server.port, number) for number in range(CLIENTS)]
            for client in group:
                client.start()
            threading.Event().wait(chance.uniform(0.05, 0.8))
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
            for client in group:
                client.join()
            clients += group

    with running_server(tmp_path / "store") as server:
        assert sum(len(client.points) for client in clients) > 10 * MOMENTS
        assert lost_points(server, clients) == []
        assert json.loads(server.ask("GET", "/api/v1/audit/verify").body)["ok"] is True


def lost_points(server: ServerProcess, clients: list[Client]) -> list[tuple[str, int]]:
    """Return what was acknowledged and is not there."""
    acknowledged: dict[str, set[int]] = {run_id: set() for client in clients for run_id in client.runs}
    for client in clients:
        for run_id, step in client.points:
            acknowledged[run_id].add(step)
    lost: list[tuple[str, int]] = []
    for run_id, steps in acknowledged.items():
        reply = server.ask("GET", f"/api/v1/runs/{run_id}/metrics/loss")
        points = json.loads(reply.body)["points"] if reply.status == 200 else []
        found = {point["step"] for point in points}
        lost += [(run_id, step) for step in steps - found] + ([] if reply.status == 200 else [(run_id, 0)])
    return lost
