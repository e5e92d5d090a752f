"""Measure what a pipeline costs beside its steps: 20 no-op steps in a chain, 200 at once, cold and cached.

Wall and CPU time, best and median of the rounds, in one process on a durable store in a temporary folder (or
in the folder given as the first argument). The first run of a process also lists the installed packages.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from paddock.kernel.clock import SystemClock
from paddock.kernel.refs import DEFAULT_PROJECT, Actor
from paddock.metadata import open_metadata
from paddock.objects import open_objects
from paddock.pipelines import Pipelines, pipeline, step

ROUNDS = 7
FIRST, CHAIN, CACHED_CHAIN = "20 no-op steps, first in the process", "20 no-op steps", "20 cached steps"
MAP, CACHED_MAP = "map over 200 values", "cached map over 200 values"
BUDGETS = {CHAIN: "at most 100 ms", CACHED_CHAIN: "at most 50 ms", MAP: "at most 500 ms"}
PEERS = {
    CHAIN: "metaflow 9.5 s, zenml 3.8 s, dvc 3.4 s; hamilton (no tracking) 0.05 s",
    CACHED_CHAIN: "metaflow 1.4 s, zenml 2.1 s, dvc 1.1 s; hamilton (no tracking) 0.01 s",
    MAP: "hamilton 0.78 s, dask 0.17 s, ray 0.12 s (warm); dvc, metaflow over 175 s",
}


@step
def add_one(value: int) -> int:
    return value + 1


@step
def collect(values: list[int]) -> int:
    return sum(values)


@pipeline
def chain(start: int, steps: int = 20) -> int:
    value = start
    for _ in range(steps):
        value = add_one(value)
    return value


@pipeline
def fan(start: int, width: int = 200) -> int:
    return collect([add_one(start + position) for position in range(width)])


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        metadata = open_metadata(folder, clock=SystemClock())
        objects = open_objects(str(Path(folder) / "objects"))
        pipelines = Pipelines(metadata, objects, SystemClock(), Actor(DEFAULT_PROJECT, "bench"))
        first = _measure(FIRST, lambda: pipelines.run(chain, {"start": -1_000}), rounds=1)
        measurements = [
            *first,
            *_measure_each(CHAIN, lambda n: pipelines.run(chain, {"start": n * 1_000})),
            *_measure(CACHED_CHAIN, lambda: pipelines.run(chain, {"start": 0})),
            *_measure_each(MAP, lambda n: pipelines.run(fan, {"start": 10**6 + n * 1_000})),
            *_measure(CACHED_MAP, lambda: pipelines.run(fan, {"start": 10**6})),
        ]
        metadata.close()
    print(json.dumps({"title": "Pipelines, beside the work of their steps", "measurements": measurements}))


def _measure(name: str, run: Callable[[], object], rounds: int = ROUNDS) -> list[dict[str, object]]:
    return _measure_each(name, lambda _: run(), rounds)


def _measure_each(name: str, run: Callable[[int], object], rounds: int = ROUNDS) -> list[dict[str, object]]:
    walls, cpus = [], []
    for position in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        run(position)
        walls.append((time.perf_counter() - wall) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
    if rounds == 1:
        return [_entry(name, walls[0]), _entry(f"{name}: CPU", cpus[0])]
    words = {"budget": BUDGETS.get(name, ""), "peer": PEERS.get(name, "")}
    return [
        {**_entry(f"{name}, median of {rounds}", statistics.median(walls)), **words},
        _entry(f"{name}, best of {rounds}", min(walls)),
        _entry(f"{name}: CPU, median of {rounds}", statistics.median(cpus)),
    ]


def _entry(name: str, value_ms: float) -> dict[str, object]:
    return {"name": name, "value": round(value_ms, 2), "unit": "ms"}


if __name__ == "__main__":
    main()
