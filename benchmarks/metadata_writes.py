"""How many durable writes a second a SQLite store acknowledges, by number of client threads.

    python benchmarks/metadata_writes.py [SECONDS] > writes.json

Each write is one ledger event, the price every change of a room pays; it is on disk when it is acknowledged.
The raw rate of fdatasync is measured beside it in the same folder: the ratio counts, absolute numbers are the
disk's.
"""

import json
import os
import sys
import tempfile
import threading
from pathlib import Path
from time import perf_counter

from paddock.kernel.clock import SystemClock
from paddock.kernel.refs import DEFAULT_PROJECT
from paddock.metadata import Metadata, NewEvent, open_metadata

_CLIENTS = (1, 8, 32)


def measure_writes(store: Metadata, clients: int, seconds: float) -> list[dict[str, object]]:
    """Measure acknowledged writes per second, and the latency of the median and the slowest percent."""
    latencies: list[list[float]] = [[] for _ in range(clients)]
    start = threading.Barrier(clients)
    threads = [
        threading.Thread(target=_write_until, args=(store, seconds, start, mine)) for mine in latencies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = sorted(latency for mine in latencies for latency in mine)
    who = "1 client" if clients == 1 else f"{clients} clients"
    return [
        entry(f"{who}: durable writes", len(times) / seconds, "per second"),
        entry(f"{who}: p50", times[len(times) // 2] * 1000, "ms"),
        entry(f"{who}: p99", times[len(times) * 99 // 100] * 1000, "ms"),
    ]


def measure_syncs(folder: Path, seconds: float) -> float:
    """Return how often a second 4 kB can be appended and synced, one after the other."""
    count, end = 0, perf_counter() + seconds
    with (folder / "raw").open("wb", buffering=0) as file:
        while perf_counter() < end:
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            count += 1
    return count / seconds


def entry(name: str, value: float, unit: str) -> dict[str, object]:
    return {"name": name, "value": round(value, 2), "unit": unit}


def _write_until(store: Metadata, seconds: float, start: threading.Barrier, latencies: list[float]) -> None:
    event = NewEvent(
        DEFAULT_PROJECT, "bench", "bench.written", "bench:a", SystemClock().now(), {"text": "x" * 100}
    )
    start.wait()
    end = perf_counter() + seconds
    while (before := perf_counter()) < end:
        store.write(lambda tx: tx.append_event(event))
        latencies.append(perf_counter() - before)


def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        store = open_metadata(folder, clock=SystemClock())
        syncs = measure_syncs(Path(folder), seconds)
        writes = [measure_writes(store, clients, seconds) for clients in _CLIENTS]
        store.close()
    bare = entry("fdatasync of this disk, one after the other", syncs, "per second")
    measurements = [*(each for group in writes for each in group), bare]
    print(json.dumps({"title": "Writes to the metadata store, SQLite", "measurements": measurements}))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0)
