"""How long a profile takes, and how much memory: a table of 30 columns, 20 numbers and 10 categories.

Usage: python benchmarks/profile.py [ROWS ...]        (default 100000 1000000)

Each size runs in a process of its own, so that its peak of memory is its own. A drift report reads the
Parquet file and profiles it with new bins, reads and profiles it again over the bins of the first, and
compares all columns of the two.
"""

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from paddock.datasets import encode_profile, profile_table, read_table, scan_file
from paddock.monitoring import psi

T = TypeVar("T")
NUMBERS, CATEGORIES = 20, 10
TIME_BUDGETS = {100_000: "at most 0.5 s", 1_000_000: "at most 4 s"}
MEMORY_BUDGETS = {100_000: "at most 200 MB", 1_000_000: "at most 500 MB"}
TIME_PEERS = {100_000: "evidently 12.7 s"}
MEMORY_PEERS = {100_000: "evidently 705 MB", 1_000_000: "evidently 1,700 MB for loading alone"}


def make_table(rows: int, seed: int = 7) -> pa.Table:
    """Return the same table for the same arguments; cardinalities of the categories 2 to 5,000."""
    random = np.random.default_rng(seed)
    columns: dict[str, pa.Array] = {}
    for at in range(NUMBERS):
        values = random.lognormal(size=rows) if at % 2 else random.normal(size=rows)
        columns[f"number_{at}"] = pa.array(values, mask=random.random(rows) < 0.01 if at % 5 == 0 else None)
    for at, distinct in enumerate(np.geomspace(2, 5000, CATEGORIES).astype(int)):
        names = pa.array([f"value {code}" for code in range(distinct)])
        codes = pa.array((distinct * random.random(rows) ** 2).astype(np.int32))
        columns[f"category_{at}"] = pa.DictionaryArray.from_arrays(codes, names).cast(pa.string())
    return pa.table(columns)


def timed(work: Callable[[], T]) -> tuple[T, float, float]:
    """Return what `work` returns, and its seconds of wall and of CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_file(path: Path, rows: int) -> None:
    pq.write_table(make_table(rows), path)


def measure(path: Path, rows: int) -> list[dict[str, object]]:
    base_mb = peak_mb()
    first, scan_s, scan_cpu_s = timed(lambda: scan_file(path))
    second, window_s, window_cpu_s = timed(lambda: scan_file(path, like=first.profile))
    pairs = list(zip(first.profile.columns, second.profile.columns, strict=True))
    _, drift_s, drift_cpu_s = timed(lambda: [psi(a, b) for a, b in pairs])
    report_mb = peak_mb()
    table = read_table(path)
    _, in_memory_s, _ = timed(lambda: profile_table(table))
    report_s, report_cpu_s = scan_s + window_s + drift_s, scan_cpu_s + window_cpu_s + drift_cpu_s
    found = [
        entry("drift report", report_s, "s", TIME_BUDGETS.get(rows, ""), TIME_PEERS.get(rows, "")),
        entry("CPU of it", report_cpu_s, "s"),
        entry("peak memory of it", report_mb, "MB", MEMORY_BUDGETS.get(rows, ""), MEMORY_PEERS.get(rows, "")),
        entry("the imports alone", base_mb, "MB"),
        entry("in it: read and profile with new bins", scan_s, "s"),
        entry("in it: read and profile over these bins", window_s, "s"),
        entry("in it: compare all columns", drift_s, "s"),
        entry("profile a table in memory", in_memory_s, "s"),
        entry("peak memory with the table", peak_mb(), "MB"),
        entry("size of the profile", len(encode_profile(first.profile)) / 1000, "kB"),
    ]
    return [{**each, "name": f"{rows:,} rows: {each['name']}"} for each in found]


def entry(name: str, value: float, unit: str, budget: str = "", peer: str = "") -> dict[str, object]:
    return {"name": name, "value": round(value, 4), "unit": unit, "budget": budget, "peer": peer}


def main(sizes: list[int]) -> None:
    context = multiprocessing.get_context("spawn")
    measurements = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in sizes:
            path = Path(folder) / f"{rows}.parquet"
            with context.Pool(1, maxtasksperchild=1) as pool:
                pool.apply(write_file, (path, rows))
                measurements += pool.apply(measure, (path, rows))
    title = f"Profiles and drift, {NUMBERS + CATEGORIES} columns"
    print(json.dumps({"title": title, "measurements": measurements}))


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [100_000, 1_000_000])
