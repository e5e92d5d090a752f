"""What a gateway costs: requests of one row as JSON at 1, 16 and 64 connections, everything switched on.

    python benchmarks/serving.py [SECONDS]

The model is a logistic regression over 20 columns. Each request carries an idempotency key; schema check,
metrics and the prediction log in mode `wal` are on, so each answer waits for a shared fdatasync. CPU time is
that of gateway and worker together; the client runs on the same machine and takes its share of it.
"""

import asyncio
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import cast

import numpy as np
import pyarrow as pa
import uvloop

from paddock.models import build_package, encode_rows, infer_signature, save_package
from paddock.objects import MemoryBackend, ObjectStore
from paddock.serving import (
    EndpointConfig,
    GatewayOptions,
    GatewayProcess,
    GatewayState,
    Route,
    publish,
    start_gateway,
)

NUMBERS, CATEGORIES, ROWS = 15, 5, 1000
CONNECTIONS = (1, 16, 64)
BUDGETS = {64: {"rate": "at least 8,000", "p99": "at most 15", "cpu": "at most 0.2"}}
PEERS = {
    1: {"rate": "Flask + gunicorn 1,184", "p99": "Flask + gunicorn 1.3", "cpu": ""},
    16: {"rate": "Flask + gunicorn 2,091", "p99": "Flask + gunicorn 10", "cpu": "Flask + gunicorn 0.85"},
    64: {"rate": "Flask + gunicorn 2,033", "p99": "Flask + gunicorn 39", "cpu": ""},
}


class Connection(asyncio.Protocol):
    """One keep-alive connection that sends the next request as soon as it has the answer to the last."""

    def __init__(self, name: int, template: bytes, until: float) -> None:
        self.latencies: list[float] = []
        self.failures = 0
        self.closed = asyncio.get_running_loop().create_future()
        self._name = name
        self._template = template
        self._until = until
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is none
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, _, body = self._received.partition(b"\r\n\r\n")
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or -1)
        if length < 0 or len(body) < length:
            return
        now = perf_counter()
        self.latencies.append(now - self._sent_at)
        self.failures += not head.startswith(b"HTTP/1.1 200")
        self._received = b""
        if now < self._until:
            self._send()
        elif self._transport is not None:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def _send(self) -> None:
        assert self._transport is not None
        self._sent_at = perf_counter()
        key = b"%08d-%012d" % (self._name, len(self.latencies))
        self._transport.write(self._template.replace(b"KEY-OF-TWENTY-ONE-LEN", key))


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    with tempfile.TemporaryDirectory() as folder:
        row = lay_out(Path(folder))
        with start_gateway(GatewayOptions(state=Path(folder), port=0)) as gateway:
            gateway.wait_ready()
            measure(gateway, row, 16, 1.0, 0)
            measurements = []
            for place, connections in enumerate(CONNECTIONS, start=1):
                measurements += measure(gateway, row, connections, seconds, place)
        rate = count_syncs(Path(folder), 1.0)
    measurements.append(
        {"name": "fdatasync of this disk, one after the other", "value": rate, "unit": "per second"}
    )
    print(
        json.dumps(
            {"title": "Gateway, 1-row JSON, log synced before each answer", "measurements": measurements}
        )
    )


def lay_out(folder: Path) -> bytes:
    """Publish the model; return an infer request without its key."""
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(3)
    columns = {f"number_{n}": pa.array(random.normal(size=ROWS)) for n in range(NUMBERS)}
    names = np.array(["north", "east", "south", "west"])
    columns |= {f"category_{n}": pa.array(random.choice(names, ROWS)) for n in range(CATEGORIES)}
    table = pa.table(columns)
    signature = infer_signature(table)
    matrix = encode_rows(signature, {name: table[name] for name in table.column_names})
    estimator = LogisticRegression(max_iter=500).fit(matrix, matrix[:, 0] > 0)
    objects = ObjectStore(MemoryBackend())
    digest = save_package(objects, build_package(estimator, sample=table, signature=signature))
    config = EndpointConfig("bench", 1, "bench", "salt", (Route(1, 1.0),), {1: digest})
    publish(GatewayState(folder), config, objects)
    inputs = [
        {
            "name": name,
            "shape": [1],
            "datatype": "BYTES" if "cat" in name else "FP64",
            "data": table[name][:1].to_pylist(),
        }
        for name in table.column_names
    ]
    key = {
        "name": "paddock.idempotency_key",
        "shape": [1],
        "datatype": "BYTES",
        "data": ["KEY-OF-TWENTY-ONE-LEN"],
    }
    return json.dumps({"inputs": [*inputs, key]}).encode()


def measure(
    gateway: GatewayProcess, body: bytes, connections: int, seconds: float, place: int
) -> list[dict[str, object]]:
    head = f"POST /v2/models/bench/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    used = cpu_s(gateway.pid)
    started = perf_counter()
    done = uvloop.run(load(gateway.url, head.encode() + body, connections, seconds, place))
    elapsed, used = perf_counter() - started, cpu_s(gateway.pid) - used
    latencies = sorted(latency for one in done for latency in one.latencies)
    failures = sum(one.failures for one in done)
    assert failures == 0, f"{failures} requests failed"
    budget, peer = BUDGETS.get(connections, {}), PEERS[connections]

    def entry(name: str, what: str, value: float, unit: str) -> dict[str, object]:
        words = {"budget": budget.get(what, ""), "peer": peer.get(what, "")}
        return {"name": f"{connections} connections: {name}", "value": value, "unit": unit, **words}

    return [
        entry("requests", "rate", len(latencies) / elapsed, "per second"),
        entry("p50", "p50", 1e3 * latencies[len(latencies) // 2], "ms"),
        entry("p99", "p99", 1e3 * latencies[len(latencies) * 99 // 100], "ms"),
        entry("CPU of gateway and worker", "cpu", 1e3 * used / len(latencies), "ms per request"),
    ]


async def load(url: str, template: bytes, connections: int, seconds: float, place: int) -> list[Connection]:
    loop = asyncio.get_running_loop()
    port = int(url.rpartition(":")[2])
    until = perf_counter() + seconds
    clients = []
    for number in range(connections):
        client = Connection(1000 * place + number, template, until)
        await loop.create_connection(partial(_same, client), "127.0.0.1", port)
        clients.append(client)
    await asyncio.gather(*[client.closed for client in clients])
    return clients


def _same(client: Connection) -> Connection:
    return client


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process and its children that run."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for found in (pid, *children_of(pid)):
        fields = Path(f"/proc/{found}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def children_of(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def count_syncs(folder: Path, seconds: float) -> float:
    """Return how often a second 600 bytes can be appended and synced."""
    count, until = 0, perf_counter() + seconds
    with (folder / "raw").open("wb", buffering=0) as file:
        while perf_counter() < until:
            file.write(bytes(600))
            os.fdatasync(file.fileno())
            count += 1
    return count / seconds


if __name__ == "__main__":
    main()
