"""Measure what a pipeline costs beside its steps: 20 no-op steps in a chain, 200 at once, cold and cached.

Prints JSON: milliseconds of wall and CPU time, best and median of the rounds, on a durable store in a
temporary folder (or in the folder given as the first argument).
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
        first = _measure(lambda: pipelines.run(chain, {"start": -1_000}), rounds=1)
        result = {
            "chain_20_first_in_process": first,
            "chain_20_cold": _measure_each(lambda n: pipelines.run(chain, {"start": n * 1_000})),
            "chain_20_cached": _measure(lambda: pipelines.run(chain, {"start": 0})),
            "fan_200_cold": _measure_each(lambda n: pipelines.run(fan, {"start": 10**6 + n * 1_000})),
            "fan_200_cached": _measure(lambda: pipelines.run(fan, {"start": 10**6})),
        }
        metadata.close()
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


def _measure(run: Callable[[], object], rounds: int = ROUNDS) -> dict[str, float]:
    return _measure_each(lambda _: run(), rounds)


def _measure_each(run: Callable[[int], object], rounds: int = ROUNDS) -> dict[str, float]:
    walls, cpus = [], []
    for position in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        run(position)
        walls.append((time.perf_counter() - wall) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
    return {
        "wall_ms_best": round(min(walls), 2),
        "wall_ms_median": round(statistics.median(walls), 2),
        "cpu_ms_median": round(statistics.median(cpus), 2),
    }


if __name__ == "__main__":
    main()
