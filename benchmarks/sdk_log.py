"""What `run.log` of one scalar costs the training process, while a thread delivers to a folder or a server.

Between two calls the loop computes in Python and never gives the interpreter away by itself, the worst case
for a thread beside it. The same loop without a call shows what the machine itself does to it.
"""

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import paddock as pk

CALLS = 100_000
RATE = 10_000
MEDIAN_US, STALL_MS = 5.0, 5.0

Call = Callable[[int], object]


def main() -> None:
    measurements = [*describe("no call", measure_paced(lambda _: None), stall_budget="")]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pk.connect("store")
        measurements += measure_store("folder")
        with running_server(Path(folder) / "served") as url:
            pk.connect(url)
            measurements += measure_store("server")
            pk.disconnect()
    print(json.dumps({"title": "Logging one scalar with `run.log`", "measurements": measurements}))


def measure_store(name: str) -> Iterator[dict[str, str | float]]:
    with pk.run("bench") as run:
        run.log({"warm": 0.0})
        run.flush()
        paced = measure_paced(lambda step: run.log({"loss": 0.5}, step=step))
        run.flush()
        yield from describe(f"{name}, {RATE:,} calls a second", paced, stall_budget=f"<= {STALL_MS:g} ms")
        started = time.perf_counter()
        fast = measure_fast(lambda step: run.log({"loss": 0.5}, step=CALLS + step))
        called_s = time.perf_counter() - started
        run.flush()
        delivered_s = time.perf_counter() - started
    yield from describe(f"{name}, as fast as can be", fast, stall_budget="")
    yield entry(f"{name}, calls a second as fast as can be", CALLS / called_s, "1/s")
    yield entry(f"{name}, records a second until the store has all", CALLS / delivered_s, "1/s")


def measure_paced(call: Call) -> list[int]:
    """Return how long each call took, in nanoseconds, at RATE calls a second."""
    every_ns, clock = 1_000_000_000 // RATE, time.perf_counter_ns
    durations: list[int] = []
    gc.collect()
    due = clock()
    for step in range(CALLS):
        while clock() < due:
            pass
        started = clock()
        call(step)
        ended = clock()
        durations.append(ended - started)
        due = max(due + every_ns, ended - every_ns)  # what was missed is not made up for in a burst
    return durations


def measure_fast(call: Call) -> list[int]:
    clock = time.perf_counter_ns
    durations: list[int] = []
    gc.collect()
    for step in range(CALLS):
        started = clock()
        call(step)
        durations.append(clock() - started)
    return durations


def describe(name: str, durations: list[int], *, stall_budget: str) -> list[dict[str, str | float]]:
    micros = np.array(durations) / 1e3
    median_budget = f"<= {MEDIAN_US:g} us" if stall_budget else ""
    return [
        entry(f"{name}, median", float(np.median(micros)), "us", median_budget),
        entry(f"{name}, p99.9", float(np.percentile(micros, 99.9)), "us"),
        entry(f"{name}, longest", float(micros.max()) / 1e3, "ms", stall_budget),
        entry(f"{name}, longer than {STALL_MS:g} ms", int((micros > 1e3 * STALL_MS).sum()), f"of {CALLS:,}"),
    ]


def entry(name: str, value: float, unit: str, budget: str = "") -> dict[str, str | float]:
    return {"name": name, "value": round(value, 3), "unit": unit, "budget": budget}


@contextmanager
def running_server(store: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "paddock.cli", "--store", str(store), "server", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().removeprefix("ready at ").strip()
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
