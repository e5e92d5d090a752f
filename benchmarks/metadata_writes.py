"""How many durable writes a second a SQLite store acknowledges, by number of client threads.

    python benchmarks/metadata_writes.py [SECONDS] > writes.json

Each write is one ledger event, the price every change of a room pays. The raw rate of fdatasync is
measured beside it in the same folder: the ratio counts, absolute numbers are the disk's.
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


def measure_writes(store: Metadata, clients: int, seconds: float) -> dict[str, float]:
    """Return acknowledged writes per second and the latency of the median and the slowest percent."""
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
    return {
        "clients": clients,
        "acks_per_s": round(len(times) / seconds, 1),
        "p50_ms": round(times[len(times) // 2] * 1000, 2),
        "p99_ms": round(times[len(times) * 99 // 100] * 1000, 2),
    }


def measure_syncs(folder: Path, seconds: float) -> float:
    """Return how often a second 4 kB can be appended and synced, one after the other."""
    count, end = 0, perf_counter() + seconds
    with (folder / "raw").open("wb", buffering=0) as file:
        while perf_counter() < end:
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            count += 1
    return round(count / seconds, 1)


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
        report = {
            "benchmark": "metadata_writes",
            "cpu_count": os.cpu_count(),
            "fdatasync_per_s": measure_syncs(Path(folder), seconds),
            "sqlite": [measure_writes(store, clients, seconds) for clients in _CLIENTS],
        }
        store.close()
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0)
